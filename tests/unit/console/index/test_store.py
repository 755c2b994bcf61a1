"""The index is the same whatever the order of the partitions, however often it is closed, and
whatever the disk has lost: held against a model in plain dicts."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.console.index.counts import Bucket
from streams.console.index.entries import decode_row
from streams.console.index.figures import SPANS, figures
from streams.console.index.interaction import found_in
from streams.console.index.keys import ALIAS, BY_ID, LIST, Topic, list_prefix
from streams.console.index.raw import RawRecord
from streams.console.index.search import Query, find, interactions_like
from streams.console.index.store import Index, Origin
from streams.console.index.waiting import deferred
from streams.core.records import Decision, Reason
from streams.errors import ConsoleError
from streams.kafka.settings import TopicNames
from tests.support.console_desk import opened
from tests.support.planted import Field, plant_cases, plant_waiting

NOW_MS = 1_767_600_000_000

DECIDED = (
    (Decision.PATCHED, Reason.ELIGIBLE),
    (Decision.INELIGIBLE, Reason.TOO_SHORT),
    (Decision.DEFERRED, Reason.TIMEOUT),
    (Decision.FAILED, Reason.FORBIDDEN),
)

calls = st.lists(
    st.tuples(st.sampled_from("abcde"), st.sampled_from(DECIDED), st.integers(1, 3_000)),
    min_size=1,
    max_size=30,
)


def grown(made: Sequence[tuple[str, tuple[Decision, Reason], int]]) -> Field:
    """Each is an event and its outcome."""
    land = Field(NOW_MS)
    for nth, (name, decided, ago) in enumerate(made):
        land.outcome(name, nth, land.event(name, nth, "completed", ago), decided, ago)
    return land


def logs(land: Field) -> dict[tuple[Topic, int], list[RawRecord]]:
    found: dict[tuple[Topic, int], list[RawRecord]] = {}
    for topic, record in land.records:
        found.setdefault((topic, record.partition), []).append(record)
    return found


def says(index: Index) -> object:
    """All that a page may ask of it."""
    lists = [find(index, Query(decision), 100).places for decision, _ in DECIDED]
    whole = figures(index, SPANS["week"], NOW_MS).whole
    found = [found_in(index, name, 4) for name in "abcde"]
    waits = [each.outcome_id for each in deferred(index).outcomes]
    return lists, whole.decided, sorted(whole.took.items()), found, waits


@given(calls, st.randoms(use_true_random=False), st.integers(1, 5))
def test_order_of_partitions_and_restarts_change_nothing(
    made: list[tuple[str, tuple[Decision, Reason], int]], chance: Random, at_once: int
) -> None:
    land = grown(made)
    with tempfile.TemporaryDirectory() as home:
        straight = opened(Path(home) / "straight")
        land.into(straight)
        left = logs(land)
        index = opened(Path(home) / "index")
        while left:
            at = chance.choice(sorted(left))
            some, left[at] = left[at][:at_once], left[at][at_once:]
            index.apply(some, *at, some[-1].offset + 1)
            if not left[at]:
                del left[at]
            if chance.random() < 0.2:
                index.close()
                index = opened(Path(home) / "index")
        assert says(index) == says(straight)
        assert index.positions() == straight.positions()
        index.close()
        straight.close()


@given(calls)
def test_it_finds_what_a_dict_would(made: list[tuple[str, tuple[Decision, Reason], int]]) -> None:
    land = grown(made)
    with tempfile.TemporaryDirectory() as home:
        index = opened(Path(home) / "index")
        land.into(index)
        for decided in DECIDED:
            wanted = sorted(ago for _, each, ago in made if each == decided)
            key = list_prefix(f"o:r:{decided[1]}")
            rows = [decode_row(value) for found, value in index.scan(key)]
            assert [each.decision for each in rows] == [decided[0]] * len(wanted)
            since = NOW_MS - 1_500 * 1_000
            recent = find(index, Query(reason=decided[1], since=since), 100).places
            assert len(recent) == sum(ago <= 1_500 for ago in wanted)
        for name in "abcde":
            own = [each for each in made if each[0] == name]
            found = found_in(index, name, 4)
            assert (len(found.events), len(found.outcomes)) == (len(own), len(own))
        assert interactions_like(index, "", 10) == sorted({name for name, _, _ in made})
        index.close()


@given(calls, st.integers(0, 2**32))
def test_a_disk_that_lost_or_changed_bytes_is_noticed_or_the_same(
    made: list[tuple[str, tuple[Decision, Reason], int]], seed: int
) -> None:
    """It begins anew, or ends before the loss: never with an answer that is wrong."""
    land, chance = grown(made), Random(seed)
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "index"
        index = opened(path)
        land.into(index, at_once=3)
        whole = says(index)
        index.close()
        file = chance.choice(sorted(each for each in path.rglob("*") if each.is_file()))
        content = bytearray(file.read_bytes())
        if chance.random() < 0.3:
            file.unlink()
        elif content:
            content[chance.randrange(len(content))] ^= 0xFF
            file.write_bytes(content[: chance.randrange(len(content)) or None])
        try:
            index = opened(path)
            known = index.positions()
        except ConsoleError:
            shutil.rmtree(path)
            index, known = opened(path), {}
        for (topic, partition), records in logs(land).items():
            rest = [each for each in records if each.offset >= known.get((topic, partition), 0)]
            if rest:
                index.apply(rest, topic, partition, rest[-1].offset + 1)
        assert says(index) == whole
        index.close()


def test_what_kafka_has_deleted_leaves_nothing_behind(index: Index, land: Field) -> None:
    plant_cases(land)
    land.into(index)
    for (topic, partition), records in logs(land).items():
        gone = index.forget(topic, partition, records[-1].offset + 1)
        assert gone == len(records)
    assert [key for each in (BY_ID, ALIAS, LIST) for key, _ in index.scan(each)] == []
    assert index.positions() != {}


def test_what_is_kept_stays_beside_what_is_deleted(index: Index, land: Field) -> None:
    first = land.event("one", 1, "alerting", 20)
    land.event("one", 2, "completed", 10)
    land.into(index)
    assert index.forget(Topic.EVENTS, first.partition, first.offset + 1) == 1
    assert [each.place.offset for each in found_in(index, "one", 4).events] == [1]


def test_a_record_waits_until_it_is_decided(index: Index, land: Field) -> None:
    name = plant_waiting(land)
    land.into(index)
    (waiting,) = deferred(index).outcomes
    assert waiting.interaction_id == name
    land.outcome(name, 2, waiting.source, (Decision.PATCHED, Reason.ELIGIBLE), 5)
    topic, last = land.records[-1]
    index.apply([last], topic, last.partition, last.offset + 1)
    assert deferred(index).outcomes == []


@pytest.mark.parametrize(
    "other", [Origin("another", {}), Origin("a cluster", {"t": "1"}), Origin("a cluster", {}, 9)]
)
def test_an_index_of_something_else_is_begun_anew(
    tmp_path: Path, land: Field, other: Origin
) -> None:
    index = opened(tmp_path / "index")
    plant_cases(land)
    land.into(index)
    index.close()
    again = opened(tmp_path / "index")
    assert again.positions() != {}
    again.close()
    fresh = Index(tmp_path / "index", TopicNames("genesys.interaction."), other)
    assert fresh.positions() == {}
    fresh.close()


def test_two_consoles_do_not_share_a_directory(tmp_path: Path) -> None:
    index = opened(tmp_path / "index")
    with pytest.raises(ConsoleError, match="DATA_DIR: the index in"):
        opened(tmp_path / "index")
    index.close()


def test_minutes_that_are_shown_no_more_are_forgotten(index: Index, land: Field) -> None:
    plant_cases(land)
    land.into(index)
    index.forget_counts(land.now_ms + 60_000, 0)
    assert figures(index, SPANS["hour"], land.now_ms).whole == Bucket()
    assert figures(index, SPANS["week"], land.now_ms).whole != Bucket()
