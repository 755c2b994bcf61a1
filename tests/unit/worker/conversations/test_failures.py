"""What fails: the API, a leg's code, this program, and a copy that is too large."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.conversations.conversation import Conversation
from streams.core.conversations.policy import LookPolicy
from streams.core.records import Decision, PutOff, Reason
from streams.errors import (
    ApiError,
    BadRequest,
    Forbidden,
    NotFound,
    PublishError,
    RecordTooLarge,
    ServerError,
    WrapUpClosed,
)
from streams.kafka.message import Message
from streams.kafka.publisher import Acknowledged
from streams.wire.outcomes import Outcome
from streams.wire.retries import retry_headers
from streams.worker.dead_letter_limit import FEWEST_DEAD, DeadLetterLimit
from tests.support.conversation_desk import Cloud
from tests.support.conversation_world import ConversationWorker, ConversationWorld, live
from tests.support.incarnation import RecordingPublisher
from tests.support.world import RETRIES, TOPICS, Sent
from tests.support.wrap_up_model import START, events, states
from tests.unit.worker.conversations.calls import TIMED_OUT, Log, log_of, world_of

LOG: Log = log_of(TIMED_OUT)


class Failing(Cloud):
    """GETs raise this from a time on."""

    def __init__(self, error: Exception, since: int = 0) -> None:
        super().__init__(states(TIMED_OUT))
        self.error: Exception | None = error
        self.since = START + since

    def get(self, now: int) -> Conversation:
        if self.error is not None and now >= self.since:
            raise self.error
        return super().get(now)


class Anything(Cloud):
    """Knows no conversation."""

    def get(self, now: int) -> Conversation:
        raise NotFound("404", status=404)


def refusing(error: ApiError) -> ConversationWorld:
    return ConversationWorld(cloud=Cloud(states(TIMED_OUT), patch_faults=(error,)))


def finals(world: ConversationWorld, *, of_legs: bool) -> list[Outcome]:
    return [first for first, *_ in world.finals(of_legs=of_legs).values()]


async def test_a_leg_that_takes_no_code_any_more_is_refused_and_in_no_dead_letter() -> None:
    world = refusing(WrapUpClosed("400: closed", status=400, code="call.disconnected"))
    limit = DeadLetterLimit(0.01)

    await live(ConversationWorker(world, dead_letter_limit=limit), LOG, Random(1))

    (outcome,) = finals(world, of_legs=True)
    assert (outcome.decision, outcome.reason) == (Decision.REFUSED, Reason.WRAP_UP_CLOSED)
    assert outcome.patch_status == 400
    assert outcome.error is not None
    assert not world.dead_letters


async def test_no_number_of_such_legs_stops_the_worker() -> None:
    limit = DeadLetterLimit(0.01)
    for _ in range(2 * FEWEST_DEAD):
        world = refusing(WrapUpClosed("400: closed", status=400))
        await live(ConversationWorker(world, dead_letter_limit=limit), LOG, Random(1))
    assert limit.passed is None


async def test_codes_that_are_forbidden_stop_it_although_every_event_is_noted() -> None:
    limit = DeadLetterLimit(0.5)
    for _ in range(FEWEST_DEAD):
        world = refusing(Forbidden("403", status=403))
        await live(ConversationWorker(world, dead_letter_limit=limit), LOG, Random(1))
    assert limit.passed is not None


@pytest.mark.parametrize("error", [Forbidden("403", status=403), BadRequest("no", status=400)])
async def test_a_leg_that_fails_is_in_dead_letters_and_can_be_redriven(error: ApiError) -> None:
    world = refusing(error)
    worker = ConversationWorker(world)
    await live(worker, LOG, Random(1))
    (outcome,) = finals(world, of_legs=True)
    assert outcome.decision is Decision.FAILED
    (letter,) = world.dead_letters
    assert letter.value == LOG[2][1], "the record whose look has decided, byte for byte"
    assert letter.named["dlq.reason"] == outcome.reason
    assert letter.named["dlq.source.offset"] == str(outcome.source.offset)

    names = ("topic", "partition", "offset")
    headers = [
        *((f"retry.source.{name}", letter.named[f"dlq.source.{name}"].encode()) for name in names),
        ("retry.attempt", b"0"),
        ("retry.not-before", b"0"),
        ("retry.redriven", b"1"),
    ]
    world.sent.append(Sent(TOPICS.retries, letter.key, letter.value, headers))
    await live(ConversationWorker(world, seed=8), LOG, Random(1))

    again = [each for each in finals(world, of_legs=True) if each.outcome_id != outcome.outcome_id]
    assert [each.decision for each in again] == [Decision.PATCHED]
    assert len(world.cloud.applied) == 1


async def test_a_replay_has_every_leg_decided_anew() -> None:
    world = ConversationWorld(cloud=Cloud(states(TIMED_OUT)))
    await live(ConversationWorker(world), LOG, Random(1))
    (outcome,) = finals(world, of_legs=True)
    source = outcome.source
    headers = retry_headers(source, PutOff(0, 0), "replay", redriven=1, replayed=True)
    world.sent.append(Sent(TOPICS.retries, b"", LOG[source.offset][1], headers))
    await live(ConversationWorker(world, seed=8), LOG, Random(1))

    (again,) = (
        each for each in finals(world, of_legs=True) if each.outcome_id != outcome.outcome_id
    )
    assert (outcome.decision, again.reason) == (Decision.PATCHED, Reason.WRAP_UP_SET)
    assert len(world.cloud.applied) == 1


async def test_a_look_that_fails_is_put_off_and_made_later() -> None:
    cloud = Cloud(states(TIMED_OUT), get_faults=2)
    world = ConversationWorld(cloud=cloud)

    await live(ConversationWorker(world), LOG, Random(1))

    (outcome,) = finals(world, of_legs=True)
    assert outcome.decision is Decision.PATCHED
    assert {each.decision for each in finals(world, of_legs=False)} == {Decision.NOTED}


@pytest.mark.parametrize(
    ("error", "decision", "reason"),
    [
        (Forbidden("403", status=403), Decision.FAILED, Reason.FORBIDDEN),
        (ServerError("503", status=503), Decision.FAILED, Reason.RETRIES_EXHAUSTED),
        (ZeroDivisionError("a bug"), Decision.FAILED, Reason.INTERNAL_ERROR),
        (NotFound("404", status=404), Decision.NOT_FOUND, Reason.NOT_FOUND),
    ],
)
async def test_a_look_that_can_not_be_made_is_told(
    error: Exception, decision: Decision, reason: Reason
) -> None:
    """Of the record that waits for it; those that joined it have theirs."""
    world = ConversationWorld(cloud=Failing(error))
    worker = ConversationWorker(world, looks=LookPolicy(deferrals=3))

    await live(worker, LOG, Random(1))

    told = {(each.decision, each.reason) for each in finals(world, of_legs=False)}
    assert told == {(decision, reason), (Decision.NOTED, Reason.LOOK_JOINED)}
    assert bool(world.dead_letters) is (decision is Decision.FAILED)
    assert worker.retries.committable == len(world.put_off)


async def test_a_fault_behind_the_api_ends_no_worker_and_no_partition(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, _, log = world_of("timed out")
    worker = ConversationWorker(world)

    def at_fault(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("streams.worker.conversations.processor.arrive", at_fault)
    for offset, (_, value) in enumerate(log):
        await worker.process(value, offset)

    assert worker.frontier.committable == len(log)
    assert {each.reason for each in world.outcomes} == {Reason.INTERNAL_ERROR}
    assert [each.value for each in world.dead_letters] == [value for _, value in log]


async def test_a_fault_on_the_way_of_a_copy_leaves_no_look_that_nobody_makes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Later events would join it, and the leg would never be looked at."""
    world = ConversationWorld(cloud=Cloud(states(TIMED_OUT)))
    worker = ConversationWorker(world)
    results = vars(worker.processor)["_results"]
    publish, faults = results.publish, [ValueError("a fault")]

    async def once(*arguments: Any) -> None:
        if faults:
            raise faults.pop()
        await publish(*arguments)

    monkeypatch.setattr(results, "publish", once)

    await live(worker, LOG, Random(1))

    decided = world.finals(of_legs=True).values()
    assert [each.decision for (each,) in decided] == [Decision.PATCHED]
    assert not world.record.pending
    failed = [each for (each,) in world.finals(of_legs=False).values() if each.source.offset == 0]
    assert [each.reason for each in failed] == [Reason.INTERNAL_ERROR]


async def test_a_fault_in_a_look_leaves_alone_what_was_told_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of the event that moved the look forward: noted it stays."""
    world, _, log = world_of("timed out")
    worker = ConversationWorker(world)
    for offset, (_, value) in enumerate(log):
        await worker.process(value, offset)
    told = len(world.outcomes)
    monkeypatch.setattr("streams.worker.conversations.processor.Inquiry", lambda *_: 1 / 0)

    for offset, copy in enumerate(list(world.put_off)):
        await worker.resume(worker.returned(copy, offset))

    assert worker.retries.committable == len(world.put_off)
    (own,) = world.outcomes[told:]
    assert (own.source.offset, own.reason) == (0, Reason.INTERNAL_ERROR)
    assert len(world.dead_letters) == len(world.put_off)


@pytest.mark.parametrize("value", [b"no event", b"{}", None])
async def test_bytes_that_are_no_event_are_dead(value: bytes | None) -> None:
    world = ConversationWorld()
    worker = ConversationWorker(world)

    await worker.process(value)

    (outcome,) = world.outcomes
    assert (outcome.decision, outcome.reason) == (Decision.FAILED, Reason.MALFORMED)
    assert [each.value for each in world.dead_letters] == [value]
    assert worker.frontier.committable == 1


fields = st.dictionaries(
    st.sampled_from(["eventTime", "conversationId", "participantId", "sessionId", "wrapupCode"])
    | st.sampled_from(["interactingDurationMs", "userId", "mediaType", "x"]),
    st.none() | st.booleans() | st.integers() | st.text(max_size=200),
    max_size=4,
)


@given(st.lists(st.binary(max_size=40) | fields, min_size=1, max_size=4))
def test_whatever_comes_ends_as_an_outcome_and_holds_nothing(values: list[Any]) -> None:
    """Bytes, and events whose fields are anything."""
    ((_, whole), *_) = events(TIMED_OUT)
    body = whole["detail"]["eventBody"]
    log = [
        (
            START + 200_000,
            value
            if isinstance(value, bytes)
            else json.dumps(
                whole | {"id": str(number), "detail": {"eventBody": body | value}}
            ).encode(),
        )
        for number, value in enumerate(values)
    ]
    world = ConversationWorld(cloud=Anything(states(TIMED_OUT)))
    worker = ConversationWorker(world)

    asyncio.run(live(worker, log, Random(1)))

    assert worker.frontier.committable == len(log)
    assert {each.source.offset for each in world.outcomes if each.final} == set(range(len(log)))
    dead = [each for each in world.outcomes if each.decision is Decision.FAILED]
    assert len(world.dead_letters) == len(dead)


class Narrow(RecordingPublisher):
    """Kafka whose ``retries`` accept nothing."""

    async def publish(self, message: Message) -> Acknowledged:
        if message.topic == RETRIES.topic:
            raise RecordTooLarge("too large")
        return await super().publish(message)


async def test_a_copy_that_retries_does_not_accept_fails_its_record_and_plans_no_look() -> None:
    world, _, log = world_of("timed out")
    worker = ConversationWorker(world, publisher=Narrow(world))

    await worker.process(log[0][1])

    (outcome,) = world.outcomes
    assert (outcome.decision, outcome.reason) == (Decision.FAILED, Reason.RETRIES_EXHAUSTED)
    assert [each.value for each in world.dead_letters] == [log[0][1]]
    assert not world.record.pending
    assert worker.frontier.committable == 1


class Silent(RecordingPublisher):
    """Kafka that does not acknowledge what is sent to these topics."""

    def __init__(self, world: ConversationWorld, topics: Sequence[str]) -> None:
        super().__init__(world)
        self._topics = topics

    async def publish(self, message: Message) -> Acknowledged:
        if message.topic in self._topics:
            raise PublishError("not acknowledged")
        return await super().publish(message)


async def test_an_event_whose_copy_is_not_acknowledged_is_not_finished() -> None:
    world, _, log = world_of("timed out")
    worker = ConversationWorker(world, publisher=Silent(world, [TOPICS.retries]))
    with pytest.raises(PublishError):
        await worker.process(log[0][1])
    assert worker.frontier.committable == 0
