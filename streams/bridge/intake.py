"""Judges a request to the bridge. Plain functions: no sockets, no Kafka, no clock."""

from __future__ import annotations

from dataclasses import dataclass

from streams.clock import rfc3339
from streams.core.envelope import InteractionEvent, parse, readable_interaction_id
from streams.core.records import Reason
from streams.errors import EnvelopeError
from streams.wire.dead_letters import DeadLetter, Stage

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Accepted:
    """An event for the ``events`` topic."""

    event: InteractionEvent


@dataclass(frozen=True, slots=True)
class Skipped:
    """An event of another detail-type, which the bridge does not handle."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """Bytes that are not an event. ``field``: path of the wrong field, None when the whole is
    wrong. ``interaction_id``: the interaction that the bytes are about, where it can be read."""

    error: str
    field: str | None
    interaction_id: str | None = None

    def dead_letter(self, body: bytes, now: float) -> DeadLetter:
        """The record for ``dead-letters``, bytes untouched. ``now``: seconds since the epoch.

        Its key is the interaction's id, so that a search for the interaction finds its refused
        bodies.
        """
        return DeadLetter(
            key=self.interaction_id.encode() if self.interaction_id is not None else None,
            value=body,
            reason=Reason.MALFORMED,
            message=self.error,
            stage=Stage.BRIDGE,
            attempts=1,
            failed_at=rfc3339(now),
        )


def judge(body: bytes) -> Accepted | Skipped | Malformed:
    """Read a body. Never raises, whatever the bytes."""
    try:
        event = parse(body)
    except EnvelopeError as exc:
        return Malformed(str(exc), exc.field, readable_interaction_id(body))
    return Skipped() if event is None else Accepted(event)


def is_json(media_type: str, content_encoding: str | None) -> bool:
    """Whether a body is declared as JSON: ``application/json`` or, by RFC 6839, any
    ``application/…+json``. A compressed body is not taken, because bodies are stored as they
    arrive."""
    if (content_encoding or "identity").strip().lower() != "identity":
        return False
    media_type = media_type.lower()
    return media_type == JSON or (
        media_type.startswith("application/") and media_type.endswith("+json")
    )
