"""What decides on a storm."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from tests.chaos.field import OURS, Program
from tests.chaos.schedule import Weather

Api: TypeAlias = Literal["interactions", "conversations"]

# 200,000 events in half an hour.
EVENTS_PER_SECOND = 111.2

# After the storm: with no new outcome for so long nothing more will come. A record put off
# waits for its time, a stalled partition is noticed by the worker after two.
QUIET_SECONDS = 150.0


@dataclass(frozen=True, slots=True)
class Plan:
    """``events_per_second``: sent over its ``seconds``. ``locked``: worker and bridge come in
    through SASL_SSL, each as a user of its own. ``api``: the dialect."""

    seed: int
    seconds: float
    program: Program = OURS
    events_per_second: float = EVENTS_PER_SECOND
    quiet_seconds: float = QUIET_SECONDS
    weather: Weather = field(default_factory=Weather)
    locked: bool = False
    api: Api = "interactions"

    @property
    def replay(self) -> str:
        words = [f"make storm SECONDS={self.seconds:.0f} SEED={self.seed}"]
        if self.program is not OURS:
            words.append(f"PROGRAM={self.program.name}")
        options = ["--locked"] if self.locked else []
        if self.api != "interactions":
            options.append(f"--api {self.api}")
        if self.events_per_second != EVENTS_PER_SECOND:
            options.append(f"--rate {self.events_per_second:g}")
        if options:
            words.append(f'ARGS="{" ".join(options)}"')
        return " ".join(words)
