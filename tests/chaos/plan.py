"""What decides on a storm."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from tests.chaos.field import OURS, Program
from tests.chaos.releases import Drawn
from tests.chaos.schedule import Weather
from tests.support.releases import THIS, Release

Api: TypeAlias = Literal["interactions", "conversations"]

# 200,000 events in half an hour.
EVENTS_PER_SECOND = 111.2

# After the storm: with no new outcome for so long nothing more will come. A record put off
# waits for its time, a stalled partition is noticed by the worker after two.
QUIET_SECONDS = 150.0

# EventBridge tries for a day. A bridge that is killed every half minute is hardly up on a machine
# with other work, and an event that the sender gives up would pass for one that the bridge lost.
SENDER_PATIENCE_SECONDS = 1800.0

# Where the network breaks as well, processes have to be up for longer to meet it.
CALMER = Weather(
    worker_pause=(12.0, 30.0),
    bridge_pause=(25.0, 60.0),
    broker_pause=(40.0, 90.0),
    api_pause=(30.0, 90.0),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """``events_per_second``: sent over its ``seconds``. ``locked``: worker and bridge come in
    through SASL_SSL, each as a user of its own. ``api``: the dialect. ``releases``: those that
    workers and bridge are of, another draw for each start. ``network``: what lies between the
    processes breaks too, and so do clocks and disks."""

    seed: int
    seconds: float
    program: Program = OURS
    events_per_second: float = EVENTS_PER_SECOND
    quiet_seconds: float = QUIET_SECONDS
    weather: Weather = field(default_factory=Weather)
    locked: bool = False
    api: Api = "interactions"
    releases: tuple[Release, ...] = (THIS,)
    network: bool = False

    def drawn(self, name: str) -> Drawn:
        """The releases of one process."""
        return Drawn(self.releases, self.seed, name)

    @property
    def replay(self) -> str:
        words = [f"make storm SECONDS={self.seconds:.0f} SEED={self.seed}"]
        if self.program is not OURS:
            words.append(f"PROGRAM={self.program.name}")
        options = ["--locked"] if self.locked else []
        if self.api != "interactions":
            options.append(f"--api {self.api}")
        if len(self.releases) > 1:
            options.append("--mixed")
        if self.network:
            options.append("--network")
        if self.events_per_second != EVENTS_PER_SECOND:
            options.append(f"--rate {self.events_per_second:g}")
        if options:
            words.append(f'ARGS="{" ".join(options)}"')
        return " ".join(words)
