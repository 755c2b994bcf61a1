"""The same record again, and others of its interaction: same record, same answer (promise 6)."""

from __future__ import annotations

import msgspec

from streams.core.records import Decision, Source
from streams.wire.outcomes import outcome_id
from tests.support.world import EVENTS, TTL_SECONDS, Worker, World, event, samples


async def test_the_same_offset_again_publishes_the_same() -> None:
    world = World()
    await Worker(world).process(event(), offset=5)
    world.journal.clear()
    world.clock.now += 60
    worker = Worker(world, committed=5)

    await worker.process(event(), offset=5)

    first, again = world.outcomes
    ours = {"latency_ms": 0, "end_to_end_ms": 0, "trace_id": None}
    assert msgspec.structs.replace(again, **ours) == msgspec.structs.replace(first, **ours)
    assert first.outcome_id == outcome_id(Source(EVENTS.topic, EVENTS.partition, 5))
    assert world.journal == ["outcome leaves", "outcome acknowledged", "finished 5"]


async def test_lower_offset_is_finished_without_a_word() -> None:
    world = World()
    await Worker(world).process(event(1, state="connected", interactionType="voice"), offset=5)
    await Worker(world).process(event(2), offset=6)
    before, record = len(world.sent), world.record
    world.journal.clear()
    worker = Worker(world, committed=5)

    await worker.process(event(1, state="connected", interactionType="voice"), offset=5)

    assert world.journal == ["finished 5"]
    assert len(world.sent) == before
    assert world.record == record
    assert samples(worker.metrics)["genesys_streams_repeated_records_total"] == 1


async def test_another_record_with_the_same_sequence_is_a_duplicate() -> None:
    world = World()
    await Worker(world).process(event(), offset=5)

    await Worker(world).process(event(), offset=6)

    first, second = world.outcomes
    assert second.decision is Decision.DUPLICATE
    assert first.outcome_id != second.outcome_id
    assert world.applied == 1


async def test_an_interaction_past_its_ttl_begins_anew() -> None:
    world = World()
    await Worker(world).process(event(), offset=5)
    world.change(None)
    world.clock.now += TTL_SECONDS + 1

    await Worker(world).process(event(), offset=6)

    assert [outcome.decision for outcome in world.outcomes] == [Decision.PATCHED] * 2
    assert world.record.events == 1
