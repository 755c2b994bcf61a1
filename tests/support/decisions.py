"""Policies, events, interactions and verdicts that decisions are tried on."""

from __future__ import annotations

from typing import Any

from streams.core.decision import Patch, Policy, Settle, Step, apply
from streams.core.envelope import InteractionEvent
from streams.core.interaction import Interaction
from streams.core.records import Basis, Decision, Intent, InteractionRecord, Reason, Verdict

CODE = "code-1"
REAL = Policy(CODE)
ALWAYS = Policy(CODE, fetch="always")
DRY = Policy(CODE, dry_run=True)
SENT = Intent(41, CODE)
PATCH = Patch(CODE, '"v1"', 60_000)
EMPTY = InteractionRecord("i-1")

PATCHED = Verdict(
    Decision.PATCHED, Reason.ELIGIBLE, Basis.API, disposition_code_id=CODE, duration_ms=60_000
)

WOULD_PATCH = Verdict(
    Decision.WOULD_PATCH,
    Reason.ELIGIBLE,
    Basis.API,
    dry_run=True,
    disposition_code_id=CODE,
    duration_ms=60_000,
)


def event(sequence_id: int | str = 5, **fields: Any) -> InteractionEvent:
    values: dict[str, Any] = {"interaction_type": "voice", "state": "completed"}
    order = sequence_id if isinstance(sequence_id, int) else None
    return InteractionEvent(
        interaction_id="i-1",
        sequence_id=sequence_id,
        order=order,
        event_id=None,
        event_time=None,
        **(values | fields),
    )


def interaction(**fields: Any) -> Interaction:
    values: dict[str, Any] = {
        "id": "i-1",
        "type": "voice",
        "state": "completed",
        "disposition_code_id": None,
        "wrap_up_code_id": None,
        "duration_ms": 60_000,
        "etag": '"v1"',
    }
    return Interaction(**(values | fields))


def ineligible(reason: Reason, basis: Basis = Basis.API) -> Verdict:
    return Verdict(Decision.INELIGIBLE, reason, basis, duration_ms=9)


def verdict_of(step: Step | None) -> Verdict:
    assert isinstance(step, Settle)
    return step.verdict


def decision_of(step: Step | None) -> tuple[str, str, str]:
    verdict = verdict_of(step)
    return verdict.decision, verdict.reason, verdict.basis


def after(*events: tuple[InteractionEvent, Verdict]) -> InteractionRecord:
    """The interaction's record once these were decided so, at offsets 0, 1, ..."""
    record = EMPTY
    for offset, (one, verdict) in enumerate(events):
        record = apply(record, one, offset, verdict, 1_000 + offset)
    return record


NOT_COMPLETED = ineligible(Reason.NOT_COMPLETED, Basis.EVENT)
