"""A worker that kills itself at one step of one conversation's road.

    python -m tests.chaos.leg_crashing STEP CONVERSATION      otherwise `genesys-streams worker`

The steps are numbered as the worker comes to them: before and after each request, each write of the
conversation's record, each record that it sends, each finish and each commit, and between a PATCH's
effect and its answer. So no step is left out because nobody has thought of it. The program knows
nothing of this: what it calls is wrapped here before it starts.
"""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread

from streams.cli.main import run
from streams.core.conversations.events import ConversationEvent
from streams.genesys import transport
from streams.genesys.conversations import LegAddress
from streams.genesys.conversations_client import ConversationsClient
from streams.kafka.message import Message
from streams.kafka.publisher import Acknowledged, AcknowledgedRun, KafkaPublisher
from streams.worker.lanes.source_record import SourceRecord
from streams.worker.state.table import InteractionTable
from tests.chaos.crashing import die

# What a life says as it dies, before the step's name.
DIES = "dies"


@dataclass
class Road:
    """The steps of one conversation; the worker dies at number ``last``."""

    conversation_id: str
    last: int
    number: int = 0
    finished: bool = False

    def step(self, name: str) -> None:
        if self.number == self.last:
            sys.stderr.write(f"{self.conversation_id} {DIES} {name}\n")
            die()
        self.number += 1

    def among(self, sent: Sequence[Message]) -> str:
        """What of this conversation is among these records; empty if nothing is."""
        key = self.conversation_id.encode()
        topics = {each.topic.rpartition(".")[2] for each in sent if each.key == key}
        return " and ".join(sorted(topics))

    def is_of(self, record: SourceRecord) -> bool:
        event = record.event
        if not isinstance(event, ConversationEvent):
            return False
        return event.conversation_id == self.conversation_id


Name = Callable[..., str]


def around(road: Road, owner: object, name: str, step_of: Name) -> None:
    """A step before each call of ``owner.name``, and one after it, where ``step_of`` names them."""
    call: Callable[..., Awaitable[Any]] = getattr(owner, name)

    @functools.wraps(call)
    async def stepping(*args: Any, **kwargs: Any) -> Any:
        step = step_of(*args, **kwargs)
        if step:
            road.step(f"before {step}")
        answer = await call(*args, **kwargs)
        if step:
            road.step(f"after {step}")
        return answer

    setattr(owner, name, stepping)


def arm(road: Road) -> None:
    """Number the steps."""
    this = road.conversation_id

    def get(_: object, conversation_id: str, *__: Any) -> str:
        return "the GET" if conversation_id == this else ""

    def write(_: object, leg: LegAddress, *__: Any) -> str:
        return "the PATCH" if leg.conversation_id == this else ""

    def answer(response: aiohttp.ClientResponse) -> str:
        ours = response.method == "PATCH" and this in response.url.parts
        return "the PATCH's answer is read" if ours else ""

    def record(_: object, __: object, records: dict[tuple[int, str], bytes]) -> str:
        return "the record is in the store" if any(name == this for _, name in records) else ""

    def commit(*_: object) -> str:
        return "the commit" if road.finished else ""

    around(road, ConversationsClient, "look", get)
    around(road, ConversationsClient, "set_code", write)
    around(road, transport, "_bounded", answer)
    around(road, InteractionTable, "put_all", record)
    around(road, AIOKafkaConsumerThread, "commit", commit)
    arm_publisher(road)
    arm_finish(road)


def arm_publisher(road: Road) -> None:
    """A step before records of this conversation are sent, and one when they are acknowledged,
    before anybody hears of it."""
    enqueue, enqueue_all = KafkaPublisher.enqueue, KafkaPublisher.enqueue_all

    async def one(self: KafkaPublisher, sent: Message) -> asyncio.Future[Acknowledged]:
        what = road.among([sent])
        if what:
            road.step(f"before {what}")
        acknowledged = await enqueue(self, sent)
        if what:
            await asyncio.wait({acknowledged})
            road.step(f"after {what}")
        return acknowledged

    async def all_of_them(
        self: KafkaPublisher, sent: Sequence[Message]
    ) -> Sequence[asyncio.Future[AcknowledgedRun]]:
        what = road.among(sent)
        if what:
            road.step(f"before {what}")
        runs = await enqueue_all(self, sent)
        if what:
            await asyncio.wait(set(runs))
            road.step(f"after {what}")
        return runs

    setattr(KafkaPublisher, "enqueue", one)  # noqa: B010  # mypy lets no method be assigned to
    setattr(KafkaPublisher, "enqueue_all", all_of_them)  # noqa: B010  # as above


def arm_finish(road: Road) -> None:
    """A step before each finish of a record of this conversation, and one after it."""
    finish = SourceRecord.finish

    def finishing(record: SourceRecord) -> None:
        ours = road.is_of(record)
        if ours:
            road.step("before the finish")
        finish(record)
        road.finished = road.finished or ours
        if ours:
            road.step("after the finish")

    setattr(SourceRecord, "finish", finishing)  # noqa: B010  # as above


if __name__ == "__main__":
    arm(Road(sys.argv[2], int(sys.argv[1])))
    sys.exit(run(["worker"]))
