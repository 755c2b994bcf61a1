"""Records as the consumer fetches them, and the message that hands them on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from faust.types import TP
from faust.types.tuples import Message

from streams.worker.partitions.runs import as_message


@dataclass(frozen=True)
class Fetched:
    """One record. ``timestamp``: epoch milliseconds."""

    offset: int
    value: bytes | None = b""
    key: bytes | None = b"i-1"
    headers: Sequence[tuple[str, bytes | None]] = ()
    timestamp: int | None = 1_765_552_506_500


def in_one_run(tp: TP, *records: Fetched, generation: int = 1) -> Message:
    return as_message(tp, records, generation)
