"""A record that is to be sent to Kafka."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass

Headers = Sequence[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Message:
    """``partition``: None for the one that follows from the key."""

    topic: str
    _: KW_ONLY
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None
