"""What every page is made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streams.clock import Clock
from streams.console.follower import Progress
from streams.console.index.store import Index
from streams.console.offsets import Offsets
from streams.console.stuck import Stuck
from streams.console.workers.watch import Watch
from streams.kafka.settings import TopicNames


@dataclass(frozen=True, slots=True)
class Desk:
    """``threshold_ms``: DURATION_THRESHOLD_MS of where the console runs. ``budget``: requests that
    Genesys Cloud allows a minute, by the settings. ``partitions``: how many ``events`` has."""

    index: Index
    progress: Progress
    watch: Watch
    offsets: Offsets
    stuck: Stuck
    topics: TopicNames
    partitions: int
    threshold_ms: int
    budget: int
    clock: Clock

    @property
    def now_ms(self) -> int:
        return round(self.clock.time() * 1000)

    @property
    def version(self) -> str:
        """Changes whenever a page may."""
        return f"{self.index.version}.{self.watch.version}.{self.stuck.version}"

    def troubles(self) -> Sequence[str]:
        """Why pages may be incomplete."""
        found = []
        progress = self.progress
        if progress.failure is not None:
            found.append(f"Nothing new is read from Kafka: {progress.failure}")
        elif not progress.caught_up:
            found.append(
                f"The index is being built: {progress.share:.0%}, {progress.behind:,} records to "
                "go. Until then what is missing here may only not have been read yet"
            )
        found += [f"{at.topic}/{at.partition}: {why}" for at, why in progress.unreadable.items()]
        return found
