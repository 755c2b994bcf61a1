"""Dead letters as the worker and the bridge write them, read back."""

from __future__ import annotations

import json

from streams.core.records import Source
from streams.wire.dead_letters import DeadLetter, Letter, Stage, read_letter

TOPIC = "genesys.interaction.events"
AT = "2026-01-05T08:00:00.000Z"
AT_MS = 1_767_600_000_000


def body(interaction_id: str = "i-1") -> bytes:
    detail = {"interactionId": interaction_id, "sequenceId": 1, "state": "completed"}
    return json.dumps({"detail-type": "purecloud:v2:interaction:update", "detail": detail}).encode()


def letter(
    offset: int,
    *,
    of: int | None = 0,
    value: bytes = body(),
    reason: str = "forbidden",
    redriven: int = 0,
) -> Letter:
    """As the worker writes it, of the record at ``of`` in partition 3; None: the bridge's."""
    written = DeadLetter(
        key=b"i-1",
        value=value,
        reason=reason,
        message="give it the scope",
        stage=Stage.BRIDGE if of is None else Stage.WORKER,
        attempts=1,
        failed_at=AT,
        source=None if of is None else Source(TOPIC, 3, of),
        redriven=redriven,
    )
    return read_letter(0, offset, written.key, written.value, written.headers())
