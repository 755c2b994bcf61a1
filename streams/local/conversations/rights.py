"""What is right for the legs of many conversations: what was written, and what is said of each, is
held against it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from streams.local.conversations.scenario import Scenario
from streams.timestamps import epoch_ms

LegKey = tuple[str, str]
"""Conversation and participant."""

Said = tuple[str, str]
"""Decision and reason of an outcome."""

PATCHED: Said = ("patched", "eligible")
REFUSED: Said = ("refused", "wrap-up-closed")


@dataclass(slots=True)
class Rights:
    """``due``: legs that must get the code, and since when they may, epoch milliseconds.
    ``refused``: those whose code Genesys does not take. ``left``: those that must get none, and
    why. ``campaigns``: conversations of a dialer."""

    due: dict[LegKey, int] = field(default_factory=dict)
    refused: set[LegKey] = field(default_factory=set)
    left: dict[LegKey, str] = field(default_factory=dict)
    campaigns: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, scenarios: Iterable[Scenario]) -> Rights:
        """Those of conversations at the times at which they are played."""
        rights = cls()
        for scenario in scenarios:
            rights.enter(scenario)
        return rights

    def enter(self, scenario: Scenario) -> None:
        """One conversation more."""
        conversation_id, right = scenario.conversation_id, scenario.expected
        for leg in right.set:
            self.due[conversation_id, leg.participant_id] = epoch_ms(leg.not_before) or 0
        self.refused |= {(conversation_id, leg.participant_id) for leg in right.refused}
        self.left |= {(conversation_id, leg.participant_id): leg.why for leg in right.leave}
        if any(each["detail-type"].endswith("}.outbound") for each in scenario.events):
            self.campaigns.add(conversation_id)

    def __iter__(self) -> Iterator[LegKey]:
        """Every leg."""
        yield from self.due
        yield from self.refused
        yield from self.left

    def __contains__(self, key: object) -> bool:
        return key in self.due or key in self.refused or key in self.left

    def __len__(self) -> int:
        return len(self.due) + len(self.refused) + len(self.left)

    def allowed(self, key: LegKey) -> set[Said]:
        """What an outcome of this leg may say. ``key``: a leg that there is."""
        if key not in self.left:
            return {REFUSED if key in self.refused else PATCHED}
        reasons = {self.left[key]}
        if key[0] in self.campaigns:
            # A look before the agent codes says so; nothing is waited for.
            reasons.add("campaign")
        return {("ineligible", reason) for reason in reasons}

    def must_be_told(self, key: LegKey, looked_at: Collection[str], coded: Collection[str]) -> bool:
        """Whether the leg must have an outcome. One that is left has none when its conversation was
        never asked for; nor has an agent who was only alerted, when events have told all of the
        others and a look in between found the call going on.

        ``looked_at``: conversations that were asked for; ``coded``: that a code was sent to.
        """
        if key not in self.left or key[0] in coded:
            return True
        return key[0] in looked_at and self.left[key] != "not-connected"
