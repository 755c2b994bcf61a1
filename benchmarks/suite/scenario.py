"""A scenario: contenders that are measured in turns, round after round, on one Kafka."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.suite.figures import Figure, Goal, Ratio, Round, figures
from benchmarks.suite.trials import Trial


@dataclass(frozen=True, slots=True)
class Scenario:
    """``trials``: by the contender's name in tables and plots. ``at``: where on the axis of a
    sweep."""

    name: str
    trials: Mapping[str, Trial]
    rounds: int
    ratios: Sequence[Ratio] = ()
    goals: Sequence[Goal] = ()
    at: float | None = None

    def measure(self, servers: str, say: Callable[[str], None]) -> list[Figure]:
        """All rounds. Raises ClickException if a contender fails in any of them."""
        rounds = [self._round(servers, number, say) for number in range(self.rounds)]
        return figures(self.name, rounds, ratios=self.ratios, goals=self.goals, at=self.at)

    def _round(self, servers: str, number: int, say: Callable[[str], None]) -> Round:
        measured = {}
        for name in turns(list(self.trials), number):
            measured[name] = self.trials[name].measure(servers)
            values = ", ".join(f"{what} {value:,.4g}" for what, value in measured[name].items())
            say(f"{self.title}, round {number + 1}, {name}: {values}")
        # As the scenario has them, whoever was first in this round.
        return {name: measured[name] for name in self.trials}

    @property
    def title(self) -> str:
        return self.name if self.at is None else f"{self.name} at {self.at:g}"


def turns(names: Sequence[str], number: int) -> list[str]:
    """The order in a round: another one begins each time, for what runs first finds other caches
    and other neighbours than what runs last."""
    first = number % len(names)
    return [*names[first:], *names[:first]]
