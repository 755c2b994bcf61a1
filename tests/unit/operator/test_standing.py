"""Which dead letters are meant and open, and in which order they are redriven."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streams.core.records import Source
from streams.operator.standing import Standing, Wanted, by_death, in_turn, standings
from streams.wire.dead_letters import Letter
from tests.support.letters import AT_MS, TOPIC, body, letter


def test_a_letter_whose_source_can_not_be_read_belongs_nowhere() -> None:
    """What has none goes back to ``events``, and would be decided a second time."""
    unreadable = replace(letter(0), source=None, source_unreadable=True)

    assert stand(unreadable) == [Standing.NO_SOURCE]
    assert Standing.NO_SOURCE.open


def test_a_source_in_a_partition_that_is_not_there_belongs_nowhere() -> None:
    here, gone = letter(0, of=1), letter(1, of=2)
    found = standings([here, gone], frozenset(), lambda source: source == gone.source)

    assert [standing for _, standing in found] == [Standing.OPEN, Standing.NO_SOURCE]


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [
        (Wanted(), True),
        (Wanted(reasons=frozenset({"forbidden", "bad-request"})), True),
        (Wanted(reasons=frozenset({"bad-request"})), False),
        (Wanted(stage="worker"), True),
        (Wanted(stage="bridge"), False),
        (Wanted(interaction_id="i-1"), True),
        (Wanted(interaction_id="i-2"), False),
        (Wanted(since=AT_MS, until=AT_MS + 1), True),
        (Wanted(since=AT_MS + 1), False),
        (Wanted(until=AT_MS), False),
    ],
)
def test_which_are_meant(wanted: Wanted, meant: bool) -> None:
    assert (letter(0) in wanted) is meant


@pytest.mark.parametrize("value", [b"\xff", b'{"detail": {"interactionId": "i-1"}}'])
@pytest.mark.parametrize("of", [0, None])
def test_what_is_no_event_belongs_to_the_interaction_of_its_key(
    value: bytes, of: int | None
) -> None:
    """Also what the bridge has refused, which was never in ``events``."""
    assert letter(0, of=of, value=value) in Wanted(interaction_id="i-1")
    assert letter(0, of=of, value=value) not in Wanted(interaction_id="i-2")


def stand(*letters: Letter, sent: frozenset[tuple[Source, int]] = frozenset()) -> list[Standing]:
    return [standing for _, standing in standings(letters, sent)]


def test_what_died_is_open() -> None:
    assert stand(letter(0), letter(1, of=1), letter(2, of=None)) == [Standing.OPEN] * 3
    assert Standing.OPEN.open


def test_what_a_newer_release_wrote_is_open_and_left_to_it() -> None:
    assert stand(replace(letter(0), newer=True)) == [Standing.NEWER]
    assert Standing.NEWER.open


def test_what_is_no_event_is_open_for_as_long_as_it_lies_there() -> None:
    assert stand(letter(0, of=None, value=b"\xff")) == [Standing.NO_EVENT]
    assert Standing.NO_EVENT.open


def test_of_a_record_that_died_twice_the_later_letter_is_open() -> None:
    """A worker that was killed in between publishes again; both are of one record."""
    garbage = [letter(offset, value=b"\xff") for offset in range(2)]

    assert stand(letter(0), letter(1)) == [Standing.REPLACED, Standing.OPEN]
    assert stand(*garbage) == [Standing.REPLACED, Standing.NO_EVENT]
    assert not Standing.REPLACED.open


def test_one_that_was_redriven_is_left_until_it_dies_again() -> None:
    once = frozenset({(Source(TOPIC, 3, 0), 1)})

    assert stand(letter(0), sent=once) == [Standing.REDRIVEN]
    assert not Standing.REDRIVEN.open
    assert stand(letter(0), letter(1, redriven=1), sent=once) == [Standing.REPLACED, Standing.OPEN]


def test_the_letter_of_the_latest_death_counts_in_whatever_order_the_partitions_are_read() -> None:
    """Those of a record without a key may lie in several."""
    once = frozenset({(Source(TOPIC, 3, 0), 1)})

    assert stand(letter(0, redriven=1), letter(1), sent=once) == [Standing.OPEN, Standing.REPLACED]


def places(letters: list[Letter]) -> list[int]:
    return [each.offset for each in letters]


def test_they_are_redriven_as_they_lie() -> None:
    turn = in_turn([letter(0, of=5), letter(1, of=4, value=body("i-2")), letter(2, of=6)])

    assert places(turn) == [0, 1, 2]


def test_those_of_one_interaction_are_redriven_in_the_order_of_their_records() -> None:
    """One that was put off dies after a later one that failed at once."""
    other = letter(1, of=1, value=body("i-2"))

    assert places(in_turn([letter(0, of=5), other, letter(2, of=4)])) == [2, 1, 0]


def test_letters_of_several_partitions_are_in_the_order_in_which_they_died() -> None:
    undated = replace(letter(5), failed_at=None)
    first = replace(letter(9), partition=2, failed_at=AT_MS)
    second = replace(letter(0), partition=0, failed_at=AT_MS + 1)
    third = replace(letter(1), partition=1, failed_at=AT_MS + 1)

    assert by_death([third, second, first, undated]) == [undated, first, second, third]
