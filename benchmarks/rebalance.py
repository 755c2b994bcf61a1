"""How long partitions stand still when a worker joins, leaves or dies. Needs Apache Kafka.

    python -m benchmarks.rebalance [--repetitions 8]

Two workers, and a third that comes and goes, under a steady load of distinct interactions that
cost one call of CALL_MS each; beside it, in turns and on the same cluster, a bare Faust app
(benchmarks/bare.py) with the same session time-out and load. `(nothing happens)` is what the
measure shows of a group that is left alone.

The pause of a partition is its longest time without an outcome of a record that had none, from the
event until all partitions have had outcomes again without a break, minus its usual time between
two outcomes. Its end is the first outcome after the pause, so what has piled up meanwhile is not
in it. A partition has moved when another member (by the group's own account) has it afterwards.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import click

from benchmarks.bare import CALL_SECONDS
from benchmarks.group import Group, Load, Program, Progress, wait_until
from benchmarks.throughput import ROOT, announced, broker, process
from streams.kafka.topics import apply_topics, verify_topics
from streams.settings import Settings

# Two bare apps, which take one record at a time, carry this load also on a busy machine.
RECORDS_PER_SECOND = 60.0
CALL_MS = 10.0

# A group is calm when no partition has been silent for SILENT_SECONDS, and that has been so for
# CALM_SECONDS, so that a kill shows by then. After MOST_UNREST_SECONDS it is given up.
SILENT_SECONDS = 2.0
CALM_SECONDS = 3.0
MOST_UNREST_SECONDS = 180.0

# For what has piled up when the load ends; what is not published by then is lost.
LAST_SECONDS = 60.0

NOTHING = "(nothing happens)"
JOINS = "joins"
LEAVES = "leaves on SIGTERM"
DIES = "dies (kill -9)"
RETURNS = "dies and returns, static"
EVENTS = (NOTHING, JOINS, LEAVES, DIES, RETURNS)


@dataclass(slots=True)
class Pauses:
    """Seconds, of every partition in every repetition of one kind of event."""

    moved: list[float] = field(default_factory=list)
    stayed: list[float] = field(default_factory=list)
    longest: list[float] = field(default_factory=list)
    """Of each repetition, over all partitions."""


@dataclass(slots=True)
class Result:
    """What one program showed. ``revived``: workers that ended by themselves; ``unpublished``:
    records without an outcome, long after the last."""

    program: Program
    pauses: defaultdict[str, Pauses] = field(default_factory=lambda: defaultdict(Pauses))
    sent: int = 0
    repeated: int = 0
    unpublished: int = 0
    revived: int = 0


Plot = Callable[["Scene", Group, int], Iterator[None]]


class NotCalm(click.ClickException):
    """A group did not get going again."""


class Scene:
    """One group under load, and what is done to it."""

    def __init__(
        self, group: Group, progress: Progress, usual: float, pauses: Mapping[str, Pauses]
    ) -> None:
        self._group = group
        self._progress = progress
        self._usual = usual
        self._pauses = pauses
        self._owners: dict[int, str] = {}

    def wait_until_calm(self) -> None:
        """Wait until all partitions are worked on. Raises NotCalm."""

        def calm() -> bool:
            self._progress.read()
            self._group.revive()
            if self._progress.stalest() > SILENT_SECONDS:
                return False
            self._owners = self._group.owners() or {}
            return len(self._owners) == len(self._progress.stamps)

        if not wait_until(calm, MOST_UNREST_SECONDS, for_seconds=CALM_SECONDS):
            raise NotCalm(
                f"no calm within {MOST_UNREST_SECONDS:.0f} s: {self._progress.stalest():.1f}"
            )

    def happen(self, event: str, act: Callable[[], None]) -> None:
        """Do something to the calm group and take the pauses that follow."""
        owners, since = self._owners, time.time()
        act()
        self.wait_until_calm()
        pauses = self._pauses[event]
        gaps = {
            partition: max(0.0, gap - self._usual)
            for partition, gap in self._progress.longest_gaps(since).items()
        }
        for partition, gap in gaps.items():
            moved = owners[partition] != self._owners[partition]
            (pauses.moved if moved else pauses.stayed).append(gap)
        pauses.longest.append(max(gaps.values()))
        print(
            f"{self._group.program:10} {event:26} {max(gaps.values()):6.2f} s",
            file=sys.stderr,
            flush=True,
        )


def dynamic(scene: Scene, group: Group, repetitions: int) -> Iterator[None]:
    """Members without an instance id: a third one joins, leaves, joins, dies. Yields in between."""
    for name in ("first", "second"):
        group.start(name)
    scene.wait_until_calm()
    yield
    for number in range(repetitions):
        leaver, victim = f"leaver-{number}", f"victim-{number}"
        for event, act in (
            (NOTHING, _do_nothing),
            (JOINS, partial(group.start, leaver)),
            (LEAVES, partial(group.terminate, leaver)),
            (JOINS, partial(group.start, victim)),
            (DIES, partial(group.kill, victim)),
        ):
            scene.happen(event, act)
            yield


def static(scene: Scene, group: Group, repetitions: int) -> Iterator[None]:
    """Members with an instance id: one is killed and started again at once. Yields in between."""
    for name in ("first", "second", "third"):
        group.start(name, static=True)
    scene.wait_until_calm()
    yield

    def crash() -> None:
        group.kill("third")
        group.start("third", static=True)

    for _ in range(repetitions):
        scene.happen(RETURNS, crash)
        yield


@contextmanager
def play(
    plot: Plot, result: Result, base: Mapping[str, str], repetitions: int, home: Path
) -> Iterator[Iterator[None]]:
    """A group of its own topics under load; its plot goes on as it is iterated over. Afterwards
    the group gets the time to publish the outcomes of all."""
    app_id = f"rebalance-{uuid.uuid4().hex[:8]}"
    named = {**base, "APP_ID": app_id, "TOPIC_PREFIX": f"{app_id}."}
    settings = Settings.load(
        _env_file=None, **{name.lower(): value for name, value in named.items()}
    )
    apply_topics(settings.kafka)
    partitions = verify_topics(settings.kafka).partitions
    load = Load(settings, partitions, RECORDS_PER_SECOND)
    with (
        closing(Progress(settings, partitions)) as progress,
        Group(result.program, settings, named, home / app_id) as group,
    ):
        with load.running():
            scene = Scene(group, progress, partitions / RECORDS_PER_SECOND, result.pauses)
            yield plot(scene, group, repetitions)

        def all_published() -> bool:
            progress.read()
            return progress.published == load.sent

        wait_until(all_published, LAST_SECONDS)
    result.revived += group.revived
    result.sent += load.sent
    result.repeated += progress.repeated
    result.unpublished += load.sent - progress.published


def measure(
    programs: Sequence[Program], base: Mapping[str, str], repetitions: int, home: Path
) -> list[Result]:
    """Step by step in turns, so that whatever else the machine does strikes all programs."""
    results = [Result(program) for program in programs]
    for plot in (dynamic, static):
        with ExitStack() as stack:
            plays = [
                stack.enter_context(play(plot, result, base, repetitions, home))
                for result in results
            ]
            for _ in zip(*plays, strict=True):
                pass
    return results


def _do_nothing() -> None:
    """What happens to the group that is left alone."""


@contextmanager
def surroundings() -> Iterator[tuple[dict[str, str], Path]]:
    """A cluster and an API; the settings to use them with, and a directory."""
    simulator = ["streams", "simulator", "--port", "0", "--rate-limit", "1000000000"]
    simulator += ["--interactions", "0", "--latency-ms", str(CALL_MS)]
    with (
        tempfile.TemporaryDirectory() as home,
        broker(True, Path(home)) as servers,
        process(sys.executable, "-m", *simulator, env=dict(os.environ), cwd=ROOT) as api,
    ):
        named = {
            "KAFKA_BOOTSTRAP_SERVERS": servers,
            # It knows no interaction: one GET, 404, and the decision is `not-found`, at once and
            # however many there are.
            "LAG_WINDOW_SECONDS": "0",
            "DEAD_LETTER_LIMIT": "1",
            "GENESYS_CLOUD_BASE_URL": announced(api),
            "GENESYS_CLOUD_CLIENT_ID": "benchmark",
            "GENESYS_CLOUD_CLIENT_SECRET": "benchmark",
            "GENESYS_REQUESTS_PER_MINUTE": "1000000000",
            "DISPOSITION_CODE_ID": "benchmark",
            "WORKER_PORT": "0",
            "LOG_LEVEL": os.environ.get("LOG_LEVEL", "error"),
        }
        yield named, Path(home)


def show(results: list[Result]) -> None:
    """Print the figures, in seconds."""
    head = ("median", "worst")
    print(f"{'':26} {'':10}   partitions moved   partitions stayed   longest of all")
    print(f"{'a worker':26} {'':10}" + "".join(f"  {one:>8}{two:>8}" for one, two in [head] * 3))
    for event in EVENTS:
        for result in results:
            pauses = result.pauses[event]
            cells = "".join(
                f"  {statistics.median(one):8.2f}{max(one):8.2f}" if one else f"  {'-':>8}{'-':>8}"
                for one in (pauses.moved, pauses.stayed, pauses.longest)
            )
            print(f"{event:26} {result.program.name:10}{cells}  ({len(pauses.longest)})")
    for result in results:
        print(
            f"{result.program.name:10} {result.sent} records, {result.repeated} published twice, "
            f"{result.unpublished} never published; {result.revived} workers ended by themselves"
        )


@click.command()
@click.option("--repetitions", default=8, show_default=True, type=click.IntRange(1))
def main(repetitions: int) -> None:
    programs = [
        Program("worker", ["streams", "worker"], {}),
        Program(
            "bare Faust",
            ["benchmarks.bare", "worker", "-l", "error", "--without-web"],
            {CALL_SECONDS: str(CALL_MS / 1000)},
        ),
    ]
    with surroundings() as (base, home):
        show(measure(programs, base, repetitions, home))


if __name__ == "__main__":
    main()
