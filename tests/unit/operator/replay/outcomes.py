"""What a worker has published of a call's record."""

from __future__ import annotations

from typing import Any

import msgspec

from streams.core.records import Basis, Decision, Reason, Source
from streams.wire.outcomes import Outcome, outcome_id


def outcome(source: Source, **changes: Any) -> Outcome:
    """The final one of a call that was too short, if nothing else is said."""
    made = Outcome(
        outcome_id=outcome_id(source),
        final=True,
        interaction_id="i-1",
        sequence_id=1,
        event_id=None,
        decision=Decision.INELIGIBLE,
        reason=Reason.TOO_SHORT,
        basis=Basis.API,
        dry_run=False,
        disposition_code_id=None,
        patch_status=None,
        recovered=False,
        api_calls=1,
        attempts=1,
        duration_ms=20_000,
        event_time="",
        decided_at="",
        latency_ms=0,
        end_to_end_ms=0,
        source=source,
        trace_id=None,
        error=None,
    )
    return msgspec.structs.replace(made, **changes)
