"""How it stands with the legs of a conversation, and with the look at it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from streams.clock import rfc3339
from streams.core.records import Decision, Reason
from streams.operator.explain.found import Found, OutcomeRecord
from streams.operator.explain.state import Conclusion, LegStands, State
from streams.operator.explain.verdicts import sentence
from streams.timestamps import epoch_ms
from streams.wire.outcomes import Outcome

# What a leg's decision says of it. Every other decision on a leg gives it no code.
_STATES = {
    Decision.PATCHED: State.CODED,
    Decision.WOULD_PATCH: State.WOULD,
    Decision.UNCONFIRMED: State.UNCONFIRMED,
    Decision.DEFERRED: State.WAITS,
    Decision.FAILED: State.FAILED,
}

# Of several legs the whole has the state of the one that asks most of whoever reads it.
_FOREMOST = (
    *(State.WAITS, State.FAILED, State.UNCONFIRMED),
    *(State.CODED, State.WOULD, State.NO_CODE),
)

# Outcomes that a record has at once, as it arrives: they do not say that a look was made.
_ON_ARRIVAL = (Reason.LOOK_JOINED, Reason.EVENT_NOT_NEEDED, Reason.DUPLICATE_EVENT)


def legs_of(outcomes: Sequence[Outcome], threshold_ms: int) -> Sequence[LegStands]:
    """Each leg with its latest decision; a code that it got from us stays its code."""
    latest: dict[str, Outcome] = {}
    for outcome in outcomes:
        if outcome.leg is None:
            continue
        before = latest.get(outcome.leg.participant_id)
        if before is None or before.decision is not Decision.PATCHED:
            latest[outcome.leg.participant_id] = outcome
    return [
        LegStands(
            outcome.leg,
            _STATES.get(outcome.decision, State.NO_CODE),
            sentence(outcome, None, threshold_ms),
        )
        for outcome in latest.values()
        if outcome.leg is not None
    ]


def of_legs(legs: Sequence[LegStands]) -> Conclusion:
    """The whole, of at least one leg."""
    states = Counter(each.state for each in legs)
    state = next(each for each in _FOREMOST if each in states)
    if len(legs) == 1:
        return Conclusion(state, f"its one leg: {legs[0].what}")
    numbers = ", ".join(f"{states[each]} {each}" for each in _FOREMOST if each in states)
    return Conclusion(state, f"{len(legs)} legs: {numbers}")


def look_to_come(found: Found) -> Conclusion | None:
    """That a look is planned, when nothing that it could have told has come since. A look publishes
    what it decides before the copy that brings about the next one."""
    planned = [
        (each.at, each.returned.put_off.not_before)
        for each in found.returns
        if each.returned is not None and each.reason == Reason.LOOK_PLANNED
    ]
    if not planned:
        return None
    stored_at, due = planned[-1]
    if any(_tells_of_a_look(each, stored_at, due) for each in found.outcomes):
        return None
    at = rfc3339(due / 1000)
    return Conclusion(
        State.WAITS,
        f"a look at the conversation was planned for {at}, and nothing was told since; when that "
        "is past, a worker is behind, none runs, or the look found nothing to decide",
    )


def _tells_of_a_look(record: OutcomeRecord, stored_at: int, due: int) -> bool:
    """Whether the outcome is of the look that was due then, or makes it needless. ``stored_at``:
    when its copy came into Kafka."""
    outcome = record.outcome
    if not isinstance(outcome, Outcome):
        return False
    if record.at <= stored_at and (epoch_ms(outcome.decided_at) or 0) < due:
        return False
    return outcome.leg is not None or outcome.reason not in _ON_ARRIVAL


def goes_on() -> Conclusion:
    """Every event has its outcome, and no look has found anything to decide."""
    return Conclusion(
        State.UNDECIDED,
        "no leg is decided yet: when it was last looked at the conversation went on, and its next "
        "event plans the next look",
    )
