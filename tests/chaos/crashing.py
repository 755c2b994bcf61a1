"""A worker that kills itself at one boundary of one interaction's record.

    python -m tests.chaos.crashing BOUNDARY INTERACTION      otherwise `genesys-streams worker`

The program knows nothing of this: what it calls at the boundary is wrapped here before it starts.
"""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum
from typing import Any, NoReturn

import aiohttp
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread

from streams.cli.main import run
from streams.core.envelope import InteractionEvent
from streams.core.records import decode_record
from streams.genesys import transport
from streams.genesys.client import GenesysClient
from streams.kafka.message import Message
from streams.kafka.publisher import AcknowledgedRun, KafkaPublisher
from streams.worker.lanes.source_record import SourceRecord
from streams.worker.state.table import InteractionTable


class Boundary(Enum):
    """Where the work on a record can break off, in its order."""

    BEFORE_GET = "before the GET"
    AFTER_GET = "after the GET"
    BEFORE_INTENT = "before the intent"
    INTENT_IN_CHANGELOG = "intent in the changelog, not in the store"
    AFTER_INTENT = "after the intent"
    BEFORE_PATCH = "before the PATCH is sent"
    PATCH_APPLIED = "PATCH applied, its answer not read"
    AFTER_PATCH = "after the PATCH is answered"
    BEFORE_VERDICT = "before the verdict"
    VERDICT_IN_CHANGELOG = "verdict in the changelog, not in the store"
    AFTER_VERDICT = "after the verdict"
    PART_OF_OUTCOMES = "after the first of its group's outcomes"
    BEFORE_DEAD_LETTER = "before the dead letter"
    AFTER_DEAD_LETTER = "after the dead letter"
    BEFORE_OUTCOME = "before the outcome"
    AFTER_OUTCOME = "after the outcome"
    BEFORE_RETRY = "before it is put off"
    AFTER_RETRY = "after it is put off"
    BEFORE_FINISH = "before the finish"
    AFTER_FINISH = "after the finish"
    BEFORE_COMMIT = "before the commit"
    AFTER_COMMIT = "after the commit"


Matches = Callable[..., bool]


def die(*_: object) -> NoReturn:
    """Gone between two instructions: no handler, no flush, no goodbye to the group."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("SIGKILL is not survived")


def arm(boundary: Boundary, interaction_id: str) -> None:
    """Wrap what is called at the boundary, so that this interaction's call is the last."""
    key = interaction_id.encode()

    def asks_for(_: object, asked_for: str, *__: Any) -> bool:
        return asked_for == interaction_id

    def holding(*, intent: bool) -> Matches:
        """A group that has the interaction's record, with or without an intent."""
        return lambda _, __, records: any(
            named == interaction_id and (decode_record(record).intent is not None) == intent
            for (_, named), record in records.items()
        )

    def sent_to(topic: str) -> Callable[[Message], bool]:
        return lambda sent: sent.topic.endswith(topic) and sent.key == key

    get = (GenesysClient, "fetch", asks_for)
    write_intent = (InteractionTable, "put_all", holding(intent=True))
    patch = (GenesysClient, "set_disposition", asks_for)
    read_answer = (transport, "_bounded", functools.partial(answers_patch, interaction_id))
    write_verdict = (InteractionTable, "put_all", holding(intent=False))
    dead_letter = sent_to("dead-letters")
    outcome = sent_to("outcomes")
    put_off = sent_to("retries")
    roads_end = functools.partial(arm_the_end, boundary, interaction_id)
    armed: dict[Boundary, Callable[[], None]] = {
        Boundary.BEFORE_GET: lambda: before(*get),
        Boundary.AFTER_GET: lambda: after(*get),
        Boundary.BEFORE_INTENT: lambda: before(*write_intent),
        Boundary.INTENT_IN_CHANGELOG: lambda: in_changelog(key, intent=True),
        Boundary.AFTER_INTENT: lambda: after(*write_intent),
        Boundary.BEFORE_PATCH: lambda: before(*patch),
        Boundary.PATCH_APPLIED: lambda: before(*read_answer),
        Boundary.AFTER_PATCH: lambda: after(*patch),
        Boundary.BEFORE_VERDICT: lambda: before(*write_verdict),
        Boundary.VERDICT_IN_CHANGELOG: lambda: in_changelog(key, intent=False),
        Boundary.AFTER_VERDICT: lambda: after(*write_verdict),
        Boundary.PART_OF_OUTCOMES: lambda: after_the_first(outcome),
        Boundary.BEFORE_DEAD_LETTER: lambda: before_publishing(dead_letter),
        Boundary.AFTER_DEAD_LETTER: lambda: after_publishing(dead_letter),
        Boundary.BEFORE_OUTCOME: lambda: before_publishing(outcome),
        Boundary.AFTER_OUTCOME: lambda: after_publishing(outcome),
        Boundary.BEFORE_RETRY: lambda: before_publishing(put_off),
        Boundary.AFTER_RETRY: lambda: after_publishing(put_off),
        Boundary.BEFORE_FINISH: roads_end,
        Boundary.AFTER_FINISH: roads_end,
        Boundary.BEFORE_COMMIT: roads_end,
        Boundary.AFTER_COMMIT: roads_end,
    }
    armed[boundary]()


def arm_the_end(boundary: Boundary, interaction_id: str) -> None:
    """Finish, and the first commit from then on: it is the one that passes the record."""
    finish = SourceRecord.finish
    finished = False

    def finishing(record: SourceRecord) -> None:
        nonlocal finished
        event = record.event
        ours = isinstance(event, InteractionEvent) and event.interaction_id == interaction_id
        if ours and boundary is Boundary.BEFORE_FINISH:
            die()
        finish(record)
        if ours and boundary is Boundary.AFTER_FINISH:
            die()
        finished = finished or ours

    setattr(SourceRecord, "finish", finishing)  # noqa: B010  # mypy lets no method be assigned to
    if boundary is Boundary.BEFORE_COMMIT:
        before(AIOKafkaConsumerThread, "commit", lambda *_: finished)
    if boundary is Boundary.AFTER_COMMIT:
        after(AIOKafkaConsumerThread, "commit", lambda *_: finished)


def before(owner: object, name: str, matches: Matches) -> None:
    """Die when ``owner.name`` is called with arguments that match."""
    call: Callable[..., Awaitable[Any]] = getattr(owner, name)

    @functools.wraps(call)
    async def dying(*args: Any, **kwargs: Any) -> Any:
        if matches(*args, **kwargs):
            die()
        return await call(*args, **kwargs)

    setattr(owner, name, dying)


def after(owner: object, name: str, matches: Matches) -> None:
    """Die when such a call has returned, and before its caller learns of it."""
    call: Callable[..., Awaitable[Any]] = getattr(owner, name)

    @functools.wraps(call)
    async def dying(*args: Any, **kwargs: Any) -> Any:
        # Asked first: a commit that is already on its way does not pass what is finished meanwhile.
        ours = matches(*args, **kwargs)
        answer = await call(*args, **kwargs)
        if ours:
            die()
        return answer

    setattr(owner, name, dying)


def before_publishing(matches: Callable[[Message], bool]) -> None:
    """Die before such a record is sent, alone or in a group."""
    before(KafkaPublisher, "publish", lambda _, sent: matches(sent))
    before(KafkaPublisher, "enqueue_all", lambda _, sent: any(map(matches, sent)))


def after_publishing(matches: Callable[[Message], bool]) -> None:
    """Die when such a record is acknowledged, and with it all of its group."""
    after(KafkaPublisher, "publish", lambda _, sent: matches(sent))
    acknowledging(matches, whole=True)


def after_the_first(matches: Callable[[Message], bool]) -> None:
    """Die when the first such record of a group is acknowledged, and those behind it are not
    sent."""
    acknowledging(matches, whole=False)


def acknowledging(matches: Callable[[Message], bool], *, whole: bool) -> None:
    """Die on the acknowledgement of a group that has such a record, before anybody hears of it.
    ``whole``: of all its records; else only those up to the first such record are sent."""
    enqueue_all = KafkaPublisher.enqueue_all

    async def dying(
        self: KafkaPublisher, sent: Sequence[Message]
    ) -> Sequence[asyncio.Future[AcknowledgedRun]]:
        ours = next((at for at, message in enumerate(sent) if matches(message)), None)
        if ours is None:
            return await enqueue_all(self, sent)
        await asyncio.gather(*await enqueue_all(self, sent if whole else sent[: ours + 1]))
        die()

    setattr(KafkaPublisher, "enqueue_all", dying)  # noqa: B010  # as above


def in_changelog(key: bytes, *, intent: bool) -> None:
    """Die on the acknowledgement, before the table hears of it and writes to its store."""

    def ours(sent: Message) -> bool:
        return (
            sent.topic.endswith("-changelog")
            and sent.key == key
            and sent.value is not None
            and (decode_record(sent.value).intent is not None) == intent
        )

    acknowledging(ours, whole=True)


def answers_patch(interaction_id: str, response: aiohttp.ClientResponse) -> bool:
    """An answer whose first line has come, so the API is done with the request."""
    return response.method == "PATCH" and response.url.name == interaction_id


if __name__ == "__main__":
    arm(Boundary(sys.argv[1]), sys.argv[2])
    sys.exit(run(["worker"]))
