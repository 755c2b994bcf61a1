"""Decides where a partition is read from when it is assigned. No I/O, and no clock.

A committed offset means something only in the log that it was committed for. Topics are deleted and
made anew under their old name, logs lose their tail in an unclean election, retention deletes what
nobody has read, and people set offsets by hand. aiokafka then resets the position with no more than
a line at INFO, and knows no leader epochs (KIP-320) by which a log that was cut could be noticed
(tests/unit/libraries/test_aiokafka.py); records below the committed offset would pass for repeats.
So the committed offset is compared here with what the broker has.

A *life* names the log that offsets refer to: the topic's id, and ``@<epoch ms>`` behind it when the
log was cut at that time. It is in the metadata of each offset that a worker commits. Offsets of
different lives cannot be compared.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from streams.core.records import CUT

# A topic's id is 16 bytes in base64: Kafka's tools write it with - and _ (apache/kafka#11901),
# librdkafka with + and / (test_librdkafka.py). Anything else in the metadata is not a worker's.
_LIFE = re.compile(r"(?P<topic>[A-Za-z0-9_+/-]{22})?(@\d{1,19})?", re.ASCII)


# The time in a life has at most 19 digits.
_END_OF_TIME = 10**19


class Notice(Enum):
    """What an operator has to know about the place where a partition starts."""

    CUT = auto()
    """Committed past the end: the log has lost its tail, or the offset was set wrongly."""
    DELETED = auto()
    """Committed below the beginning: retention has deleted records that nobody decided."""
    ANOTHER = auto()
    """Committed for another topic of this name: it was deleted and made anew."""
    UNSIGNED = auto()
    """Not committed by a worker of this release: an older one, or a person."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the broker says of one partition. ``committed``: None where nothing is. ``metadata``:
    what was committed with the offset. ``end``: the offset that the next record will get."""

    committed: int | None
    metadata: str
    beginning: int
    end: int


@dataclass(frozen=True, slots=True)
class Start:
    """The offset to go on from, and the life that it belongs to."""

    offset: int
    life: str
    notice: Notice | None = None


def starting_point(found: Found, topic_id: str, now_ms: int) -> Start:
    """Where to go on, so that no record of this log is passed over without an outcome.

    ``topic_id`` is empty where the broker does not say it; then nothing is concluded from it.
    """
    if found.committed is None:
        return Start(found.beginning, topic_id)
    signed = _LIFE.fullmatch(found.metadata) is not None and found.metadata != ""
    life = found.metadata if signed else topic_id
    if signed and _another(life, topic_id):
        return Start(found.beginning, topic_id, Notice.ANOTHER)
    if found.committed > found.end:
        return Start(found.beginning, cut_life(life, now_ms, topic_id), Notice.CUT)
    if found.committed < found.beginning:
        return Start(found.beginning, life, Notice.DELETED)
    if not signed and topic_id and found.committed > found.beginning:
        return Start(found.committed, life, Notice.UNSIGNED)
    return Start(found.committed, life)


def cut_life(life: str, now_ms: int, topic_id: str = "") -> str:
    """A new life for the log named by ``life``, which was cut at ``now_ms``. It differs from
    ``life`` even when a clock was set back. ``topic_id``: the topic's id, empty if unknown."""
    topic, _, before = life.partition(CUT)
    cut_at = max(now_ms, (int(before or 0) + 1) % _END_OF_TIME)
    return f"{topic_id or topic}{CUT}{cut_at}"


def _another(life: str, topic_id: str) -> bool:
    """Whether both name their topic, and the topics differ."""
    of = life.partition(CUT)[0]
    return bool(of and topic_id) and of != topic_id
