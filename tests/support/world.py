"""A world for the processor: table, Genesys Cloud and Kafka, which outlive the worker's crashes.

Every effect is a step in one journal, when it leaves and when it has been acknowledged, and at any
step a test can have the worker crash or lose its partition.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from faust.types import TP

from streams.core.interaction import Interaction
from streams.core.records import InteractionRecord
from streams.errors import ApiTimeout, Conflict, ConnectionLost, ServerError
from streams.kafka.message import Headers
from streams.kafka.settings import TopicNames
from streams.wire.outcomes import Outcome, decode_outcome
from tests.support.journal import Journal
from tests.support.scripted import LeapingClock

TOPICS = TopicNames("test.")
EVENTS = TP(TOPICS.events, 3)
RETRIES = TP(TOPICS.retries, 3)
CODE = "code-7"
TTL_SECONDS = 1000.0
ELIGIBLE = Interaction(
    id="i-1",
    type="voice",
    state="completed",
    disposition_code_id=None,
    wrap_up_code_id=None,
    duration_ms=60_000,
    etag='"1"',
)
COMPLETED = {"interactionType": "voice", "state": "completed"}


def event(sequence: int | str = 1, *, time: str = "2025-12-12T15:15:00Z", **detail: str) -> bytes:
    """An EventBridge event of the one interaction; a completed voice call by default."""
    return json.dumps(
        {
            "id": f"event-{sequence}",
            "detail-type": "purecloud:v2:interaction:update",
            "source": "aws.partner/genesys.com",
            "time": time,
            "detail": {"interactionId": "i-1", "sequenceId": sequence, **(detail or COMPLETED)},
        }
    ).encode()


class Crashed(BaseException):
    """The process is gone: nothing after this point happens, and nothing catches it."""


@dataclass(frozen=True)
class Sent:
    """One record that Kafka has."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers

    @property
    def named(self) -> dict[str, str]:
        return {name: value.decode() for name, value in self.headers}


Patched = Callable[["World", str, str | None], None]
Fetched = Callable[["World"], None]


@dataclass
class KafkaWorld(Journal):
    """What Kafka has got, which survives a crash, and the journal of how it came about."""

    sent: list[Sent] = field(default_factory=list)
    clock: LeapingClock = field(default_factory=LeapingClock)

    @property
    def outcomes(self) -> list[Outcome]:
        return [
            decode_outcome(sent.value)
            for sent in self.sent
            if sent.topic == TOPICS.outcomes and sent.value is not None
        ]

    @property
    def dead_letters(self) -> list[Sent]:
        return [sent for sent in self.sent if sent.topic == TOPICS.dead_letters]

    @property
    def put_off(self) -> list[Sent]:
        return [sent for sent in self.sent if sent.topic == TOPICS.retries]


@dataclass
class World(KafkaWorld):
    """Beside Kafka, the table and Genesys Cloud with its one interaction.

    ``fetches`` and ``patches`` happen to the next calls instead of the usual. ``late``: PATCHes on
    their way for longer than the caller waited. ``applied`` counts the changes made by PATCHes.
    """

    interaction: Interaction = ELIGIBLE
    records: dict[str, InteractionRecord] = field(default_factory=dict)
    fetches: deque[Fetched] = field(default_factory=deque)
    patches: deque[Patched] = field(default_factory=deque)
    late: list[tuple[str, str | None]] = field(default_factory=list)
    applied: int = 0

    def take(self, code: str, etag: str | None) -> None:
        """The API applies a PATCH, if it is meant for the interaction as it is."""
        if etag is not None and etag != self.interaction.etag:
            raise Conflict("changed meanwhile", status=412)
        self.change(code)
        self.applied += 1

    def change(self, code: str | None) -> None:
        """Somebody changes the interaction."""
        etag = (self.interaction.etag or "") + "'"
        self.interaction = replace(self.interaction, disposition_code_id=code, etag=etag)

    def arrive_late(self) -> None:
        """What was on its way arrives, with nobody to hear how it went."""
        while self.late:
            with suppress(Conflict):
                self.take(*self.late.pop(0))

    @property
    def record(self) -> InteractionRecord:
        return self.records["i-1"]


def lost_once_applied(world: World, code: str, etag: str | None) -> None:
    """The PATCH is applied, its answer never comes."""
    world.take(code, etag)
    raise ApiTimeout("no answer", maybe_applied=True)


def lost_on_the_way(_: World, code: str, etag: str | None) -> None:
    """The PATCH is never applied, and the caller can not know."""
    raise ConnectionLost("connection broke", maybe_applied=True)


def failed_once_applied(world: World, code: str, etag: str | None) -> None:
    world.take(code, etag)
    raise ServerError("500 after all", status=500, maybe_applied=True)


def failed_at_once(_: World, code: str, etag: str | None) -> None:
    raise ServerError("500", status=500, maybe_applied=True)


def arrives_late(world: World, code: str, etag: str | None) -> None:
    """The PATCH arrives behind whatever is sent next."""
    world.late.append((code, etag))
    raise ApiTimeout("no answer yet", maybe_applied=True)


def unreachable(*_: object) -> None:
    raise ConnectionLost("not sent")


def raising(error: Exception) -> Callable[..., None]:
    """A GET or a PATCH that fails so."""

    def fail(*_: object) -> None:
        raise error

    return fail
