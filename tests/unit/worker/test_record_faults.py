"""A record's fault is the record's (promise 14): it ends as an outcome, and its worker goes on.

Faults of this program, records that an operator skips, an API that lags behind its events, records
larger than Kafka takes.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import msgspec
import pytest

from streams.clock import rfc3339
from streams.core.decision import Policy
from streams.core.interaction import Interaction
from streams.core.records import Decision, InteractionRecord, Reason
from streams.core.retry_policy import DeferralPolicy
from streams.errors import (
    NotFound,
    OwnershipLost,
    PublishError,
    RecordSkipped,
    RecordTooLarge,
    ServerError,
    StoreError,
)
from streams.genesys.api import CallContext, GenesysApi
from streams.kafka.message import Message
from streams.kafka.publisher import Acknowledged
from streams.wire.outcomes import Outcome, encode_outcome
from streams.worker import outcomes as outcomes_module
from streams.worker.dead_letter_limit import DeadLetterLimit
from tests.support.incarnation import RecordingPublisher, StandInApi, Worker
from tests.support.world import CODE, ELIGIBLE, TOPICS, Crashed, World, event, raising


class FaultyApi:
    """Fails as only a program with a bug in it does."""

    def __init__(self, error: Exception) -> None:
        self.error: Exception | None = error
        self.whole: GenesysApi | None = None

    async def fetch(self, interaction_id: str, context: CallContext) -> Interaction:
        if self.error is not None:
            raise self.error
        assert self.whole is not None
        return await self.whole.fetch(interaction_id, context)

    async def set_disposition(
        self, interaction_id: str, code: str, etag: str | None, context: CallContext
    ) -> int:
        assert self.whole is not None
        return await self.whole.set_disposition(interaction_id, code, etag, context)


BUGS = [
    ZeroDivisionError("division"),
    UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogates not allowed"),
    AttributeError("'NoneType' object has no attribute 'decode'"),
    OverflowError("date value out of range"),
    TimeoutError(),
    AssertionError(),
]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: type(bug).__name__)
async def test_a_fault_of_ours_puts_the_record_off(
    bug: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    world = World()
    api = FaultyApi(bug)
    worker = Worker(world, api=api)

    await worker.process(event(), offset=4)

    (outcome,) = world.outcomes
    assert (outcome.decision, outcome.reason) == (Decision.DEFERRED, Reason.INTERNAL_ERROR)
    assert outcome.error is not None
    assert type(bug).__name__ in outcome.error.message
    assert worker.frontier.committable == 5
    assert [record.exc_info is not None for record in caplog.records if record.levelname == "ERROR"]

    api.error, api.whole = None, StandInApi(world)
    await worker.resume(world.put_off[0])

    assert [each.decision for each in world.outcomes] == [Decision.DEFERRED, Decision.PATCHED]
    assert world.applied == 1


async def test_a_fault_of_ours_that_stays_is_dead_at_last(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    worker = Worker(world, api=FaultyApi(ZeroDivisionError()), deferrals=DeferralPolicy(limit=2))

    await worker.process(event(), offset=4)
    for offset in range(2):
        await worker.resume(world.put_off[-1], offset)

    last = world.outcomes[-1]
    assert (last.decision, last.reason, last.final) == (
        Decision.FAILED,
        Reason.INTERNAL_ERROR,
        True,
    )
    (letter,) = world.dead_letters
    assert (letter.key, letter.value) == (b"i-1", event())
    assert letter.named["dlq.reason"] == "internal-error"
    tracebacks = [record for record in caplog.records if record.exc_info]
    assert len(tracebacks) == 1


async def test_a_record_of_the_table_that_cannot_be_read_ends_the_record_alone() -> None:
    world = World()
    worker = Worker(world, committed=4)

    def unreadable(partition: int, interaction_id: str) -> InteractionRecord:
        raise msgspec.DecodeError("JSON is malformed")

    worker.table.get = unreadable  # type: ignore[method-assign]  # a store that has rotted
    await worker.process(event(), offset=4)

    (outcome,) = world.outcomes
    assert (outcome.decision, outcome.reason) == (Decision.FAILED, Reason.INTERNAL_ERROR)
    assert outcome.interaction_id == "i-1"
    assert worker.frontier.committable == 5


async def test_an_outcome_that_cannot_be_written_is_published_without_its_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    encode = encode_outcome

    def fails_on_the_event(outcome: Outcome) -> bytes:
        if outcome.interaction_id is not None:
            raise UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogates not allowed")
        return encode(outcome)

    monkeypatch.setattr(outcomes_module, "encode_outcome", fails_on_the_event)
    await Worker(world).process(event(), offset=4)

    (outcome,) = world.outcomes
    assert (outcome.decision, outcome.reason) == (Decision.FAILED, Reason.INTERNAL_ERROR)
    assert outcome.source.offset == 4
    assert [letter.value for letter in world.dead_letters] == [event()]


@pytest.mark.parametrize(
    "fatal", [StoreError("disk full"), PublishError("no broker"), OwnershipLost("gone")]
)
async def test_what_is_not_the_records_fault_ends_the_worker_as_ever(fatal: Exception) -> None:
    world = World()
    worker = Worker(world, api=FaultyApi(fatal))

    if isinstance(fatal, OwnershipLost):
        worker.assignment.revoke()
    with pytest.raises(type(fatal)):
        await worker.process(event(), offset=4)

    assert world.outcomes == []
    assert worker.frontier.committable == 4


async def test_faults_of_ours_on_most_records_stop_the_worker() -> None:
    world = World()
    dead_letter_limit = DeadLetterLimit(0.5)
    worker = Worker(world, api=FaultyApi(ZeroDivisionError()), dead_letter_limit=dead_letter_limit)
    for number in range(20):
        await worker.process(event(number), offset=number)
    assert dead_letter_limit.passed is not None
    assert "internal-error" in dead_letter_limit.passed


# Skipped records


async def test_a_skipped_record_is_a_dead_letter_and_no_more() -> None:
    world = World()
    worker = Worker(world)
    record = msgspec.structs.replace(
        worker.take_up(event(), offset=4), event=RecordSkipped("SKIP_RECORDS names it")
    )

    await worker.processor.process(record)

    (outcome,) = world.outcomes
    assert (outcome.decision, outcome.reason) == (Decision.FAILED, Reason.SKIPPED)
    assert (outcome.interaction_id, outcome.source.offset) == (None, 4)
    (letter,) = world.dead_letters
    assert (letter.key, letter.value) == (b"i-1", event())
    assert letter.named["dlq.reason"] == "skipped"
    assert world.count("GET leaves") == 0


# An API that lags behind its events

LAGGING = Policy(code=CODE, lag_window_ms=60_000)


async def test_an_interaction_that_shows_later_gets_its_code() -> None:
    """It was final after one look: interaction-not-completed, for good."""
    world = World(interaction=replace(ELIGIBLE, state="connected"))
    worker = Worker(world, policy=LAGGING)

    await worker.process(event(), offset=4)
    (first,) = world.outcomes
    assert (first.decision, first.reason, first.final) == (
        Decision.DEFERRED,
        Reason.NOT_YET_VISIBLE,
        False,
    )
    assert first.next_at == rfc3339(world.clock.time() + 10)

    world.interaction = ELIGIBLE
    world.clock.now += 10
    await worker.resume(world.put_off[0])

    assert world.outcomes[-1].decision is Decision.PATCHED
    assert world.applied == 1


async def test_one_that_is_never_known_is_not_found_and_counted() -> None:
    world = World()
    world.fetches.extend([raising(NotFound("no such interaction", status=404))] * 9)
    dead_letter_limit = DeadLetterLimit(0.5)
    worker = Worker(
        world,
        policy=LAGGING,
        deferrals=DeferralPolicy(limit=0),
        dead_letter_limit=dead_letter_limit,
    )

    await worker.process(event(), offset=4)
    for offset in range(3):
        put_off = world.put_off[-1]
        world.clock.now += 60
        await worker.resume(put_off, offset)
        if world.outcomes[-1].final:
            break

    assert world.outcomes[-1].decision is Decision.NOT_FOUND
    assert world.dead_letters == []


async def test_interactions_that_the_api_does_not_know_stop_the_worker() -> None:
    """A base URL of another org: 60 of 60 calls were 404, all final, and nobody noticed."""
    world = World()
    dead_letter_limit = DeadLetterLimit(0.5)
    worker = Worker(world, dead_letter_limit=dead_letter_limit)
    world.fetches.extend([raising(NotFound("no such interaction", status=404))] * 60)
    for number in range(20):
        await worker.process(event(number), offset=number)
    assert dead_letter_limit.passed is not None
    assert "interaction-not-found" in dead_letter_limit.passed


async def test_looking_again_says_nothing_of_the_worker() -> None:
    world = World()
    dead_letter_limit = DeadLetterLimit(0.5)
    worker = Worker(world, policy=LAGGING, dead_letter_limit=dead_letter_limit)
    world.fetches.extend([raising(NotFound("no such interaction", status=404))] * 60)
    for number in range(40):
        await worker.process(event(number), offset=number)
    assert dead_letter_limit.passed is None


# Published again, it is the same


async def test_a_verdict_published_again_has_the_times_of_the_decision() -> None:
    world = World()

    def crash(_: int, step: str) -> None:
        if step == "outcome acknowledged":
            raise Crashed

    world.at_step = crash
    with pytest.raises(Crashed):
        await Worker(world).process(event(), offset=4)
    world.at_step = lambda _number, _step: None
    world.clock.now += 3600

    await Worker(world, committed=4).process(event(), offset=4)

    first, again = world.outcomes
    assert msgspec.structs.replace(again, trace_id=first.trace_id) == first


# Records that are too large


class NarrowPublisher(RecordingPublisher):
    """A Kafka that takes less than came: a compressed record unpacks to far more."""

    def __init__(self, world: World, *, narrow: Collection[str], most: int) -> None:
        super().__init__(world)
        self._narrow = narrow
        self._most = most

    async def publish(self, message: Message) -> Acknowledged:
        size = len(message.key or b"") + len(message.value or b"")
        if message.topic in self._narrow and size > self._most:
            raise RecordTooLarge("MessageSizeTooLargeError")
        return await super().publish(message)


def narrow(world: World, *topics: str, most: int = 4_000) -> Worker:
    return Worker(world, publisher=NarrowPublisher(world, narrow=topics, most=most))


async def test_a_dead_letter_too_large_for_its_topic_says_where_the_bytes_are() -> None:
    world = World()
    worker = narrow(world, TOPICS.dead_letters)

    await worker.process(b"x" * 5_000, offset=4)

    (outcome,) = world.outcomes
    assert outcome.reason is Reason.MALFORMED
    (letter,) = world.dead_letters
    assert (letter.key, letter.value) == (None, None)
    assert "too large" in letter.named["dlq.message"]
    assert letter.named["dlq.source.offset"] == "4"
    assert worker.frontier.committable == 5


async def test_an_outcome_whose_key_is_too_large_goes_without() -> None:
    world = World()
    worker = narrow(world, TOPICS.outcomes)

    await worker.process(b"no event", offset=4, key=b"k" * 5_000)

    assert [sent.key for sent in world.sent if sent.topic == TOPICS.outcomes] == [None]
    assert worker.frontier.committable == 5


async def test_an_event_that_cannot_be_put_off_is_dead() -> None:
    world = World()
    world.fetches.extend([raising(ServerError("503", status=503))] * 3)
    worker = narrow(world, TOPICS.retries, most=10)

    await worker.process(event(), offset=4)

    assert [(each.decision, each.reason) for each in world.outcomes] == [
        (Decision.DEFERRED, Reason.SERVER_ERROR),
        (Decision.FAILED, Reason.RETRIES_EXHAUSTED),
    ]
    assert [letter.value for letter in world.dead_letters] == [event()]
    assert not world.record.waits
    assert worker.frontier.committable == 5
