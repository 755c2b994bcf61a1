"""How the index lays out its keys: RocksDB sorts bytes, and so each question is one range. Pure.

| first byte | then | value |
|---|---|---|
| ``r`` | place | the record as it lies in Kafka |
| ``i`` | interaction's id, NUL, place | nothing |
| ``s`` | partition and offset in ``events``, place | nothing: a record about that event |
| ``a`` | another id (event's, outcome's, trace's), NUL, interaction's id | nothing |
| ``x`` | name of a list, NUL, time (the latest first), place | what the list is filtered by |
| ``w`` | what was put off: its event, or its leg | place of the outcome that says so |
| ``m``, ``h`` | minute, hour | what was decided in it |
| ``p`` | topic, partition | the offset to read on from |
| ``v`` | | what the index is of |

A place is a topic's letter, a partition and an offset, so a topic's records lie in their order.
"""

from __future__ import annotations

import struct
from enum import StrEnum
from typing import NamedTuple

# Numbers lie with their highest byte first, so that they sort as numbers.
_PLACE = struct.Struct(">sIQ")
_EVENT = struct.Struct(">IQ")
_TIME = struct.Struct(">Q")

# Times are stored as their distance to this one, so that the latest come first. Epoch milliseconds;
# a record may say any time, and is listed within these bounds.
LATEST = 2**63 - 1

RECORD, BY_ID, BY_EVENT, ALIAS, LIST, WAITS = b"r", b"i", b"s", b"a", b"x", b"w"
MINUTE, HOUR, POSITION, ORIGIN = b"m", b"h", b"p", b"v"

_END_OF_TEXT = b"\0"


class Topic(StrEnum):
    """The topics by the letter of their places. The letters sort in the order in which a history
    is read."""

    EVENTS = "e"
    LETTERS = "l"
    OUTCOMES = "o"
    RETRIES = "r"


class Place(NamedTuple):
    """Where a record lies."""

    topic: Topic
    partition: int
    offset: int

    def encode(self) -> bytes:
        return _PLACE.pack(self.topic.encode(), self.partition, self.offset)


def place_of(key: bytes) -> Place:
    """The place at the end of a key."""
    topic, partition, offset = _PLACE.unpack(key[-_PLACE.size :])
    return Place(Topic(topic.decode()), partition, offset)


def record_key(place: Place) -> bytes:
    return RECORD + place.encode()


def log_prefix(topic: Topic, partition: int) -> bytes:
    """All records of one partition."""
    return record_key(Place(topic, partition, 0))[: -_TIME.size]


def id_prefix(interaction_id: str) -> bytes:
    """All records of one interaction."""
    return BY_ID + interaction_id.encode() + _END_OF_TEXT


def event_prefix(partition: int, offset: int) -> bytes:
    """All records about one event."""
    return BY_EVENT + _EVENT.pack(partition, offset)


def alias_prefix(text: str) -> bytes:
    """The interactions that something with this id belongs to."""
    return ALIAS + text.encode() + _END_OF_TEXT


def id_in(key: bytes) -> str:
    """The interaction's id in a key of ``BY_ID``."""
    return key[1 : -_PLACE.size - 1].decode()


def list_prefix(name: str) -> bytes:
    """A list, the latest first."""
    return LIST + name.encode() + _END_OF_TEXT


def list_time(at: int) -> bytes:
    """Where in a list this time is, epoch milliseconds."""
    return _TIME.pack(LATEST - min(max(at, 0), LATEST))


def time_in(key: bytes) -> int:
    """The time in a key of a list."""
    (distance,) = _TIME.unpack(key[-_PLACE.size - _TIME.size : -_PLACE.size])
    return LATEST - int(distance)


def waits_for_event(partition: int, offset: int) -> bytes:
    return WAITS + b"e" + _EVENT.pack(partition, offset)


def waits_for_leg(interaction_id: str, participant_id: str) -> bytes:
    return WAITS + b"l" + interaction_id.encode() + _END_OF_TEXT + participant_id.encode()


def bucket_key(kind: bytes, start: int) -> bytes:
    """``start``: epoch milliseconds."""
    return kind + _TIME.pack(start)


def start_of(key: bytes) -> int:
    """When the minute or the hour of this key begins, epoch milliseconds."""
    return int(_TIME.unpack(key[1:])[0])


def position_key(topic: Topic, partition: int) -> bytes:
    return POSITION + topic.encode() + partition.to_bytes(4, "big")


def after(prefix: bytes) -> bytes:
    """The first key behind all those that begin with the prefix."""
    number = int.from_bytes(prefix, "big") + 1
    return number.to_bytes(len(prefix), "big")
