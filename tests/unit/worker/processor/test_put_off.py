"""Records that can not be decided now: put off, and decided when they come back."""

from __future__ import annotations

from typing import Any

import msgspec

from streams.core.records import Decision, Intent, Reason, Source
from streams.core.retry_policy import DeferralPolicy
from streams.errors import EnvelopeError, ServerError
from streams.wire.outcomes import outcome_id
from tests.support.incarnation import Worker, samples
from tests.support.world import (
    CODE,
    EVENTS,
    RETRIES,
    World,
    arrives_late,
    event,
    lost_once_applied,
    raising,
    unreachable,
)


async def put_off_once(world: World, *, fails: int = 1, **options: Any) -> Worker:
    """A worker whose first record could not be looked up."""
    world.fetches.extend([raising(ServerError("503", status=503))] * fails)
    worker = Worker(world, **options)
    await worker.process(event(), offset=6)
    return worker


async def test_a_record_that_can_not_be_looked_up_is_put_off() -> None:
    world = World()

    worker = await put_off_once(world)

    assert world.journal == [
        "GET leaves",
        "verdict leaves",
        "verdict acknowledged",
        "outcome leaves",
        "outcome acknowledged",
        "put off leaves",
        "put off acknowledged",
        "finished 6",
    ]
    (outcome,) = world.outcomes
    assert (outcome.decision, outcome.reason) == (Decision.DEFERRED, Reason.SERVER_ERROR)
    assert not outcome.final
    assert outcome.outcome_id == outcome_id(Source(EVENTS.topic, EVENTS.partition, 6), 1)
    (sent,) = world.put_off
    assert (sent.key, sent.value) == (b"i-1", event())
    not_before = int(sent.named.pop("retry.not-before")) / 1000 - world.clock.time()
    assert 15 <= not_before <= 30
    assert (
        sent.named.items()
        >= {
            "retry.attempt": "1",
            "retry.reason": "server-error",
            "retry.source.topic": EVENTS.topic,
            "retry.source.partition": "3",
            "retry.source.offset": "6",
        }.items()
    )
    assert samples(worker.metrics)["genesys_streams_deferred_records_total"] == 1


async def test_a_record_put_off_is_decided_when_it_comes_back() -> None:
    world = World()
    worker = await put_off_once(world)

    await worker.resume(world.put_off[0])

    outcome = world.outcomes[-1]
    assert (outcome.decision, outcome.final) == (Decision.PATCHED, True)
    assert outcome.outcome_id == outcome_id(Source(EVENTS.topic, EVENTS.partition, 6))
    assert outcome.source == Source(EVENTS.topic, EVENTS.partition, 6)
    assert outcome.api_calls == 3
    # Those before it was put off are told with the deferral, and again with the final outcome.
    assert [each.method for each in world.outcomes[0].calls] == ["GET"]
    assert [each.method for each in outcome.calls] == ["GET", "GET", "PATCH"]
    assert outcome.calls[:1] == world.outcomes[0].calls
    assert world.journal[-1] == "finished 0"
    assert not world.record.waits


async def test_put_off_too_often_it_has_failed() -> None:
    world = World()
    worker = await put_off_once(world, fails=3, deferrals=DeferralPolicy(limit=2))

    for offset in range(2):
        await worker.resume(world.put_off[offset], offset)

    assert [outcome.decision for outcome in world.outcomes] == [
        Decision.DEFERRED,
        Decision.DEFERRED,
        Decision.FAILED,
    ]
    assert world.outcomes[-1].reason is Reason.RETRIES_EXHAUSTED
    (letter,) = world.dead_letters
    assert (letter.key, letter.value) == (b"i-1", event())
    assert letter.named["dlq.stage"] == "retry"
    assert letter.named["dlq.reason"] == "retries-exhausted"
    source = [letter.named[f"dlq.source.{part}"] for part in ("topic", "partition", "offset")]
    assert source == [EVENTS.topic, "3", "6"]


async def test_a_newer_event_may_make_it_pointless() -> None:
    world = World()
    worker = await put_off_once(world)
    await worker.process(event(2), offset=7)

    await worker.resume(world.put_off[0])

    decided = [(outcome.source.offset, outcome.decision) for outcome in world.outcomes]
    assert decided == [(6, Decision.DEFERRED), (7, Decision.PATCHED), (6, Decision.INELIGIBLE)]
    assert world.outcomes[-1].reason is Reason.DISPOSITION_SET
    assert world.applied == 1


async def test_a_newer_event_that_finds_our_code_leaves_the_truth_to_its_record() -> None:
    world = World()
    world.patches.append(lost_once_applied)
    world.fetches.extend([lambda _: None, raising(ServerError("503", status=503))])
    worker = Worker(world)
    await worker.process(event(), offset=6)
    assert world.record.intent == Intent(6, CODE)
    await worker.process(event(2), offset=7)

    await worker.resume(world.put_off[0])

    decided = [(outcome.source.offset, outcome.decision) for outcome in world.outcomes]
    assert decided == [(6, Decision.DEFERRED), (7, Decision.INELIGIBLE), (6, Decision.PATCHED)]
    assert world.outcomes[-1].recovered
    assert world.applied == 1


async def test_a_newer_event_that_meets_the_late_patch_of_one_put_off_says_it_is_ours() -> None:
    """Its intent takes the place of the older one's, and so does its doubt."""
    world = World()
    world.patches.append(arrives_late)
    world.fetches.extend([lambda _: None, unreachable])
    worker = Worker(world)
    await worker.process(event(1), offset=6)
    assert world.record.intent == Intent(6, CODE)

    await worker.process(event(2), offset=7)
    await worker.resume(world.put_off[0])

    assert world.applied == 1
    assert [each.decision for each in world.outcomes] == [
        Decision.DEFERRED,
        Decision.PATCHED,
        Decision.INELIGIBLE,
    ]
    assert world.outcomes[1].recovered


async def test_a_copy_of_one_that_came_back_is_dropped() -> None:
    world = World()
    worker = await put_off_once(world, fails=2)
    first = world.put_off[0]
    await worker.resume(first, 0)
    before = len(world.outcomes)

    await worker.resume(first, 1)

    assert len(world.outcomes) == before
    assert len(world.put_off) == 2
    assert world.journal[-1] == "finished 1"


async def test_without_its_table_record_it_is_decided_all_the_same() -> None:
    world = World()
    worker = await put_off_once(world)
    world.records.clear()

    await worker.resume(world.put_off[0])

    assert world.outcomes[-1].decision is Decision.PATCHED


async def test_what_somebody_else_puts_into_retries_is_a_dead_letter_and_not_published() -> None:
    world = World()
    worker = Worker(world)
    record = msgspec.structs.replace(
        worker.take_up(b"garbage"),
        tp=RETRIES,
        source=Source(RETRIES.topic, RETRIES.partition, 0),
        event=EnvelopeError("the header retry.attempt is no number"),
    )
    worker.retries.take_up(0)

    await worker.processor.process(record)

    (letter,) = world.dead_letters
    assert letter.value == b"garbage"
    assert letter.named["dlq.stage"] == "retry"
    assert world.outcomes == []
