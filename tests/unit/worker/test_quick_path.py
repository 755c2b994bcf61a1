"""Which records the quick path takes, and that they end as they would in their lane."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.decision import MOST_UNPUBLISHED
from streams.core.records import Decision, Reason
from streams.errors import StoreError
from streams.wire.outcomes import Outcome, encode_outcome
from streams.worker import outcomes as outcomes_module
from streams.worker.dead_letter_limit import FEWEST_DEAD, DeadLetterLimit
from streams.worker.metrics import WorkerMetrics
from tests.support.incarnation import Worker, samples
from tests.support.world import EVENTS, Sent, World, event

CONNECTED = {"interactionType": "voice", "state": "connected"}


async def taken(worker: Worker, value: bytes, offset: int) -> bool:
    """Whether the quick path takes it; then it is finished."""
    record = worker.take_up(value, offset)
    if not worker.quick_path.take(record):
        return False
    await asyncio.wait_for(worker.commits.released(record.lane), 20)
    return True


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (event(**CONNECTED), Reason.NOT_COMPLETED),
        (event(interactionType="chat", state="completed"), Reason.NON_VOICE),
    ],
)
async def test_what_event_and_table_decide_is_taken(value: bytes, reason: Reason) -> None:
    world = World()
    worker = Worker(world)

    assert await taken(worker, value, 4)

    (outcome,) = world.outcomes
    assert (outcome.decision, outcome.reason) == (Decision.INELIGIBLE, reason)
    assert world.journal == [
        "verdict leaves",
        "verdict acknowledged",
        "outcome leaves",
        "outcome acknowledged",
        "finished 4",
    ]


@pytest.mark.parametrize("value", [event(), b"no event"], ids=["needs a call", "no event"])
async def test_what_needs_more_is_left_as_it_is(value: bytes) -> None:
    world = World()
    worker = Worker(world)
    before = samples(worker.metrics)

    assert not await taken(worker, value, 4)

    assert world.journal == []
    assert samples(worker.metrics) == before
    assert not worker.frontier.owes(0), "it is not begun"


async def test_what_comes_back_is_left_to_its_lane() -> None:
    world = World()
    worker = Worker(world)
    headers = [
        ("retry.source.topic", EVENTS.topic.encode()),
        ("retry.source.partition", b"%d" % EVENTS.partition),
        ("retry.source.offset", b"3"),
        ("retry.attempt", b"1"),
        ("retry.not-before", b"1"),
    ]
    sent = Sent("retries", b"i-1", event(**CONNECTED), headers)

    assert not worker.quick_path.take(worker.returned(sent, 0))


async def test_a_sequence_that_opens_a_gap_is_counted_once() -> None:
    world = World()
    worker = Worker(world)
    for offset, sequence in enumerate((1, 5)):
        assert await taken(worker, event(sequence, **CONNECTED), offset)

    name = "genesys_streams_sequence_gaps_total"
    assert samples(worker.metrics)[name] == samples(await in_lanes((1, 5)))[name]


async def in_lanes(sequences: tuple[int, ...]) -> WorkerMetrics:
    worker = Worker(World())
    for offset, sequence in enumerate(sequences):
        await worker.process(event(sequence, **CONNECTED), offset)
    return worker.metrics


async def test_the_next_of_the_interaction_sees_what_is_in_a_group() -> None:
    """Nothing of it is in the table yet."""
    world = World()
    worker = Worker(world)
    for offset, sequence in enumerate((5, 5, 3)):
        assert worker.quick_path.take(worker.take_up(event(sequence, **CONNECTED), offset))
    assert world.records == {}

    await asyncio.wait_for(worker.commits.released((EVENTS.partition, "i-1")), 20)

    assert [outcome.decision for outcome in world.outcomes] == [
        Decision.INELIGIBLE,
        Decision.DUPLICATE,
        Decision.STALE,
    ]
    assert world.count("verdict leaves") == 1


async def test_too_many_that_are_not_published_make_the_next_wait_in_its_lane() -> None:
    """The interaction's record is written whole: it must fit into one Kafka record."""
    world = World()
    worker = Worker(world)
    records = [
        worker.take_up(event(number, **CONNECTED), number) for number in range(MOST_UNPUBLISHED + 3)
    ]
    took = [worker.quick_path.take(record) for record in records]

    assert took == [True] * (MOST_UNPUBLISHED + 1) + [False] * 2
    await asyncio.wait_for(worker.commits.released(records[-1].lane), 20)
    assert len(world.record.unpublished) == MOST_UNPUBLISHED
    await worker.processor.process(records[-2])
    assert world.record.unpublished == ()
    assert worker.quick_path.take(records[-1])


@pytest.mark.parametrize("published", [False, True])
async def test_a_record_that_comes_again_is_published_again_or_not_at_all(published: bool) -> None:
    world = World()
    first = Worker(world)
    offsets = (3, 4)
    for offset in offsets:
        assert await taken(first, event(offset, **CONNECTED), offset)
    again = Worker(world, committed=3)

    for offset in offsets if published else offsets[1:]:
        assert await taken(again, event(offset, **CONNECTED), offset)

    assert [outcome.source.offset for outcome in world.outcomes] == [3, 4, 4]
    assert world.outcomes[1].decided_at == world.outcomes[2].decided_at
    assert again.frontier.unfinished == 0
    assert world.count("verdict leaves") == 2, "the table has them"
    repeated = samples(again.metrics).get("genesys_streams_repeated_records_total", 0)
    assert repeated == published


async def test_one_that_failed_comes_again_in_its_lane() -> None:
    """Its dead letter has to be published with it."""
    world = World()
    await Worker(world).process(event(**CONNECTED), 4)
    verdict = world.record.verdict
    assert verdict is not None
    failed = msgspec.structs.replace(verdict, decision=Decision.FAILED)
    world.records["i-1"] = msgspec.structs.replace(world.record, verdict=failed)

    assert not await taken(Worker(world, committed=4), event(**CONNECTED), 4)


async def test_one_that_was_asked_about_counts_for_the_limit_when_it_comes_again() -> None:
    counted: list[str | None] = []

    class Counting(DeadLetterLimit):
        def count(self, reason: str | None, now: float) -> None:
            counted.append(reason)

    limit = Counting(0.5)
    world = World()
    await Worker(world).process(event(), 4)
    assert await taken(Worker(world, committed=4, dead_letter_limit=limit), event(), 4)

    assert counted == [None]


async def test_a_fault_of_ours_is_left_to_its_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    worker = Worker(world)
    before = samples(worker.metrics)

    def fail(_: object) -> bytes:
        raise ZeroDivisionError

    monkeypatch.setattr(outcomes_module, "encode_record", fail)

    assert not await taken(worker, event(**CONNECTED), 4)
    assert world.journal == []
    assert samples(worker.metrics) == before
    assert not worker.frontier.owes(0)


async def test_an_outcome_that_cannot_be_made_is_one_records_dead_letter_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those of its group are published as ever, and in their order."""
    world = World()
    worker = Worker(world)
    monkeypatch.setattr(outcomes_module, "encode_outcome", not_of("event-1"))
    for offset in range(4):
        assert worker.quick_path.take(worker.take_up(event(offset, **CONNECTED), offset))
    await worker.process(event(4, **CONNECTED), 4)

    assert [(outcome.source.offset, outcome.reason) for outcome in world.outcomes] == [
        (offset, Reason.INTERNAL_ERROR if offset == 1 else Reason.NOT_COMPLETED)
        for offset in range(5)
    ]
    assert [letter.value for letter in world.dead_letters] == [event(1, **CONNECTED)]
    assert worker.frontier.unfinished == 0
    assert worker.failures == []
    assert samples(worker.metrics)["genesys_streams_records_total"] == 5
    assert worker.quick_path.take(worker.take_up(event(5, **CONNECTED), 5)), "and so it goes on"
    await asyncio.wait_for(worker.commits.released((EVENTS.partition, "i-1")), 20)
    assert world.outcomes[-1].source.offset == 5


async def test_outcomes_that_cannot_be_made_count_for_the_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limit = DeadLetterLimit(0.5)
    worker = Worker(World(), dead_letter_limit=limit)
    bad = [f"event-{number}" for number in range(FEWEST_DEAD)]
    monkeypatch.setattr(outcomes_module, "encode_outcome", not_of(*bad))

    for offset in range(FEWEST_DEAD):
        assert limit.passed is None
        assert await taken(worker, event(offset, **CONNECTED), offset)

    assert limit.passed is not None


def not_of(*event_ids: str) -> Callable[[Outcome], bytes]:
    """Encodes the outcomes of all other events."""

    def encode(outcome: Outcome) -> bytes:
        if outcome.event_id in event_ids:
            raise ZeroDivisionError
        return encode_outcome(outcome)

    return encode


async def test_a_disk_that_fails_ends_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker(World())

    def fail(*_: object) -> None:
        raise StoreError("no space left")

    monkeypatch.setattr(worker.table, "get", fail)

    with pytest.raises(StoreError):
        await taken(worker, event(**CONNECTED), 4)


@given(
    st.lists(
        st.tuples(
            st.integers(1, 6),
            st.sampled_from(["connected", "completed"]),
            st.sampled_from(["voice", "voice", "chat"]),
        ),
        max_size=12,
    )
)
def test_whatever_it_takes_ends_as_in_its_lane(drawn: list[tuple[int, str, str]]) -> None:
    """Also in the table: but for what was not published when it was decided."""

    async def run(world: World, *, quick: bool) -> None:
        worker = Worker(world)
        for offset, (sequence, state, kind) in enumerate(drawn):
            value = event(sequence, interactionType=kind, state=state)
            record = worker.take_up(value, offset)
            if quick and worker.quick_path.take(record):
                await asyncio.wait_for(worker.commits.released(record.lane), 20)
            else:
                await worker.processor.process(record)
            assert worker.frontier.committable == offset + 1

    both = World(), World()
    for world, quick in zip(both, (True, False), strict=True):
        asyncio.run(run(world, quick=quick))

    by_quick, by_lane = (
        [msgspec.structs.replace(each, trace_id=None) for each in world.outcomes] for world in both
    )
    assert by_quick == by_lane
    assert both[0].records == both[1].records
