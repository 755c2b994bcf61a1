"""The reference model: what the contract and the design say must become of each event.

It is slow and obvious on purpose, and was written apart from the worker, which it checks and shares
no code with. It remembers everything, and knows no offsets, no crashes and no errors that pass. The
demo's summary and the tests compare the worker's outcomes with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings that decisions depend on: FETCH_POLICY, DRY_RUN, DURATION_THRESHOLD_MS."""

    fetch: Literal["completed", "always"] = "completed"
    dry_run: bool = False
    threshold_ms: int = 30_000


@dataclass(frozen=True, slots=True)
class Expected:
    """One outcome: decision, reason and basis in the contract's words."""

    decision: str
    reason: str
    basis: str


@dataclass(slots=True)
class ExpectedInteraction:
    """The outcomes of one interaction's events in the order in which they came, and the requests
    for them. ``gets`` and ``patches``: how many when none has to be repeated."""

    outcomes: list[Expected] = field(default_factory=list)
    gets: int = 0
    patches: int = 0


def expected(
    events: Iterable[Json], truths: Mapping[str, Json], rules: Rules
) -> dict[str, ExpectedInteraction]:
    """The outcomes that ``events`` must have, by interaction.

    ``events``: EventBridge events (or bare details), those of one interaction in their order in the
    partition. ``truths``: interactions by id, as GET returns them before the first event; one that
    is missing is unknown to the API.
    """
    interactions: dict[str, _Interaction] = {}
    for event in events:
        detail = event.get("detail") or event
        interaction_id = detail["interactionId"]
        if interaction_id not in interactions:
            interactions[interaction_id] = _Interaction(truths.get(interaction_id), rules)
        interactions[interaction_id].take(detail)
    return {interaction_id: one.result for interaction_id, one in interactions.items()}


class _Interaction:
    """All that is known of one interaction while its events are handled."""

    def __init__(self, truth: Json | None, rules: Rules) -> None:
        self.truth = truth
        self.rules = rules
        self.seen: set[int | str] = set()
        self.known_type: str | None = None
        self.settled_reason: str | None = None
        self.result = ExpectedInteraction()

    def take(self, detail: Json) -> None:
        sequence = _identity(detail["sequenceId"])
        event_type = _lower(detail.get("interactionType"))
        completed = _lower(detail.get("state")) == "completed"
        numbers = [one for one in self.seen if isinstance(one, int)]
        overtaken = isinstance(sequence, int) and bool(numbers) and sequence < max(numbers)
        repeated = sequence in self.seen

        if repeated:
            outcome = Expected("duplicate", "duplicate-sequence", "cache")
        elif overtaken and not (completed and self.settled_reason is None):
            outcome = Expected("stale", "stale-sequence", "cache")
        elif self.rules.fetch == "always" and self.settled_reason is None:
            outcome = self.ask()
        else:
            outcome = self.decide(event_type, completed)

        self.seen.add(sequence)
        if event_type and not overtaken and not repeated:
            self.known_type = event_type
        self.result.outcomes.append(outcome)

    def decide(self, event_type: str | None, completed: bool) -> Expected:
        """The outcome, if event and table settle it; otherwise the API is asked."""
        if event_type and event_type != "voice":
            return self.settle("non-voice-interaction", "event")
        if not event_type and self.known_type and self.known_type != "voice":
            return self.settle("non-voice-interaction", "cache")
        if not completed:
            return Expected("ineligible", "interaction-not-completed", "event")
        if self.settled_reason is not None:
            return Expected("ineligible", self.settled_reason, "cache")
        return self.ask()

    def ask(self) -> Expected:
        """GET the interaction, and PATCH it if it is eligible."""
        self.result.gets += 1
        truth = self.truth
        if truth is None:
            return Expected("not-found", "interaction-not-found", "api")
        if _lower(truth.get("type")) != "voice":
            return self.settle("non-voice-interaction", "api")
        if _lower(truth.get("state")) != "completed":
            return Expected("ineligible", "interaction-not-completed", "api")
        if (truth.get("dispositionCode") or {}).get("id"):
            return self.settle("disposition-already-set", "api")
        if (truth.get("wrapUpCode") or {}).get("id"):
            return self.settle("wrap-up-already-set", "api")
        if duration_ms(truth) < self.rules.threshold_ms:
            if not ended(truth):  # there may still be an end, so nothing is settled for good
                return Expected("ineligible", "duration-below-threshold", "api")
            return self.settle("duration-below-threshold", "api")
        # From now on it has its code, or would have: this is the reason for the next completed
        # event.
        self.settled_reason = "disposition-already-set"
        if self.rules.dry_run:
            return Expected("would-patch", "eligible", "api")
        self.result.patches += 1
        return Expected("patched", "eligible", "api")

    def settle(self, reason: str, basis: str) -> Expected:
        """Ineligible for good: whatever comes later, the first such reason stays."""
        if self.settled_reason is None:
            self.settled_reason = reason
        return Expected("ineligible", reason, basis)


def ended(truth: Json) -> bool:
    """Whether there is an end time that can be read."""
    segments = [truth.get("metadata") or {}, *(truth.get("timeline") or [])]
    return any(_epoch_ms(one.get("endTime")) is not None for one in segments)


def duration_ms(truth: Json) -> int:
    """Length of an interaction: from its metadata, else from the first start to the last end of its
    timeline; 0 when missing, unreadable or negative."""
    metadata = truth.get("metadata") or {}
    timeline = truth.get("timeline") or []
    for segments in ([metadata], timeline):
        starts = [at for one in segments if (at := _epoch_ms(one.get("startTime"))) is not None]
        ends = [at for one in segments if (at := _epoch_ms(one.get("endTime"))) is not None]
        if starts and ends:
            return max(0, ends[-1] - starts[0])
    return 0


def _identity(sequence_id: int | str) -> int | str:
    if isinstance(sequence_id, str) and re.fullmatch(r"-?[0-9]+", sequence_id):
        return int(sequence_id)
    return sequence_id


def _lower(value: str | None) -> str | None:
    return value.lower() if value else None


def _epoch_ms(time: str | None) -> int | None:
    try:
        at = datetime.fromisoformat(time) if time else None
    except ValueError:
        return None
    if at is None:
        return None
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
