"""Which release of the program a process of the storm is, each time that it is started."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random

from tests.support.releases import Release


class Drawn:
    """One process's releases, a draw for each start: the same seed, the same releases."""

    def __init__(self, releases: Sequence[Release], seed: int, name: str) -> None:
        self._releases = releases
        self._random = Random(f"releases {name} {seed}")
        self._before: Release | None = None
        self.starts: Counter[str] = Counter()
        """By version; and how often it went on where the other one had been."""

    def next(self) -> Release:
        drawn = self._random.choice(self._releases)
        self.starts[f"{drawn.version} started"] += 1
        before, self._before = self._before, drawn
        if before is not None and before is not drawn:
            self.starts[f"{drawn.version} started after {before.version}"] += 1
        return drawn


def added(draws: Sequence[Drawn]) -> Mapping[str, int]:
    """The starts of all of them together."""
    return dict(sorted(sum((each.starts for each in draws), Counter[str]()).items()))
