"""One interaction's history: what ``explain`` tells, as a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from streams.console.desk import Desk
from streams.console.index.interaction import found_in
from streams.console.pages.tones import of_decision, of_kind, of_state
from streams.operator.explain.conclusion import conclude, is_decisive
from streams.operator.explain.fields import fields
from streams.operator.explain.history import Decided, Died, Happening, Requested, history
from streams.operator.explain.telling import Telling, tell
from streams.wire.outcomes import Outcome

# A wait that is longer than this is shown as one: there the story pauses.
PAUSE_MS = 5_000

# The width of the longest request's bar, in the bar's own units.
BAR = 120.0


@dataclass(frozen=True, slots=True)
class Bar:
    """A request: how long it waited for its turn, and how long the answer took."""

    waited: float
    took: float


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the history. ``pause``: how long nothing had happened, None where it is short.
    ``day``: another date begins. ``letter``: the dead letter's place. ``verdict``: a decision on
    the whole of it. ``mark``: 0 to 100, where it lies between the first and the last."""

    number: int
    told: Telling
    tone: str
    verdict: bool
    since_before: int | None
    pause: int | None
    day: bool
    bar: Bar | None
    letter: str | None
    mark: float
    raw: object


def interaction(desk: Desk, interaction_id: str) -> dict[str, object]:
    """Raises IndexDamaged, ConsoleError."""
    found = found_in(desk.index, interaction_id, desk.partitions)
    happenings = history(found)
    conclusion = conclude(found, desk.threshold_ms)
    entries = list(_entries(happenings, desk.threshold_ms))
    times = [each.told.at for each in entries if each.told.at is not None]
    return {
        "id": interaction_id,
        "conclusion": conclusion,
        "tone": of_state(conclusion.state),
        "of_state": of_state,
        "entries": entries,
        "first": min(times, default=None),
        "last": max(times, default=None),
        "number": {
            "events": len(found.events),
            "requests": sum(isinstance(each, Requested) for each in happenings),
            "decisions": len(found.outcomes),
        },
        "bar": BAR,
    }


def _entries(happenings: Sequence[Happening], threshold_ms: int) -> Iterator[Entry]:
    told = [tell(each, threshold_ms) for each in happenings]
    times = [each.at for each in told if each.at is not None]
    first, last = min(times, default=0), max(times, default=0)
    calls = [each.call for each in happenings if isinstance(each, Requested)]
    longest = max((each.waited_ms + each.took_ms for each in calls), default=0.0)
    before: int | None = None
    for number, (happening, telling) in enumerate(zip(happenings, told, strict=True), 1):
        at = telling.at
        apart = None if at is None or before is None else at - before
        yield Entry(
            number,
            telling,
            _tone(happening, telling),
            _is_verdict(happening),
            apart,
            apart if apart is not None and apart > PAUSE_MS else None,
            at is not None and (before is None or at // 86_400_000 != before // 86_400_000),
            _bar(happening, longest),
            happening.record.letter.place if isinstance(happening, Died) else None,
            100 * ((at or first) - first) / ((last - first) or 1),
            fields(happening),
        )
        before = before if at is None else at


def _tone(happening: Happening, telling: Telling) -> str:
    match happening:
        case Decided(record=record) if isinstance(record.outcome, Outcome):
            return of_decision(record.outcome.decision)
        case Requested(call=call):
            return "nothing new" if call.status is not None and call.status < 400 else "failed"
    return of_kind(telling.kind)


def _is_verdict(happening: Happening) -> bool:
    if not isinstance(happening, Decided) or not isinstance(happening.record.outcome, Outcome):
        return False
    return is_decisive(happening.record.outcome)


def _bar(happening: Happening, longest: float) -> Bar | None:
    if not isinstance(happening, Requested) or not longest > 0:
        return None
    call = happening.call
    return Bar(
        round(max(0.0, call.waited_ms) / longest * BAR, 2),
        round(max(1.0, call.took_ms / longest * BAR), 2),
    )
