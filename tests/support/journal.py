"""The journal of what a worker does to the world, step by step."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from streams.worker.partitions.frontier import Frontier


@dataclass
class Journal:
    """Each step, as it happens. ``at_step`` is given its number and name, and may end it all."""

    journal: list[str] = field(default_factory=list)
    at_step: Callable[[int, str], None] = field(default=lambda _number, _step: None)

    def step(self, name: str) -> None:
        self.journal.append(name)
        self.at_step(len(self.journal) - 1, name)

    async def effect(self, name: str, happen: Callable[[], None]) -> None:
        """It leaves, it happens, and a while later the caller may know."""
        self.step(f"{name} leaves")
        happen()
        for _ in range(3):
            await asyncio.sleep(0)
        self.step(f"{name} acknowledged")

    def count(self, step: str) -> int:
        return self.journal.count(step)


class JournalingFrontier(Frontier):
    """Writes down what is finished."""

    __slots__ = ("_journal",)

    def __init__(self, committed: int, journal: Journal) -> None:
        super().__init__(committed)
        self._journal = journal

    def finish(self, offset: int) -> None:
        super().finish(offset)
        self._journal.step(f"finished {offset}")
