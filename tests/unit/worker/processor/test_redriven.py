"""Records that have failed and are redriven: decided anew, once each time, their doubt kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from streams.core.decision import MOST_REMEMBERED
from streams.core.deferral import MOST_WAITING
from streams.core.records import Decision, PutOff, Reason, Source, encode_record
from streams.core.retry_policy import DeferralPolicy
from streams.errors import Forbidden, ServerError
from streams.wire.outcomes import outcome_id
from streams.wire.retries import retry_headers
from tests.support.world import (
    EVENTS,
    RETRIES,
    Sent,
    Worker,
    World,
    event,
    lost_once_applied,
    raising,
    unreachable,
)


def redriven_copy(offset: int, *, redriven: int = 1) -> Sent:
    """What `dead-letters redrive` puts into ``retries`` for a record."""
    source = Source(EVENTS.topic, EVENTS.partition, offset)
    headers = retry_headers(source, PutOff(0, 0), "forbidden", redriven=redriven)
    return Sent(RETRIES.topic, b"i-1", event(), headers)


async def test_a_dead_record_that_is_redriven_is_decided_anew() -> None:
    world = World()
    world.fetches.append(raising(Forbidden("no scope", status=403)))
    worker = Worker(world)
    await worker.process(event(), offset=6)

    await worker.resume(redriven_copy(6))

    failed, patched = world.outcomes
    assert (failed.decision, patched.decision) == (Decision.FAILED, Decision.PATCHED)
    source = Source(EVENTS.topic, EVENTS.partition, 6)
    assert (failed.outcome_id, patched.outcome_id) == (
        outcome_id(source),
        outcome_id(source, redriven=1),
    )
    assert patched.source == source


async def test_redriven_twice_it_is_decided_once() -> None:
    world = World()
    world.fetches.append(raising(Forbidden("no scope", status=403)))
    worker = Worker(world)
    await worker.process(event(), offset=6)
    await worker.resume(redriven_copy(6), 0)
    before = len(world.outcomes)

    await worker.resume(redriven_copy(6), 1)

    assert len(world.outcomes) == before
    assert world.applied == 1


async def test_what_dies_again_says_how_often_it_was_redriven() -> None:
    world = World()
    world.fetches.extend([raising(Forbidden("no scope", status=403))] * 3)
    worker = Worker(world)
    await worker.process(event(), offset=6)
    await worker.resume(redriven_copy(6), 0)

    await worker.resume(redriven_copy(6, redriven=2), 1)

    counts = [letter.named.get("dlq.redriven") for letter in world.dead_letters]
    assert counts == [None, "1", "2"]
    assert len({outcome.outcome_id for outcome in world.outcomes}) == 3


async def test_what_was_redriven_may_be_put_off_as_any_other() -> None:
    world = World()
    world.fetches.extend([raising(Forbidden("no", status=403)), unreachable])
    worker = Worker(world)
    await worker.process(event(), offset=6)
    await worker.resume(redriven_copy(6), 0)
    (put_off,) = world.put_off
    assert put_off.named["retry.redriven"] == "1"
    assert put_off.named["retry.attempt"] == "1"

    await worker.resume(put_off, 1)

    assert world.outcomes[-1].decision is Decision.PATCHED
    source = Source(EVENTS.topic, EVENTS.partition, 6)
    assert world.outcomes[-1].outcome_id == outcome_id(source, redriven=1)


@pytest.mark.parametrize("look", [unreachable, raising(Forbidden("403", status=403))])
@pytest.mark.parametrize("then", ["it is redriven", "a newer event comes"])
async def test_who_dies_in_doubt_leaves_it_to_whoever_looks_next(
    look: Callable[[World], None], then: str
) -> None:
    world = World()
    world.patches.append(lost_once_applied)
    world.fetches.extend([lambda _: None, look])
    worker = Worker(world, deferrals=DeferralPolicy(limit=0))
    await worker.process(event(1), offset=6)
    assert world.outcomes[0].decision is Decision.FAILED

    if then == "it is redriven":
        await worker.resume(redriven_copy(6))
    else:
        await worker.process(event(2), offset=7)

    outcome = world.outcomes[1]
    assert (outcome.decision, outcome.recovered) == (Decision.PATCHED, True)
    assert (world.applied, world.record.intent) == (1, None)


async def test_of_one_interaction_no_more_are_put_off_than_its_record_can_hold() -> None:
    """A record that Kafka does not take would stop its partition for good."""
    world = World()
    worker = Worker(world)
    long = ServerError("GET interaction i-1: 503 " + 400 * "x", status=503, code="internal.error")
    world.fetches.extend([raising(long)] * 1000)
    for number in range(300):
        await worker.process(event(number), offset=number)

    decisions = Counter(each.decision for each in world.outcomes)
    assert decisions == {Decision.DEFERRED: MOST_WAITING, Decision.FAILED: 300 - MOST_WAITING}
    last = world.outcomes[-1]
    assert last.reason is Reason.RETRIES_EXHAUSTED
    assert last.error is not None
    assert last.error.message.startswith(f"{MOST_WAITING} records of this interaction")
    assert len(world.dead_letters) == 300 - MOST_WAITING

    world.fetches.clear()
    for offset, sent in enumerate(list(world.put_off)):
        await worker.resume(sent, offset)
    for times in range(3):
        for number in range(MOST_WAITING, 300):
            await worker.resume(redriven_copy(number, redriven=times + 1), worker.retries.expected)
    assert len(world.record.deferred) == MOST_REMEMBERED
    assert len(encode_record(world.record)) < 256 * 1024
    assert world.applied == 1
    assert sorted({each.source.offset for each in world.outcomes if each.final}) == list(range(300))
