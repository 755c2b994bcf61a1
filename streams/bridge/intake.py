"""What the bridge makes of a request: plain functions, no sockets, no Kafka, no clock."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
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
    """An event of another detail-type, which is none of our business."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """Bytes that are no event. ``field``: path of what is wrong, None for the whole.
    ``interaction_id``: of the interaction that they are about, where that can be read."""

    error: str
    field: str | None
    interaction_id: str | None = None

    def dead_letter(self, body: bytes, now: float) -> DeadLetter:
        """The record for ``dead-letters``, bytes untouched. ``now``: seconds since the epoch.

        Its key is the interaction, so that whoever looks for that finds what was refused of it.
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
    """Whether a body is said to be JSON: ``application/json`` or, by RFC 6839, any
    ``application/…+json``. A compressed body is not taken: what is stored is what arrived."""
    if (content_encoding or "identity").strip().lower() != "identity":
        return False
    media_type = media_type.lower()
    return media_type == JSON or (
        media_type.startswith("application/") and media_type.endswith("+json")
    )


def is_authorized(presented: str | None, keys: Sequence[str]) -> bool:
    """Whether ``X-Api-Key`` is one of the accepted keys; any will do when there are none.

    Takes the same time wherever the difference is and whichever key it is.
    """
    if not keys:
        return True
    given = _octets(presented or "")
    matches = [hmac.compare_digest(given, _octets(key)) for key in keys]
    return any(matches)


def _octets(text: str) -> bytes:
    # Header bytes that are not UTF-8 reach us as lone surrogates, and are never another text's.
    return text.encode("utf-8", "surrogatepass")
