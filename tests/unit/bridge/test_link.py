"""The link against a scripted publisher and a clock that a test moves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

import pytest

from streams.bridge.link import Link, LinkPolicy
from streams.errors import KafkaError, PublishError
from streams.kafka.message import Message
from streams.kafka.publisher import Acknowledged, AcknowledgedRun

POLICY = LinkPolicy(flush=0.05)


class SteppedClock:
    """Time passes only in sleep(), and sleeping takes one turn of the loop."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now

    def has_reached(self, time: float) -> bool:
        return self.now >= time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


MESSAGE = Message("t", key=None, value=b"")


class ScriptedPublisher:
    """Connects unless told otherwise; each publish takes the next of ``results``."""

    def __init__(self) -> None:
        self.refusals = 0
        self.starts = 0
        self.stops = 0
        self.answers: Callable[[], Acknowledged] = lambda: Acknowledged("t", 0, 0)
        self.stop_hangs = False

    async def start(self) -> None:
        self.starts += 1
        if self.starts <= self.refusals:
            raise PublishError("cannot reach Kafka at nowhere:1")

    async def stop(self) -> None:
        self.stops += 1
        if self.stop_hangs:
            await asyncio.Event().wait()

    async def enqueue_all(
        self, messages: Sequence[Message]
    ) -> Sequence[asyncio.Future[AcknowledgedRun]]:
        raise NotImplementedError

    async def enqueue(self, message: Message) -> asyncio.Future[Acknowledged]:
        raise NotImplementedError

    async def publish(self, message: Message) -> Acknowledged:
        return self.answers()


class Probe:
    """Kafka as /readyz sees it: there, or not with this message."""

    trouble: str | None = None
    looks = 0

    async def __call__(self) -> None:
        self.looks += 1
        if self.trouble is not None:
            raise KafkaError(self.trouble)


@asynccontextmanager
async def kept(
    publisher: ScriptedPublisher, probe: Probe
) -> AsyncIterator[tuple[Link, SteppedClock]]:
    clock = SteppedClock()
    link = Link(publisher, probe=probe, clock=clock, policy=POLICY)
    keeping = asyncio.create_task(link.keep())
    try:
        yield link, clock
    finally:
        keeping.cancel()
        await asyncio.wait({keeping})
        assert keeping.cancelled(), keeping


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while True:
            if condition():
                return
            await asyncio.sleep(0)


def unacknowledged() -> Acknowledged:
    raise PublishError("Kafka did not acknowledge")


async def attempt(link: Link) -> None:
    with pytest.raises(PublishError):
        await link.publish(MESSAGE)


async def test_tries_to_connect_until_it_does_and_waits_longer_each_time() -> None:
    publisher = ScriptedPublisher()
    publisher.refusals = 6
    async with kept(publisher, Probe()) as (link, clock):
        assert link.not_ready() == "not connected to Kafka yet"
        await until(lambda: publisher.starts == 1)
        assert link.not_ready() == "cannot reach Kafka at nowhere:1"
        await until(lambda: link.not_ready() is None)
        assert clock.slept[:6] == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]


async def test_is_not_ready_while_a_topic_is_missing() -> None:
    publisher, probe = ScriptedPublisher(), Probe()
    probe.trouble = "no topic x"
    async with kept(publisher, probe) as (link, clock):
        await until(lambda: len(clock.slept) > 2)
        assert link.not_ready() == "no topic x"
        assert publisher.starts == 0
        publisher.answers = unacknowledged
        await attempt(link)
        assert link.not_ready() == "no topic x"
        probe.trouble = None
        await until(lambda: link.not_ready() is None)


async def test_notices_without_any_traffic_that_kafka_goes_and_comes() -> None:
    probe = Probe()
    async with kept(ScriptedPublisher(), probe) as (link, _):
        await until(lambda: link.not_ready() is None)
        probe.trouble = "no broker answered"
        await until(lambda: link.not_ready() == "no broker answered")
        probe.trouble = None
        await until(lambda: link.not_ready() is None)


async def test_a_failure_makes_it_not_ready_at_once_and_an_acknowledgement_ready_again() -> None:
    publisher = ScriptedPublisher()
    async with kept(publisher, Probe()) as (link, _):
        await until(lambda: link.not_ready() is None)
        works, publisher.answers = publisher.answers, unacknowledged
        await attempt(link)
        assert link.not_ready() == "Kafka did not acknowledge"
        assert publisher.starts == 1
        publisher.answers = works
        assert await link.publish(MESSAGE) == Acknowledged("t", 0, 0)
        assert link.not_ready() is None


async def test_is_ready_again_when_kafka_answers_although_no_event_comes() -> None:
    publisher = ScriptedPublisher()
    async with kept(publisher, Probe()) as (link, clock):
        await until(lambda: link.not_ready() is None)
        publisher.answers = unacknowledged
        await attempt(link)
        failed_at = clock.now
        await until(lambda: link.not_ready() is None)
        assert clock.now - failed_at <= 2 * POLICY.look


async def test_giving_up_on_a_record_counts_as_a_failure() -> None:
    publisher = ScriptedPublisher()
    async with kept(publisher, Probe()) as (link, _):
        await until(lambda: link.not_ready() is None)

        def cancelled() -> Acknowledged:
            raise asyncio.CancelledError

        publisher.answers = cancelled
        with pytest.raises(asyncio.CancelledError):
            await link.publish(MESSAGE)
        assert link.not_ready() == "Kafka did not acknowledge a record for t in time"


async def test_a_producer_that_is_broken_while_kafka_answers_is_replaced() -> None:
    publisher = ScriptedPublisher()
    publisher.stop_hangs = True
    async with kept(publisher, Probe()) as (link, clock):
        await until(lambda: link.not_ready() is None)
        publisher.answers = unacknowledged
        await attempt(link)
        failed_at = clock.now
        await until(lambda: publisher.stops == 1)
        assert POLICY.broken <= clock.now - failed_at <= POLICY.broken + POLICY.look
        await until(lambda: publisher.starts == 2)
        await until(lambda: link.not_ready() is None)


async def test_it_is_replaced_as_soon_while_events_keep_coming() -> None:
    publisher = ScriptedPublisher()
    async with kept(publisher, Probe()) as (link, clock):
        await until(lambda: link.not_ready() is None)
        publisher.answers = unacknowledged
        failed_at = clock.now
        async with asyncio.timeout(5):
            while publisher.stops == 0:
                await attempt(link)
                await asyncio.sleep(0)
        assert clock.now - failed_at <= POLICY.broken + 2 * POLICY.look


async def test_kafka_is_not_asked_while_it_acknowledges() -> None:
    publisher, probe = ScriptedPublisher(), Probe()
    async with kept(publisher, probe) as (link, clock):
        await until(lambda: link.not_ready() is None)
        looks = probe.looks
        for _ in range(5):
            await link.publish(MESSAGE)
            next_look = clock.now + POLICY.look
            await until(partial(clock.has_reached, next_look))
        assert probe.looks == looks


async def test_a_producer_is_kept_while_kafka_does_not_answer() -> None:
    publisher, probe = ScriptedPublisher(), Probe()
    async with kept(publisher, probe) as (link, clock):
        await until(lambda: link.not_ready() is None)
        publisher.answers = unacknowledged
        probe.trouble = "no broker answered"
        await attempt(link)
        long_after = clock.now + 5 * POLICY.broken
        await until(lambda: clock.now > long_after)
        assert publisher.stops == 0


async def test_closing_does_not_wait_for_ever() -> None:
    publisher = ScriptedPublisher()
    publisher.stop_hangs = True
    link = Link(publisher, probe=Probe(), clock=SteppedClock(), policy=POLICY)
    async with asyncio.timeout(2):
        await link.close()
    assert publisher.stops == 1
