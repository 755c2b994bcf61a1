"""Each decision as one plain sentence: what was decided, why, and what would have had to be
different. Pure."""

from __future__ import annotations

from streams.core.envelope import InteractionEvent
from streams.core.records import Basis, Decision, Reason, Verdict
from streams.lengths import length
from streams.operator.explain import leg_verdicts
from streams.wire.outcomes import Outcome

_REDRIVE = "dead-letters redrive --interaction ID decides it anew"


def sentence(outcome: Outcome, event: InteractionEvent | None, threshold_ms: int) -> str:
    """``event``: that it is about; None when it is not known. ``threshold_ms``: the
    DURATION_THRESHOLD_MS of today, for the worker's of that time is not told."""
    match outcome.decision:
        case Decision.PATCHED:
            return _patched(outcome)
        case Decision.WOULD_PATCH:
            code = f" {outcome.disposition_code_id}" if outcome.disposition_code_id else ""
            return f"it would get the code{code}; DRY_RUN=false would have set it"
        case Decision.DEFERRED:
            return f"put off: {_deferred(outcome)}; next try {outcome.next_at}"
        case Decision.FAILED:
            return f"failed: {_failed(outcome)}"
        case Decision.CONFLICT:
            return (
                f"no code: somebody changed the interaction between our GET and our PATCH"
                f"{_status(outcome.patch_status)}; without that change it would have got the code"
            )
        case Decision.NOT_FOUND:
            return (
                "no code: Genesys Cloud does not know the interaction (404): it is of another org, "
                "or was deleted; GENESYS_CLOUD_BASE_URL says which org is asked"
            )
        case Decision.DUPLICATE:
            return _duplicate(outcome)
        case Decision.NOTED | Decision.REFUSED | Decision.UNCONFIRMED:
            return leg_verdicts.sentence(outcome)
        case Decision.STALE:
            return (
                f"late: a sequence above {outcome.sequence_id} had been decided before; in its "
                "turn it would have been looked at"
            )
        case Decision.INELIGIBLE:
            return f"no code: {_ineligible(outcome, event, threshold_ms)}"


def would(verdict: Verdict, threshold_ms: int) -> str:
    """What a worker in a dry run would decide about what Genesys Cloud says now."""
    if verdict.decision is Decision.WOULD_PATCH:
        return "today it would get the code"
    if verdict.decision is Decision.NOTED:
        return "its agent has time left, so it would be looked at again"
    said = f": {verdict.error.message}" if verdict.error is not None else ""
    if verdict.decision in (Decision.DEFERRED, Decision.FAILED):
        return f"what it says now is not known ({verdict.reason}){said}"
    if verdict.reason is Reason.TOO_SHORT:
        return (
            f"today it would get no code: it lasted {length(verdict.duration_ms)}, and "
            f"{length(threshold_ms)} would have done (DURATION_THRESHOLD_MS)"
        )
    return f"today it would get no code ({verdict.reason}){said}"


def _patched(outcome: Outcome) -> str:
    code = outcome.disposition_code_id
    if outcome.recovered:
        return (
            f"it has the code {code}: after a crash or a lost answer the PATCH was in doubt, and a "
            "look at the interaction showed that it had been done"
        )
    return f"it got the code {code} (PATCH {outcome.patch_status})"


def _duplicate(outcome: Outcome) -> str:
    if outcome.reason is Reason.DUPLICATE_EVENT:
        return (
            "a duplicate: the same event had come before; as a new one it would have been a reason "
            "to look"
        )
    return (
        f"a duplicate: sequence {outcome.sequence_id} had been decided before; as a new sequence "
        "it would have been looked at"
    )


def _ineligible(outcome: Outcome, event: InteractionEvent | None, threshold_ms: int) -> str:
    of_a_leg = leg_verdicts.of_a_leg(outcome, threshold_ms)
    if (said := of_a_leg or leg_verdicts.without_a_leg(outcome.reason)) is not None:
        return said
    who = {
        Basis.EVENT: "the event says",
        Basis.CACHE: "an earlier event or answer said",
        Basis.API: "Genesys Cloud says",
    }[outcome.basis]
    match outcome.reason:
        case Reason.NON_VOICE:
            kind = event.interaction_type if event is not None else None
            named = f"{kind}, not voice" if kind and outcome.basis is Basis.EVENT else "not voice"
            return f"{who} that it is {named}; a voice interaction would have been looked at"
        case Reason.NOT_COMPLETED:
            state = event.state if event is not None else None
            seen = f"{state}, not completed" if state and outcome.basis is Basis.EVENT else None
            return f"{who} that it is {seen or 'not completed'}; once it is completed it is decided"
        case Reason.DISPOSITION_SET:
            return f"{who} that it has one already; without one it would have been looked at"
        case Reason.WRAP_UP_SET:
            return f"{who} that it has a wrap-up code; without one it would have been looked at"
        case Reason.TOO_SHORT:
            return _too_short(outcome, threshold_ms)
        case _:
            return f"{who} that it is not to have one ({outcome.reason})"


def _too_short(outcome: Outcome, threshold_ms: int) -> str:
    enough = length(threshold_ms)
    if not outcome.duration_ms:
        return (
            "Genesys Cloud gave no start and end from which its length could be told; "
            f"{enough} would have done"
        )
    said = f"it lasted {length(outcome.duration_ms)}"
    if outcome.duration_ms >= threshold_ms:
        return (
            f"{said}, and the worker's DURATION_THRESHOLD_MS was above that; the {enough} that are "
            "set here would have done"
        )
    return f"{said}; {enough} would have done (DURATION_THRESHOLD_MS)"


def _deferred(outcome: Outcome) -> str:
    said = _said(outcome)
    match outcome.reason:
        case Reason.NOT_YET_VISIBLE:
            return (
                "the event says that it is over and Genesys Cloud does not show that yet; it is "
                "looked at again within LAG_WINDOW_SECONDS"
            )
        case Reason.SERVER_ERROR:
            return f"Genesys Cloud failed{said}; an answer would have decided it"
        case Reason.TIMEOUT:
            return f"Genesys Cloud did not answer in time{said}; an answer would have decided it"
        case Reason.RATE_LIMITED:
            return f"Genesys Cloud asked for fewer requests (429){said}"
        case Reason.CIRCUIT_OPEN:
            return f"Genesys Cloud was failing, and nothing was sent{said}"
        case Reason.UNAUTHORIZED:
            return f"Genesys Cloud accepted no token{said}; valid credentials would have done"
        case _:
            return f"a fault of this program; the worker's log has it: report it{said}"


def _failed(outcome: Outcome) -> str:
    said = _said(outcome)
    match outcome.reason:
        case Reason.FORBIDDEN:
            return f"a scope or permission was missing{said}; with it, {_REDRIVE}"
        case Reason.UNAUTHORIZED:
            return f"Genesys Cloud accepted no token{said}; with valid credentials, {_REDRIVE}"
        case Reason.BAD_REQUEST:
            return f"Genesys Cloud refused what was asked{said}; once that is mended, {_REDRIVE}"
        case Reason.RETRIES_EXHAUSTED:
            return f"it was put off too often{said}; once the cause is over, {_REDRIVE}"
        case Reason.MALFORMED:
            return f"the bytes are no event{said}; another producer put them there"
        case Reason.SKIPPED:
            return "named in SKIP_RECORDS, so it was not read; without that it would have been"
        case _:
            return f"a fault of this program; the worker's log has it: report it{said}"


def _said(outcome: Outcome) -> str:
    """The error's own words, behind a colon."""
    return f": {outcome.error.message}" if outcome.error is not None else ""


def _status(status: int | None) -> str:
    return "" if status is None else f" ({status})"
