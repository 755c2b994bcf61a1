"""Where a partition starts, against a log that loses its tail, its head, or its identity."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streams.worker.partitions.starting_point import Found, Notice, Start, cut_life, starting_point

TOPIC = "CAEAgmnJRc6SA5nwYXQ4cA"
OTHER = "ZZEAgmnJRc6SA5nwYXQ4cA"
NOW = 1_765_552_507_657

offsets = st.integers(0, 2**63 - 1)
lives = st.one_of(
    st.just(""),
    st.sampled_from([TOPIC, OTHER]),
    st.builds(cut_life, st.sampled_from([TOPIC, OTHER, ""]), st.integers(0, NOW)),
)
metadata = st.one_of(lives, st.text(max_size=40))
topic_ids = st.sampled_from([TOPIC, OTHER, ""])


@st.composite
def found(draw: st.DrawFn) -> Found:
    beginning, end = sorted((draw(offsets), draw(offsets)))
    return Found(draw(st.none() | offsets), draw(metadata), beginning, end)


@pytest.mark.parametrize(
    ("at", "topic_id", "start"),
    [
        (Found(None, "", 3, 9), TOPIC, Start(3, TOPIC)),
        (Found(5, TOPIC, 3, 9), TOPIC, Start(5, TOPIC)),
        (Found(9, TOPIC, 3, 9), TOPIC, Start(9, TOPIC)),
        (Found(3, TOPIC, 3, 9), TOPIC, Start(3, TOPIC)),
        (Found(5, f"{TOPIC}@7", 3, 9), TOPIC, Start(5, f"{TOPIC}@7")),
        # The log has lost its tail, or somebody set 50 where the end is 4.
        (Found(50, TOPIC, 0, 4), TOPIC, Start(0, f"{TOPIC}@{NOW}", Notice.CUT)),
        (Found(50, f"{TOPIC}@7", 0, 4), TOPIC, Start(0, f"{TOPIC}@{NOW}", Notice.CUT)),
        (Found(50, "", 0, 4), TOPIC, Start(0, f"{TOPIC}@{NOW}", Notice.CUT)),
        (Found(5, TOPIC, 0, 4), TOPIC, Start(0, f"{TOPIC}@{NOW}", Notice.CUT)),
        # Retention was faster than the worker.
        (Found(5, TOPIC, 8, 9), TOPIC, Start(8, TOPIC, Notice.DELETED)),
        (Found(5, TOPIC, 9, 9), TOPIC, Start(9, TOPIC, Notice.DELETED)),
        # Deleted and made anew, whatever the offsets look like.
        (Found(5, OTHER, 3, 9), TOPIC, Start(3, TOPIC, Notice.ANOTHER)),
        (Found(50, f"{OTHER}@7", 0, 4), TOPIC, Start(0, TOPIC, Notice.ANOTHER)),
        # Of an older release, or by hand.
        (Found(5, "", 3, 9), TOPIC, Start(5, TOPIC, Notice.UNSIGNED)),
        (Found(5, "set by jane", 3, 9), TOPIC, Start(5, TOPIC, Notice.UNSIGNED)),
        (Found(3, "", 3, 9), TOPIC, Start(3, TOPIC)),
        # The embedded broker has no ids, and an old life is kept when the id is not to be had.
        (Found(5, "", 3, 9), "", Start(5, "")),
        (Found(5, TOPIC, 3, 9), "", Start(5, TOPIC)),
        (Found(50, "", 0, 4), "", Start(0, f"@{NOW}", Notice.CUT)),
        (Found(5, "@7", 3, 9), "", Start(5, "@7")),
        (Found(50, TOPIC, 0, 4), "", Start(0, f"{TOPIC}@{NOW}", Notice.CUT)),
    ],
)
def test_where_it_starts(at: Found, topic_id: str, start: Start) -> None:
    assert starting_point(at, topic_id, NOW) == start


@given(found(), topic_ids)
def test_it_starts_within_the_log_and_never_above_what_was_committed(
    at: Found, topic_id: str
) -> None:
    start = starting_point(at, topic_id, NOW)

    assert at.beginning <= start.offset <= at.end
    assert start.offset in (at.beginning, at.committed)


@given(found(), topic_ids)
def test_an_offset_that_was_put_right_is_right(at: Found, topic_id: str) -> None:
    """Committed with its life it is not noticed again, and begins no other life."""
    start = starting_point(at, topic_id, NOW)
    again = Found(start.offset, start.life, at.beginning, at.end)

    assert starting_point(again, topic_id, NOW + 1) in (
        Start(start.offset, start.life),
        Start(start.offset, start.life, Notice.UNSIGNED),  # without a life there is no signature
    )
    if start.life:
        assert starting_point(again, topic_id, NOW + 1).notice is None


@example(Found(50, TOPIC, 0, 4), TOPIC)
@given(found(), topic_ids)
def test_what_moves_the_start_is_noticed(at: Found, topic_id: str) -> None:
    start = starting_point(at, topic_id, NOW)

    if at.committed is not None and start.offset != at.committed:
        assert start.notice in (Notice.CUT, Notice.DELETED, Notice.ANOTHER)
    if start.notice in (Notice.CUT, Notice.ANOTHER):
        assert start.life != at.metadata


@dataclass
class Log:
    """One partition at the broker: which records it holds, by a number that is never used twice."""

    topic_id: str = f"{0:022}"
    beginning: int = 0
    records: list[int] = field(default_factory=list)

    @property
    def end(self) -> int:
        return self.beginning + len(self.records)


class ALogThatIsNotKept(RuleBasedStateMachine):
    """A worker that starts, decides some records and stops, while its log is cut, emptied, made
    anew and reset. The reference: each record is known by itself, not by its offset.

    A log that has grown past the committed offset again since it was cut looks whole to every
    consumer: so here it grows after a cut only once the worker has looked.
    """

    def __init__(self) -> None:
        super().__init__()
        self.log = Log()
        self.made = 0
        self.topics = 1
        self.decided: set[int] = set()
        self.committed: tuple[int, str] | None = None
        self.by_life: dict[tuple[str, int], int] = {}
        self.unseen_cut = False
        self.now = 1

    @precondition(lambda self: not self.unseen_cut)
    @rule(count=st.integers(1, 5))
    def write(self, count: int) -> None:
        for _ in range(count):
            self.log.records.append(self.made)
            self.made += 1

    @rule(count=st.integers(1, 5))
    def lose_the_tail(self, count: int) -> None:
        kept = max(0, len(self.log.records) - count)
        self.unseen_cut = True
        del self.log.records[kept:]

    @rule(count=st.integers(1, 5))
    def delete_by_retention(self, count: int) -> None:
        count = min(count, len(self.log.records))
        del self.log.records[:count]
        self.log.beginning += count

    @rule(count=st.integers(0, 8))
    def make_anew(self, count: int) -> None:
        """With records in it already: it may look just like the one before."""
        self.log = Log(f"{self.topics:022}")
        self.topics += 1
        self.unseen_cut = False
        for _ in range(count):
            self.log.records.append(self.made)
            self.made += 1

    @rule(count=st.integers(0, 8))
    def work(self, count: int) -> None:
        committed, metadata = self.committed or (None, "")
        at = Found(committed, metadata, self.log.beginning, self.log.end)
        self.now += 1
        start = starting_point(at, self.log.topic_id, self.now)
        self.unseen_cut = False
        offset = start.offset
        while offset < self.log.end and offset < start.offset + count:
            record = self.log.records[offset - self.log.beginning]
            # Within one life an offset is one record: what a redelivery is judged by.
            assert self.by_life.setdefault((start.life, offset), record) == record
            self.decided.add(record)
            offset += 1
        self.committed = (offset, start.life)
        passed = self.log.records[: offset - self.log.beginning]
        assert self.decided.issuperset(passed), "a record was passed over that nobody decided"

    @invariant()
    def offsets_stay_in_the_log_once_looked_at(self) -> None:
        assert self.log.beginning <= self.log.end


TestALogThatIsNotKept: Any = ALogThatIsNotKept.TestCase


@given(st.binary(min_size=16, max_size=16), st.booleans(), st.none() | st.integers(0, NOW))
def test_whatever_a_topics_id_is_its_offsets_are_ours(
    raw: bytes, url_safe: bool, cut_at: int | None
) -> None:
    """librdkafka writes ids with + and /: every other topic's offsets passed for set by hand."""
    encode = base64.urlsafe_b64encode if url_safe else base64.b64encode
    topic_id = encode(raw).decode().rstrip("=")
    life = topic_id if cut_at is None else cut_life(topic_id, cut_at)
    assert starting_point(Found(5, life, 3, 9), topic_id, NOW) == Start(5, life)
