"""The records of one interaction become its history, in order, each once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from streams.core.records import Decision, Reason, Source
from streams.core.sequence import Standing
from streams.operator.explain.found import EventRecord, LetterRecord, OutcomeRecord, ReturnRecord
from streams.operator.explain.history import Arrived, Decided, Died, Requested, Returns, history
from streams.operator.explain.telling import kind_of
from streams.operator.standing import Standing as LetterStanding
from streams.wire.dead_letters import Stage
from streams.wire.reading import Unreadable
from tests.unit.operator.explain.records import (
    NOON,
    call,
    event_record,
    found,
    letter_record,
    outcome,
    outcome_record,
    return_record,
)

AnyRecord = EventRecord | OutcomeRecord | ReturnRecord | LetterRecord

DEFERRED = outcome(
    0, Decision.DEFERRED, Reason.SERVER_ERROR, attempt=1, calls=(call(0, 503), call(1, 503))
)
PATCHED = outcome(
    0, Decision.PATCHED, Reason.ELIGIBLE, ms=31_000, calls=(*DEFERRED.calls, call(30_900))
)


def kinds(*records: AnyRecord) -> list[str]:
    return [kind_of(each) for each in history(found(*records))]


def test_a_record_put_off_and_patched_is_told_in_its_order() -> None:
    records = (
        event_record(0),
        outcome_record(0, DEFERRED),
        return_record(0, 0, ms=80),
        outcome_record(1, PATCHED, ms=31_010),
    )
    assert kinds(*records) == [
        *("event", "call", "call", "decision", "put-off", "call", "decision")
    ]


def test_a_clock_that_is_ahead_changes_no_order() -> None:
    """The bridge's by a minute: its event seems to come after all that came of it."""
    records = (
        event_record(0, ms=60_000),
        outcome_record(0, DEFERRED),
        return_record(0, 0, ms=-500),
        outcome_record(1, PATCHED, ms=31_010),
    )
    told = kinds(*records)
    assert told[0] == "event"
    assert told.index("put-off") > told.index("decision")
    assert told[-1] == "decision"


def test_new_duplicate_and_late_and_the_gap_before_one() -> None:
    sequences: list[int | str] = [1, 4, 4, 3, 5, "a", "a"]
    arrived = [
        each
        for each in history(
            found(*(event_record(at, number, ms=at) for at, number in enumerate(sequences)))
        )
        if isinstance(each, Arrived)
    ]
    assert [each.standing for each in arrived] == [
        Standing.NEW,
        Standing.NEW,
        Standing.DUPLICATE,
        Standing.STALE,
        Standing.NEW,
        Standing.NEW,
        Standing.DUPLICATE,
    ]
    assert [each.missing for each in arrived] == [None, (2, 3), None, None, None, None, None]
    assert [each.repeats and each.repeats.offset for each in arrived] == [
        *(None, None, 1, None, None, None, 5)
    ]


def test_the_worker_took_it_up_before_it_decided() -> None:
    arrived, *_ = history(found(event_record(0), outcome_record(0, outcome(0))))
    assert isinstance(arrived, Arrived)
    assert arrived.taken_up_at == NOON + 50 - 20


def test_an_outcome_that_is_published_again_is_told_as_such() -> None:
    decided = [
        each
        for each in history(
            found(
                event_record(0),
                outcome_record(0, PATCHED),
                outcome_record(1, PATCHED, ms=90_000),
            )
        )
        if isinstance(each, Decided)
    ]
    assert [each.again for each in decided] == [False, True]


def test_a_redrive_and_a_replay_are_told_apart() -> None:
    failed = outcome(0, Decision.FAILED, Reason.FORBIDDEN)
    redriven = outcome(0, Decision.PATCHED, Reason.ELIGIBLE, ms=6_000, redriven=1)
    records = (
        event_record(0),
        outcome_record(0, failed),
        letter_record(0, 0),
        return_record(0, 0, attempt=0, redriven=1, reason="forbidden", ms=5_000),
        outcome_record(1, redriven),
        return_record(1, 0, attempt=0, redriven=2, reason="replay", ms=90_000),
    )
    assert kinds(*records) == [
        *("event", "decision", "dead-letter", "redrive", "decision", "replay")
    ]
    (died,) = [each for each in history(found(*records)) if isinstance(each, Died)]
    assert not died.refused


def test_what_the_bridge_refused_is_no_dead_letter_of_the_worker() -> None:
    records = (letter_record(0, stage=Stage.BRIDGE, reason="malformed-event"), letter_record(1, 4))
    assert sorted(kinds(*records)) == ["dead-letter", "refused"]


def test_a_letter_says_what_has_become_of_it() -> None:
    body = (
        b'{"detail-type":"purecloud:v2:interaction:update","detail":'
        b'{"interactionId":"call-17","sequenceId":1}}'
    )
    first = letter_record(0, 0, value=body)
    open_ = history(found(first))[0]
    redriven = history(found(first, return_record(0, 0, attempt=0, redriven=1)))
    (died,) = [each for each in redriven if isinstance(each, Died)]
    assert isinstance(open_, Died)
    assert (open_.standing, died.standing) == (LetterStanding.OPEN, LetterStanding.REDRIVEN)


def test_what_can_not_be_read_is_told_too() -> None:
    unreadable = Unreadable("not JSON")
    records = (
        event_record(0, event=unreadable),
        OutcomeRecord(Source("shop.outcomes", 1, 0), NOON, None, unreadable),
        ReturnRecord(Source("shop.retries", 3, 0), NOON, None, None, ""),
    )
    assert kinds(*records) == ["unreadable"] * 3


MS = st.integers(-100_000, 100_000)
OFFSETS = st.integers(0, 3)


@st.composite
def any_records(draw: st.DrawFn) -> list[AnyRecord]:
    """Any of them, of any times, about each other or about what is gone."""
    records: list[AnyRecord] = [
        event_record(offset, draw(st.integers(0, 4)), ms=draw(MS))
        for offset in sorted(draw(st.sets(OFFSETS)))
    ]
    for offset in range(draw(st.integers(0, 4))):
        final = draw(st.booleans())
        made = outcome(
            draw(OFFSETS),
            *(
                (Decision.PATCHED, Reason.ELIGIBLE)
                if final
                else (Decision.DEFERRED, Reason.TIMEOUT)
            ),
            ms=draw(MS),
            attempt=None if final else draw(st.integers(1, 3)),
            calls=tuple(call(number) for number in range(draw(st.integers(0, 3)))),
        )
        records.append(outcome_record(offset, made, ms=draw(MS)))
    for offset in range(draw(st.integers(0, 4))):
        attempt, redriven = draw(st.integers(0, 3)), draw(st.integers(0, 2))
        records.append(
            return_record(offset, draw(OFFSETS), attempt=attempt, redriven=redriven, ms=draw(MS))
        )
    for offset in range(draw(st.integers(0, 3))):
        records.append(letter_record(offset, draw(st.none() | OFFSETS), ms=draw(MS)))
    return records


@given(any_records())
def test_every_record_is_told_once_and_each_partition_in_its_order(
    records: Sequence[AnyRecord],
) -> None:
    told = history(found(*records))
    places = [each.record.place for each in told if not isinstance(each, Requested)]
    by_topic: dict[str, list[int]] = {}
    for place in places:
        by_topic.setdefault(place.topic, []).append(place.offset)

    assert sorted(places, key=str) == sorted((each.place for each in records), key=str)
    for offsets in by_topic.values():
        assert all(before < after for before, after in pairwise(offsets))


@given(any_records())
def test_nothing_is_told_before_its_event(records: Sequence[AnyRecord]) -> None:
    told = history(found(*records))
    arrived = {each.record.place: at for at, each in enumerate(told) if isinstance(each, Arrived)}
    for at, each in enumerate(told):
        match each:
            case Returns(record=ReturnRecord(returned=returned)) if returned is not None:
                assert arrived.get(returned.source, -1) < at
            case Decided(record=record) if not isinstance(record.outcome, Unreadable):
                assert arrived.get(record.outcome.source, -1) < at
