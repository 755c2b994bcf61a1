"""Calls of which each takes another way, and how a worker is set for them."""

from __future__ import annotations

from typing import Any

from tests.support.journey import CODE
from tests.support.workers import free_port

Json = dict[str, Any]

# Of a worker and a bridge; a record that was put off comes back after a second or two.
SETTINGS: Json = {
    "genesys_cloud_client_id": "client",
    "genesys_cloud_client_secret": "secret",
    "disposition_code_id": CODE,
    "breaker_open_seconds": 1.0,
    "retry_first_seconds": 2.0,
    "kafka_session_timeout_seconds": 6.0,
}


def ports() -> dict[str, int]:
    return {"bridge_port": free_port(), "worker_port": free_port()}


def truth(call: str, **other: Any) -> Json:
    """A call as Genesys Cloud has it: over, without a code, and long enough for one."""
    times = {"startTime": "2026-01-05T08:00:00Z", "endTime": "2026-01-05T08:05:00Z"}
    return {"id": call, "type": "voice", "state": "completed", "metadata": times} | other


def event(call: str, **detail: Any) -> Json:
    """What EventBridge says of a call that has just ended, or of anything else."""
    usual = {
        "interactionId": call,
        "sequenceId": 9,
        "interactionType": "voice",
        "state": "completed",
    }
    return {
        "version": "0",
        "id": f"event-of-{call}",
        "detail-type": "purecloud:v2:interaction:update",
        "source": "aws.partner/genesys.com/test",
        "time": "2026-01-05T08:05:01Z",
        "detail": usual | detail,
    }
