"""The publisher over real sockets: acknowledged, held while it may not send, fenced."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiokafka.client
import pytest
from msgspec import structs

from streams.errors import OwnershipLost, PublishError
from streams.kafka.message import Message
from streams.kafka.publisher import KafkaPublisher
from streams.kafka.topics import apply_topics
from streams.settings import Settings
from tests.support.link import CUT, Link
from tests.support.oracle import read_all
from tests.support.workers import eventually

MakeSettings = Callable[..., Settings]

pytestmark = pytest.mark.usefixtures("broker")


class Rig:
    """A publisher that may send for as long as the test says so."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.may_send = True
        self.asked = 0
        self.topic = settings.topics.outcomes
        self.publisher = KafkaPublisher(settings.kafka, client_id="test", may_send=self._may_send)

    def _may_send(self) -> bool:
        self.asked += 1
        return self.may_send

    async def held(self) -> None:
        """Wait until a request is about to leave and may not."""
        before = self.asked
        await eventually(lambda: self.asked > before, 5, "a request asks for leave")

    async def values(self) -> list[bytes | None]:
        return [record.value for record in await read_all(self.settings, self.topic)]


@pytest.fixture
async def rig(make_settings: MakeSettings) -> AsyncIterator[Rig]:
    settings = make_settings()
    apply_topics(settings.kafka)
    rig = Rig(settings)
    await rig.publisher.start()
    yield rig
    rig.may_send = True
    await rig.publisher.stop()


async def test_acknowledged_means_in_the_topic(rig: Rig) -> None:
    at = await rig.publisher.publish(
        Message(rig.topic, key=b"i-1", value=b"one", headers=[("a", b"1")], partition=2)
    )

    (record,) = await read_all(rig.settings, rig.topic)
    assert (at.topic, at.partition, at.offset) == (rig.topic, record.partition, record.offset)
    assert (record.partition, record.key, record.value) == (2, b"i-1", b"one")
    assert record.headers == (("a", b"1"),)


async def test_a_record_of_nothing_can_be_published(rig: Rig) -> None:
    """Another producer may write one; its dead letter has to be the same."""
    at = await rig.publisher.publish(
        Message(rig.topic, key=None, value=None, headers=[("a", b"1")])
    )

    (record,) = await read_all(rig.settings, rig.topic)
    assert (at.partition, at.offset) == (record.partition, record.offset)
    assert (record.key, record.value, record.headers) == (None, None, (("a", b"1"),))


async def test_a_record_of_nothing_is_queued_like_any_other(rig: Rig) -> None:
    """It waits for no empty queue: under load, its partition's is never empty."""
    rig.may_send = False
    keyed = Message(rig.topic, key=b"i-1", value=b"one", partition=0)
    queued = [await rig.publisher.enqueue(keyed)]
    await rig.held()
    nothing = Message(rig.topic, key=None, value=None, partition=0)
    queued.append(await asyncio.wait_for(rig.publisher.enqueue(nothing), 5))
    queued.append(await rig.publisher.enqueue(structs.replace(keyed, value=b"two")))

    rig.may_send = True

    offsets = [at.offset for at in await asyncio.wait_for(asyncio.gather(*queued), 5)]
    assert offsets == sorted(offsets)
    assert await rig.values() == [b"one", None, b"two"]


async def test_nothing_leaves_while_it_may_not(rig: Rig) -> None:
    """A session in doubt: the record waits, and is lost to nobody."""
    rig.may_send = False
    acknowledged = await rig.publisher.enqueue(Message(rig.topic, key=b"i-1", value=b"one"))
    await rig.held()
    assert await rig.values() == []

    rig.may_send = True

    await asyncio.wait_for(acknowledged, 5)
    assert await rig.values() == [b"one"]


async def test_published_means_acknowledged(rig: Rig) -> None:
    rig.may_send = False
    publishing = asyncio.create_task(
        rig.publisher.publish(Message(rig.topic, key=b"i-1", value=b"one"))
    )
    await rig.held()
    assert not publishing.done()

    rig.may_send = True

    await asyncio.wait_for(publishing, 5)
    assert await rig.values() == [b"one"]


async def test_what_is_queued_at_the_fence_never_leaves(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither what is about to leave nor what waits behind it, nor what nobody waits for. And
    asyncio does not complain of it."""
    # What it logs has the error, which pytest keeps, and with it all of the producer.
    monkeypatch.setattr(logging.getLogger("aiokafka.producer.sender"), "disabled", True)
    complaints: list[str] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: complaints.append(context["message"])
    )
    rig.may_send = False
    leaving = await rig.publisher.enqueue(Message(rig.topic, key=b"i-1", value=b"one", partition=0))
    await rig.held()
    waiting = await rig.publisher.enqueue(Message(rig.topic, key=b"i-1", value=b"two", partition=0))
    abandoned = await rig.publisher.enqueue(
        Message(rig.topic, key=b"i-2", value=b"three", partition=1)
    )
    abandoned.cancel()

    rig.publisher.fence()
    rig.may_send = True

    for acknowledged in (leaving, waiting):
        with pytest.raises(OwnershipLost, match="not sent"):
            await acknowledged
    await rig.publisher.publish(Message(rig.topic, key=b"i-1", value=b"four", partition=0))
    await rig.publisher.publish(Message(rig.topic, key=b"i-2", value=b"five", partition=1))
    assert await rig.values() == [b"four", b"five"]
    await rig.publisher.stop()
    gc.collect()  # asyncio complains of a failure that nobody looks at when it is thrown away
    assert complaints == []


@pytest.fixture
async def to_kafka(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Link]:
    """The way of all connections that are made from now on."""
    host, _, port = make_settings().kafka_bootstrap_servers.rpartition(":")
    link = Link(("127.0.0.1", 0), (host, int(port)))
    connect = aiokafka.client.create_conn
    async with link.open() as there:
        monkeypatch.setattr(
            aiokafka.client, "create_conn", lambda *_, **options: connect(*there, **options)
        )
        yield link


@pytest.mark.parametrize("state", ["under way", "reset with its session", "about to leave again"])
async def test_a_fence_ends_all_of_a_producer_whose_request_is_under_way(
    to_kafka: Link, rig: Rig, state: str
) -> None:
    """Its connections and its tasks, and nobody is left to complain."""
    complaints: list[str] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: complaints.append(context["message"])
    )
    await rig.publisher.publish(Message(rig.topic, key=b"i-1", value=b"zero", partition=0))
    producer: Any = rig.publisher._producer
    ended = to_kafka.ended
    with to_kafka.broken(CUT):
        acknowledged = await rig.publisher.enqueue(
            Message(rig.topic, key=b"i-1", value=b"one", partition=0)
        )
        await eventually(lambda: producer._under_way == 1, 5, "it is under way", every=0.001)
        if state != "under way":
            rig.may_send = False
            await eventually(lambda: producer._under_way == 0, 5, "it is reset", every=0.001)
        if state != "about to leave again":
            rig.publisher.fence()
        await eventually(lambda: to_kafka.ended > ended, 5, "the link has heard of it")
    if state == "about to leave again":
        await rig.held()
        rig.publisher.fence()
    rig.may_send = True

    with pytest.raises(OwnershipLost, match="not sent"):
        await acknowledged
    await rig.publisher.publish(Message(rig.topic, key=b"i-1", value=b"two", partition=0))
    assert await rig.values() == [b"zero", b"two"]
    await eventually(
        lambda: not rig.publisher._retiring, 5, "the producer behind the fence has ended"
    )
    assert producer._sender.sender_task.done()
    assert producer.client._sync_task is None, "its client is closed"
    gc.collect()
    assert complaints == []


async def test_those_queued_together_lie_where_they_are_said_to(rig: Rig) -> None:
    """One by one or together: a key has one place."""
    keys = [b"i-%d" % number for number in range(40)]
    alone = [await rig.publisher.publish(Message(rig.topic, key=key, value=b"0")) for key in keys]
    messages = [
        Message(rig.topic, key=key, value=b"%d" % turn, headers=[("a", b"1")])
        for turn in (1, 2)
        for key in keys
    ]

    runs = await asyncio.gather(*await rig.publisher.enqueue_all(messages))

    stored = {
        (record.partition, record.offset): (record.key, record.value)
        for record in await read_all(rig.settings, rig.topic)
    }
    said = {
        (run.partition, run.offset + at): (message.key, message.value)
        for run in runs
        for at, message in enumerate(run.messages)
    }
    assert len(said) == len(messages)
    assert stored.items() >= said.items()
    places = dict(zip(keys, (at.partition for at in alone), strict=True))
    assert {key: partition for (partition, _), (key, _) in stored.items() if key} == places
    assert [value for (_, _), (key, value) in sorted(stored.items()) if key == keys[0]] == [
        b"0",
        b"1",
        b"2",
    ]


async def test_what_is_queued_together_at_the_fence_never_leaves(rig: Rig) -> None:
    rig.may_send = False
    runs = await rig.publisher.enqueue_all(
        [Message(rig.topic, key=b"i-1", value=b"one", partition=at) for at in (0, 1)]
    )
    await rig.held()

    rig.publisher.fence()
    rig.may_send = True

    for run in runs:
        with pytest.raises(OwnershipLost, match="not sent"):
            await run
    await rig.publisher.publish(Message(rig.topic, key=b"i-1", value=b"two", partition=0))
    assert await rig.values() == [b"two"]


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("waits_for", ["the topic's partitions", "the connection"])
async def test_nor_does_what_was_being_queued(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, waits_for: str, *, together: bool
) -> None:
    """By the time that it is, the next assignment has begun, and so it may leave."""
    goes_on, waits = asyncio.Event(), asyncio.Event()

    def slow(asks: Callable[..., Any]) -> Callable[..., Any]:
        async def ask(*arguments: Any) -> Any:
            waits.set()
            await goes_on.wait()
            return await asks(*arguments)

        return ask

    await rig.publisher.publish(Message(rig.topic, key=b"i-1", value=b"before", partition=0))
    with monkeypatch.context() as slowed:
        if waits_for == "the connection":
            vars(rig.publisher)["_producer"], connected = None, vars(rig.publisher)["_producer"]
            await connected.stop()
            slowed.setattr(rig.publisher, "_connect", slow(rig.publisher._connect))
        else:
            client = rig.publisher.client
            slowed.setattr(client, "_wait_on_metadata", slow(client._wait_on_metadata))
        late = Message(rig.topic, key=b"i-1", value=b"late", partition=0)
        queuing: asyncio.Task[Any] = asyncio.create_task(
            rig.publisher.enqueue_all([late]) if together else rig.publisher.enqueue(late)
        )
        await asyncio.wait_for(waits.wait(), 5)
        rig.publisher.fence()
        goes_on.set()

        with pytest.raises(OwnershipLost, match="not sent"):
            await asyncio.wait_for(queuing, 10)
    await rig.publisher.publish(Message(rig.topic, key=b"i-1", value=b"next", partition=0))
    assert await rig.values() == [b"before", b"next"]


async def test_a_fence_with_nothing_queued_keeps_the_connection(rig: Rig) -> None:
    await rig.publisher.publish(Message(rig.topic, key=b"i-1", value=b"one", partition=0))
    connected = vars(rig.publisher)["_producer"]

    rig.publisher.fence()

    await rig.publisher.publish(Message(rig.topic, key=b"i-1", value=b"two", partition=0))
    assert vars(rig.publisher)["_producer"] is connected
    assert await rig.values() == [b"one", b"two"]


async def test_what_a_stop_had_no_time_for_is_not_sent_later(rig: Rig) -> None:
    """Its sender would live as long as the process, and send what others have sent since."""
    rig.may_send = False
    late = await rig.publisher.enqueue(Message(rig.topic, key=b"i-1", value=b"late", partition=0))
    await rig.held()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await rig.publisher.stop()
    await eventually(lambda: not rig.publisher._retiring, 5, "the producer has ended")
    rig.may_send = True

    with pytest.raises(PublishError):
        await late
    await rig.publisher.start()
    await rig.publisher.publish(Message(rig.topic, key=b"i-1", value=b"next", partition=0))
    assert await rig.values() == [b"next"]


async def test_a_producer_that_a_partition_takes_nothing_more_from_is_replaced(rig: Rig) -> None:
    before = Message(rig.topic, key=b"i-1", value=b"before", partition=0)
    await rig.publisher.publish(before)
    first = vars(rig.publisher)["_producer"]
    rig.may_send = False
    failing = await rig.publisher.enqueue(structs.replace(before, value=b"failing"))
    await rig.held()
    (batch,) = first._message_accumulator._pending_batches

    batch.failure(aiokafka.errors.UnknownError())

    rig.may_send = True
    with pytest.raises(PublishError):
        await failing
    await rig.publisher.publish(structs.replace(before, value=b"next"))
    assert vars(rig.publisher)["_producer"] is not first
    await eventually(lambda: not rig.publisher._retiring, 5, "the first one has ended")
    assert (await rig.values())[-1] == b"next"


async def test_nothing_is_accepted_after_the_stop(rig: Rig) -> None:
    await rig.publisher.stop()

    with pytest.raises(PublishError, match="was stopped"):
        await rig.publisher.enqueue(Message(rig.topic, key=b"i-1", value=b"one"))
