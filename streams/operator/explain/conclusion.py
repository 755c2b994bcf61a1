"""How it stands with an interaction now, in one word and one sentence. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from streams.clock import rfc3339
from streams.core.envelope import InteractionEvent
from streams.core.records import Decision, Reason, Source
from streams.operator.explain.conversation import goes_on, legs_of, look_to_come, of_legs
from streams.operator.explain.found import Found, Kept, ReturnRecord
from streams.operator.explain.history import is_refused
from streams.operator.explain.redrives import is_forgotten, open_redrives
from streams.operator.explain.state import Conclusion, LegStands, State
from streams.operator.explain.verdicts import sentence
from streams.wire.outcomes import Outcome
from streams.wire.reading import Unreadable

# Events that came before its end, or that told nothing new, say nothing of what became of it.
_BEFORE_THE_END = (
    Reason.NOT_COMPLETED,
    *(Reason.LOOK_PLANNED, Reason.LOOK_JOINED, Reason.EVENT_NOT_NEEDED),
)

# Decisions about one event among others.
_ABOUT_AN_EVENT = (Decision.DUPLICATE, Decision.STALE)


def is_decisive(outcome: Outcome) -> bool:
    """Whether it says what became of the interaction, and not only of one event of it."""
    of_an_event = outcome.decision in _ABOUT_AN_EVENT or outcome.reason in _BEFORE_THE_END
    return outcome.final and not of_an_event


def conclude(found: Found, threshold_ms: int) -> Conclusion:
    """``threshold_ms``: the DURATION_THRESHOLD_MS of today."""
    outcomes = [each.outcome for each in found.outcomes if isinstance(each.outcome, Outcome)]
    legs = legs_of(outcomes, threshold_ms)
    return replace(_whole(found, outcomes, legs, threshold_ms), legs=legs)


def _whole(
    found: Found, outcomes: Sequence[Outcome], legs: Sequence[LegStands], threshold_ms: int
) -> Conclusion:
    own = [each for each in outcomes if each.leg is None]
    latest = {each.source: each for each in own}
    for outcome in own:
        if outcome.decision is Decision.PATCHED:
            said = sentence(outcome, None, threshold_ms)
            return Conclusion(State.CODED, f"{said}, decided at {outcome.decided_at}")
    if waiting := _waits(found, latest) or look_to_come(found):
        return waiting
    if undecided := _undecided(found, latest):
        return undecided
    if legs:
        return of_legs(legs)
    if decisive := _decisive(own):
        return _decided(found, decisive, threshold_ms)
    if redrives := open_redrives(found):
        return _forgotten(redrives[-1], found.outcomes_kept)
    return _without_outcomes(found)


def _waits(found: Found, latest: dict[Source, Outcome]) -> Conclusion | None:
    """A record that was put off or sent back, and has not been decided since."""
    for outcome in latest.values():
        if not outcome.final:
            return Conclusion(
                State.WAITS,
                f"it was put off ({outcome.reason}) and is taken up again at {outcome.next_at}",
            )
    for each in open_redrives(found):
        if not is_forgotten(each, found.outcomes_kept):
            return Conclusion(
                State.WAITS,
                f"it was sent back at {rfc3339(each.at / 1000)} and is not decided yet: a worker "
                "is behind, or none runs",
            )
    return None


def _forgotten(redrive: ReturnRecord, kept: Kept | None) -> Conclusion:
    assert kept is not None, "else it waits"
    sent = f"it was sent back at {rfc3339(redrive.at / 1000)}"
    where = f"{kept.topic}/{kept.partition}"
    if kept.at is None:
        return Conclusion(
            State.NOT_KEPT,
            f"{sent}, and is not decided yet, or its outcome is no longer kept: {where} is empty",
        )
    return Conclusion(
        State.NOT_KEPT,
        f"{sent}, and what came of that is no longer kept: {where} begins at "
        f"{rfc3339(kept.at / 1000)}",
    )


def _undecided(found: Found, latest: dict[Source, Outcome]) -> Conclusion | None:
    left = [
        each
        for each in found.events
        if each.place not in latest and not isinstance(each.event, Unreadable)
    ]
    if not left:
        return None
    place = left[0].place
    more = f", and {len(left) - 1} more" if len(left) > 1 else ""
    return Conclusion(
        State.UNDECIDED,
        f"{place.topic}/{place.partition}/{place.offset}{more} has no outcome yet: a worker is "
        "behind, or none runs",
    )


def _decisive(outcomes: Sequence[Outcome]) -> Outcome | None:
    """The final outcome that says most: the latest that is about the interaction and not about one
    event among others."""
    final = [each for each in outcomes if each.final]
    telling = [each for each in final if each.decision not in _ABOUT_AN_EVENT]
    over = [each for each in telling if is_decisive(each)]
    noted = [each for each in telling if each.decision is Decision.NOTED]
    ranked = [*reversed(over), *reversed(noted), *reversed(telling), *reversed(final)]
    return next(iter(ranked), None)


def _decided(found: Found, outcome: Outcome, threshold_ms: int) -> Conclusion:
    event = next((each.event for each in found.events if each.place == outcome.source), None)
    said = sentence(outcome, event if isinstance(event, InteractionEvent) else None, threshold_ms)
    match outcome.decision:
        case Decision.NOTED:
            return goes_on()
        case Decision.WOULD_PATCH:
            state = State.WOULD
        case Decision.FAILED:
            state = State.SKIPPED if outcome.reason is Reason.SKIPPED else State.FAILED
        case _:
            state = State.NO_CODE
    return Conclusion(state, said)


def _without_outcomes(found: Found) -> Conclusion:
    if any(is_refused(each) for each in found.letters):
        return Conclusion(
            State.REFUSED,
            "the bridge refused what was sent of it, so no worker has seen it; the bytes are in "
            "the dead letters",
        )
    if found.events or found.outcomes or found.returns or found.letters:
        return Conclusion(
            State.FAILED, "there are records of it, and none that can be read and decided"
        )
    return _nothing(found.kept, found.since)


def _nothing(kept: Kept, since: int | None) -> Conclusion:
    if since is not None:
        return Conclusion(
            State.NOT_KEPT,
            f"there is nothing of it since {rfc3339(since / 1000)}; without --since there may be",
        )
    where = f"{kept.topic}/{kept.partition}, where it would lie,"
    if kept.offset is None or kept.at is None:
        return Conclusion(
            State.NOT_KEPT,
            f"there is nothing of it: {where} is empty, so it never arrived, or is older than what "
            "is kept",
        )
    if kept.offset > 0:
        return Conclusion(
            State.NOT_KEPT,
            f"there is nothing of it: it never arrived, or is older than what is kept; {where} "
            f"begins at {rfc3339(kept.at / 1000)}",
        )
    return Conclusion(
        State.NEVER_ARRIVED,
        f"it never arrived: {where} still has its first record, and nothing of it was refused. An "
        "event of another detail-type is skipped by the bridge and leaves no trace",
    )
