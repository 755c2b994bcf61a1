"""What the contenders without the worker's own rules do with an event that costs no call: the table
and the event settle it. Python alone, for quixstreams runs in an environment of its own.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]


def settle(
    known: Json | None, event: Json, topic: str, partition: int, offset: int
) -> tuple[Json, Json]:
    """The interaction's new record, and the outcome of this event."""
    detail = event["detail"]
    sequence = detail["sequenceId"]
    highest = -1 if known is None else known["sequenceId"]
    if sequence > highest:
        decision, reason = "ineligible", "interaction-not-completed"
    elif sequence == highest:
        decision, reason = "duplicate", "duplicate-sequence"
    else:
        decision, reason = "stale", "stale-sequence"
    decided_at = datetime.now(UTC).isoformat(timespec="milliseconds")
    record = {
        "interactionId": detail["interactionId"],
        "interactionType": detail["interactionType"],
        "state": detail["state"],
        "sequenceId": max(sequence, highest),
        "events": 1 if known is None else known["events"] + 1,
        "decision": decision,
        "reason": reason,
        "updatedAt": decided_at,
    }
    outcome = {
        "schemaVersion": 1,
        "outcomeId": f"{topic}/{partition}/{offset}",
        "final": True,
        "interactionId": detail["interactionId"],
        "sequenceId": sequence,
        "eventId": event["id"],
        "decision": decision,
        "reason": reason,
        "eventTime": event["time"],
        "decidedAt": decided_at,
        "source": {"topic": topic, "partition": partition, "offset": offset},
    }
    return record, outcome
