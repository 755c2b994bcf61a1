"""EventBridge JSON into an InteractionEvent, or a named reason why not (contract, Event in)."""

from __future__ import annotations

import re
from dataclasses import dataclass

import msgspec

from streams.errors import EnvelopeError

UPDATE_DETAIL_TYPE = "purecloud:v2:interaction:update"

# The id goes into a URL path, so nothing that could leave its segment is let through.
INTERACTION_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")

# Digits of a number, characters of a string: keeps one event from filling an interaction's record.
SEQUENCE_MAX_LENGTH = 128

# Characters of any other text that is kept: an outcome or a table record that Kafka refuses for its
# size would stop the partition at this event for good.
TEXT_MAX_LENGTH = 1024

_INTEGER = re.compile(r"-?[0-9]+")


@dataclass(frozen=True, slots=True)
class InteractionEvent:
    """One state change of one interaction.

    ``sequence_id`` is the id as received; ``order`` its number, or None when it has none and
    serves dedup alone. ``interaction_type`` and ``state`` are lower case.
    """

    interaction_id: str
    sequence_id: int | str
    order: int | None
    interaction_type: str | None
    state: str | None
    event_id: str | None
    event_time: str | None
    source: str | None = None

    @property
    def identity(self) -> int | str:
        """What makes two deliveries the same event: the number, else the string itself."""
        return self.sequence_id if self.order is None else self.order


class _Detail(msgspec.Struct, rename="camel"):
    interaction_id: msgspec.Raw = msgspec.Raw(b"null")
    sequence_id: msgspec.Raw = msgspec.Raw(b"null")
    interaction_type: msgspec.Raw = msgspec.Raw(b"null")
    state: msgspec.Raw = msgspec.Raw(b"null")


class _Envelope(_Detail):
    detail: msgspec.Raw = msgspec.Raw(b"null")
    detail_type_dashed: msgspec.Raw = msgspec.field(
        name="detail-type", default=msgspec.Raw(b"null")
    )
    detail_type: msgspec.Raw = msgspec.Raw(b"null")
    id: msgspec.Raw = msgspec.Raw(b"null")
    time: msgspec.Raw = msgspec.Raw(b"null")
    source: msgspec.Raw = msgspec.Raw(b"null")


_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_detail = msgspec.json.Decoder(_Detail).decode
_decode_any = msgspec.json.Decoder().decode
_decode_string = msgspec.json.Decoder(str).decode


def parse(body: bytes) -> InteractionEvent | None:
    """Read one event.

    Returns None for an event of another detail-type, which is none of our business. Raises
    EnvelopeError, with the field, for bytes that are not JSON or lack what is required.
    """
    whole: str | None = None
    try:
        # Decoding skips what it does not need, so the whole is checked here once: a reader of the
        # topic must never meet bytes that are not JSON all the way through.
        whole = "detail" if isinstance(_decode_any(body), dict) else None
        envelope = _decode_envelope(body)
        detail_type = _detail_type(envelope)
        if detail_type not in (None, UPDATE_DETAIL_TYPE):
            return None
        detail: _Detail = envelope
        if bytes(envelope.detail) != b"null":
            if detail_type is None:
                raise EnvelopeError("detail-type is missing", "detail-type")
            detail = _decode_detail(envelope.detail)
        elif detail_type is not None and bytes(envelope.interaction_id) == b"null":
            raise EnvelopeError("detail is missing", "detail")
    except RecursionError:
        raise EnvelopeError("JSON is nested too deeply") from None
    except UnicodeDecodeError:
        raise EnvelopeError("not UTF-8") from None
    except msgspec.ValidationError as exc:
        if "object" in str(exc):
            raise EnvelopeError("must be a JSON object", whole) from None
        raise EnvelopeError(f"not JSON that can be read: {exc}") from None
    except msgspec.DecodeError as exc:
        raise EnvelopeError(f"not JSON: {exc}") from None
    sequence_id, order = _sequence(detail.sequence_id, "sequenceId")
    return InteractionEvent(
        interaction_id=_interaction_id(detail.interaction_id, "interactionId"),
        sequence_id=sequence_id,
        order=order,
        interaction_type=_lowered(detail.interaction_type, "interactionType"),
        state=_lowered(detail.state, "state"),
        event_id=_text(envelope.id, "id"),
        event_time=_text(envelope.time, "time"),
        source=_text(envelope.source, "source"),
    )


def _detail_type(envelope: _Envelope) -> str | None:
    dashed = _string(envelope.detail_type_dashed, "detail-type")
    return dashed if dashed is not None else _string(envelope.detail_type, "detailType")


def _string(raw: msgspec.Raw, field: str) -> str | None:
    if bytes(raw) == b"null":
        return None
    try:
        return _decode_string(raw)
    except msgspec.ValidationError:
        raise EnvelopeError(f"{field} must be a string", field) from None


def _text(raw: msgspec.Raw, field: str) -> str | None:
    value = _string(raw, field)
    if value is not None and len(value) > TEXT_MAX_LENGTH:
        raise EnvelopeError(f"{field} must have at most {TEXT_MAX_LENGTH} characters", field)
    return value


def _lowered(raw: msgspec.Raw, field: str) -> str | None:
    value = _text(raw, field)
    return None if value is None else value.lower()


def _interaction_id(raw: msgspec.Raw, field: str) -> str:
    value = _string(raw, field)
    if value is None:
        raise EnvelopeError(f"{field} is missing", field)
    if not INTERACTION_ID.fullmatch(value):
        raise EnvelopeError(f"{field} must match {INTERACTION_ID.pattern}", field)
    return value


def _sequence(raw: msgspec.Raw, field: str) -> tuple[int | str, int | None]:
    text = bytes(raw).decode()
    if text == "null":
        raise EnvelopeError(f"{field} is missing", field)
    if text.startswith('"'):
        value = _decode_string(raw)
        if not 0 < len(value) <= SEQUENCE_MAX_LENGTH:
            raise EnvelopeError(f"{field} must have 1 to {SEQUENCE_MAX_LENGTH} characters", field)
        return value, int(value) if _INTEGER.fullmatch(value) else None
    if not _INTEGER.fullmatch(text) or len(text) > SEQUENCE_MAX_LENGTH:
        raise EnvelopeError(
            f"{field} must be an integer of at most {SEQUENCE_MAX_LENGTH} digits or a string", field
        )
    return int(text), int(text)
