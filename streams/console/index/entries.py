"""Under which keys a record is found. Pure.

All but what waits and what was counted follows from the record alone, so that the same function
says what to write when the record comes, and what to take away when Kafka has deleted it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from streams.console.index.keys import (
    Place,
    Topic,
    alias_prefix,
    event_prefix,
    id_prefix,
    list_prefix,
    list_time,
    record_key,
    waits_for_event,
    waits_for_leg,
)
from streams.console.index.raw import RawRecord, pack
from streams.core.conversations.events import ConversationEvent
from streams.core.envelope import INTERACTION_ID, InteractionEvent
from streams.core.records import Source
from streams.operator.explain.records import (
    event_record,
    letter_record,
    return_record,
)
from streams.timestamps import epoch_ms
from streams.wire.outcomes import Outcome, read_outcome

# The lists: all outcomes, those of a decision, a reason or an HTTP status; and the dead letters.
OUTCOMES, DECISION, REASON, STATUS, LETTERS = "o", "o:d:", "o:r:", "o:s:", "l"

# A foreign outcome or event may have an id of any length; nobody looks for a longer one than this.
LONGEST_ALIAS = 200


class Row(msgspec.Struct, frozen=True, array_like=True):
    """What a list of outcomes is filtered by."""

    interaction_id: str | None
    decision: str
    reason: str
    status: int | None


encode_row = msgspec.msgpack.Encoder().encode
decode_row = msgspec.msgpack.Decoder(Row).decode


@dataclass(frozen=True, slots=True)
class Entries:
    """``kept``: keys and values that live as long as the record. ``outcome``: what is counted.
    ``waits``: the key under which it waits, None for none; it does so unless ``final``."""

    kept: list[tuple[bytes, bytes]]
    outcome: Outcome | None = None
    waits: bytes | None = None


def entries(place: Place, record: RawRecord, events_topic: str) -> Entries:
    """``events_topic``: the name of ``events``; what says that it is of another one is of none."""
    kept = [(record_key(place), pack(record))]
    outcome, waits = None, None
    match place.topic:
        case Topic.EVENTS:
            kept += _of_event(place, record)
        case Topic.OUTCOMES:
            read = read_outcome(record.value)
            if isinstance(read, Outcome):
                outcome, waits = read, _waits(read, events_topic)
                kept += _of_outcome(place, read, events_topic)
            else:
                kept += _of_id(place, _text(record.key))
        case Topic.RETRIES:
            returned = return_record(record).returned
            kept += _of_id(place, _text(record.key))
            if returned is not None:
                kept += _about(place, returned.source, events_topic)
        case Topic.LETTERS:
            letter = letter_record(record).letter
            for name in {letter.interaction_id, _text(record.key)}:
                kept += _of_id(place, name)
            kept += _about(place, letter.source, events_topic)
            at = list_time(record.timestamp if letter.failed_at is None else letter.failed_at)
            kept.append((list_prefix(LETTERS) + at + place.encode(), b""))
    return Entries(kept, outcome, waits)


def status_of(outcome: Outcome) -> int | None:
    """The HTTP status that decided it, where there was one."""
    if outcome.error is not None and outcome.error.status is not None:
        return outcome.error.status
    return outcome.patch_status


def _of_event(place: Place, record: RawRecord) -> Iterator[tuple[bytes, bytes]]:
    event = event_record(record).event
    if isinstance(event, InteractionEvent | ConversationEvent):
        yield from _of_id(place, event.interaction_id)
        yield from _alias(event.event_id, event.interaction_id)
    else:
        yield from _of_id(place, _text(record.key))


def _of_outcome(place: Place, outcome: Outcome, events_topic: str) -> Iterator[tuple[bytes, bytes]]:
    yield from _of_id(place, outcome.interaction_id)
    yield from _about(place, outcome.source, events_topic)
    yield from _alias(outcome.trace_id, outcome.interaction_id)
    yield from _alias(outcome.outcome_id, outcome.interaction_id)
    status = status_of(outcome)
    where = list_time(epoch_ms(outcome.decided_at) or 0) + place.encode()
    row = encode_row(Row(outcome.interaction_id, outcome.decision, outcome.reason, status))
    names = [OUTCOMES, DECISION + outcome.decision, REASON + outcome.reason]
    if status is not None:
        names.append(f"{STATUS}{status}")
    for name in names:
        yield list_prefix(name) + where, row


def _of_id(place: Place, interaction_id: str | None) -> Iterator[tuple[bytes, bytes]]:
    if interaction_id is not None and INTERACTION_ID.fullmatch(interaction_id):
        yield id_prefix(interaction_id) + place.encode(), b""


def _about(place: Place, source: Source | None, events_topic: str) -> Iterator[tuple[bytes, bytes]]:
    if source is not None and source.topic == events_topic and _fits(source):
        yield event_prefix(source.partition, source.offset) + place.encode(), b""


def _alias(text: str | None, interaction_id: str | None) -> Iterator[tuple[bytes, bytes]]:
    if not text or len(text) > LONGEST_ALIAS or not text.isprintable():
        return
    if interaction_id is not None and INTERACTION_ID.fullmatch(interaction_id):
        yield alias_prefix(text) + interaction_id.encode(), b""


def _waits(outcome: Outcome, events_topic: str) -> bytes | None:
    if outcome.leg is not None:
        return waits_for_leg(outcome.interaction_id or "", outcome.leg.participant_id)
    if outcome.source.topic != events_topic or not _fits(outcome.source):
        return None
    return waits_for_event(outcome.source.partition, outcome.source.offset)


def _fits(source: Source) -> bool:
    """Whether Kafka can have such a place; another program may write any number."""
    return 0 <= source.partition < 2**31 and 0 <= source.offset < 2**63


def _text(key: bytes | None) -> str | None:
    try:
        return None if key is None else key.decode()
    except UnicodeDecodeError:
        return None
