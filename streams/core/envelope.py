"""Parses EventBridge JSON into an InteractionEvent, or says why it can not (contract, Event in)."""

from __future__ import annotations

import json
import math
import re
from itertools import accumulate
from typing import Any, NoReturn

import msgspec

from streams.core.foreign_text import foreign_text
from streams.errors import EnvelopeError
from streams.timestamps import epoch_ms

UPDATE_DETAIL_TYPE = "purecloud:v2:interaction:update"

# The id goes into a URL path, so no character is allowed that could end its path segment.
INTERACTION_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")

# Digits of a number, or characters of a string. Keeps one event from filling the interaction's
# record in the table.
SEQUENCE_MAX_LENGTH = 128

# Characters of any other text that is kept. If Kafka refused an outcome or a table record for its
# size, the partition would stop at this event for good.
TEXT_MAX_LENGTH = 1024

# Levels of nested JSON. Python's own limit is 1,000 nested calls, of which the caller has used
# some: with that limit alone, the worker might refuse an event that the bridge has accepted.
DEEPEST = 500

# The numbers of more characters than that begin here; a minus sign is one.
_TOO_LOW, _TOO_HIGH = -(10 ** (SEQUENCE_MAX_LENGTH - 1)), 10**SEQUENCE_MAX_LENGTH

_INTEGER = re.compile(r"-?[0-9]+")
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_LEVELS = [(byte in b"[{") - (byte in b"]}") for byte in range(256)]


class InteractionEvent(msgspec.Struct, frozen=True):
    """One state change of one interaction.

    ``sequence_id`` is the id as received. ``order`` is its number; None when it is not a number,
    and then it serves only to find duplicates. ``interaction_type`` and ``state`` are lower case.
    All texts are bounded and can be encoded.
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
        """Equal for two deliveries of the same event: the number, else the string itself."""
        return self.sequence_id if self.order is None else self.order

    @property
    def occurred_ms(self) -> int | None:
        """The event's own time, epoch milliseconds; None when it can not be read."""
        return epoch_ms(self.event_time)


def parse(body: bytes) -> InteractionEvent | None:
    """Read one event.

    Returns None for an event of another detail-type: this program does not handle it. Raises
    EnvelopeError, with the field, for bytes that are not JSON or lack a required field. Its message
    is one short line and quotes nothing of the bytes.
    """
    envelope = json_object(decode_json(body), None)
    detail_type = read_detail_type(envelope)
    if detail_type not in (None, UPDATE_DETAIL_TYPE):
        return None
    if envelope.get("detail") is not None:
        if detail_type is None:
            raise EnvelopeError("detail-type is missing", "detail-type")
    elif detail_type is not None and envelope.get("interactionId") is None:
        raise EnvelopeError("detail is missing", "detail")
    detail = _detail(envelope)
    sequence_id, order = _sequence(detail, "sequenceId")
    return InteractionEvent(
        interaction_id=read_id(detail, "interactionId"),
        sequence_id=sequence_id,
        order=order,
        interaction_type=_lowered(detail, "interactionType"),
        state=_lowered(detail, "state"),
        event_id=read_text(envelope, "id"),
        event_time=read_text(envelope, "time"),
        source=read_text(envelope, "source"),
    )


def readable_interaction_id(body: bytes) -> str | None:
    """The interaction id in bytes that are not a valid event, from the field where an event has it.
    None when there is no valid id there, or when the bytes are not JSON."""
    try:
        return read_id(_detail(json_object(decode_json(body), None)), "interactionId")
    except EnvelopeError:
        return None


def decode_json(body: bytes) -> Any:
    """Parse the whole body as JSON, so that a reader of the topic never gets bytes that are not.

    Fields that nobody reads need only be legal JSON: half a surrogate pair is legal, and so is a
    number too large for any computer. Raises EnvelopeError.
    """
    try:
        value = _QUICK_JSON.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        # It refuses some legal JSON as well, such as half a surrogate pair.
        value = _decode_any(body)
    if body.count(b"[") + body.count(b"{") > DEEPEST and _depth(body) > DEEPEST:
        raise _too_deep()
    return value


def _decode_any(body: bytes) -> Any:
    """Python's own decoder takes all that is legal, at four times the price."""
    try:
        return _JSON.decode(body.decode())
    except UnicodeDecodeError:
        raise EnvelopeError("not UTF-8") from None
    except json.JSONDecodeError as exc:
        raise EnvelopeError(f"not JSON: {exc.msg} (character {exc.pos})") from None
    except RecursionError:
        raise _too_deep() from None


def _integer(digits: str) -> int | float:
    # Python refuses to read a number of more than 4,300 digits. A number with more digits than
    # SEQUENCE_MAX_LENGTH is no valid sequenceId, so infinity may stand for it.
    return int(digits) if len(digits) <= SEQUENCE_MAX_LENGTH else math.inf


def _no_number(name: str) -> NoReturn:
    raise EnvelopeError(f"not JSON: {name} is no number there")


_QUICK_JSON = msgspec.json.Decoder()
_JSON = json.JSONDecoder(parse_int=_integer, parse_constant=_no_number)


def _depth(body: bytes) -> int:
    """How many levels deep the JSON is nested. ``body`` must be JSON."""
    return max(accumulate(map(_LEVELS.__getitem__, _STRING.sub(b"", body)), initial=0))


def _too_deep() -> EnvelopeError:
    return EnvelopeError(f"JSON is nested more than {DEEPEST} levels deep")


def json_object(value: Any, field: str | None) -> dict[str, Any]:
    """The value, which must be an object. ``field``: its path, None for the whole."""
    if not isinstance(value, dict):
        raise EnvelopeError("must be a JSON object", field)
    return value


def _detail(envelope: dict[str, Any]) -> dict[str, Any]:
    """The object with the interaction's fields: the detail, or the envelope if it has none."""
    detail = envelope.get("detail")
    return envelope if detail is None else json_object(detail, "detail")


def read_detail_type(envelope: dict[str, Any]) -> str | None:
    """The detail-type in either spelling; None when it is missing."""
    dashed = read_string(envelope, "detail-type")
    return dashed if dashed is not None else read_string(envelope, "detailType")


def read_string(fields: dict[str, Any], field: str) -> str | None:
    value = fields.get(field)
    if value is not None and not isinstance(value, str):
        raise EnvelopeError(f"{field} must be a string", field)
    return value


def read_text(fields: dict[str, Any], field: str) -> str | None:
    """The text as received; characters that can not be encoded are replaced."""
    value = read_string(fields, field)
    if value is not None and len(value) > TEXT_MAX_LENGTH:
        raise EnvelopeError(f"{field} must have at most {TEXT_MAX_LENGTH} characters", field)
    return value if value is None or _encodable(value) else foreign_text(value, TEXT_MAX_LENGTH)


def _encodable(text: str) -> bool:
    """Whether the text is valid in UTF-8: JSON can escape half a surrogate pair, UTF-8 can not."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _lowered(fields: dict[str, Any], field: str) -> str | None:
    value = read_text(fields, field)
    # Some letters become two in lower case, so the text may be too long now. The words that are
    # compared with it are much shorter, so the cut does not matter.
    return None if value is None else value.lower()[:TEXT_MAX_LENGTH]


def read_id(fields: dict[str, Any], field: str) -> str:
    """A required id of an interaction, which goes into a URL path."""
    value = read_string(fields, field)
    if value is None:
        raise EnvelopeError(f"{field} is missing", field)
    if not INTERACTION_ID.fullmatch(value):
        raise EnvelopeError(f"{field} must match {INTERACTION_ID.pattern}", field)
    return value


def _sequence(fields: dict[str, Any], field: str) -> tuple[int | str, int | None]:
    value = fields.get(field)
    if value is None:
        raise EnvelopeError(f"{field} is missing", field)
    if isinstance(value, str):
        if not 0 < len(value) <= SEQUENCE_MAX_LENGTH:
            raise EnvelopeError(f"{field} must have 1 to {SEQUENCE_MAX_LENGTH} characters", field)
        # Not replaced as in other texts: two different ids could become equal, and the second event
        # would wrongly be a duplicate.
        if not _encodable(value):
            raise EnvelopeError(f"{field} must not have one half of a surrogate pair", field)
        return value, int(value) if _INTEGER.fullmatch(value) else None
    number = isinstance(value, int) and not isinstance(value, bool)
    if not number or not _TOO_LOW < value < _TOO_HIGH:
        raise EnvelopeError(
            f"{field} must be an integer of at most {SEQUENCE_MAX_LENGTH} digits or a string", field
        )
    return value, value
