"""A record that is to be sent to Kafka."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

Headers = Sequence[tuple[str, bytes]]


class Message(msgspec.Struct, frozen=True):
    """``partition``: None for the one that follows from the key."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None
