"""A contender at work: started on topics of its own, waited for, and checked."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import click
import msgspec

from benchmarks.contenders.contender import Contender
from benchmarks.harness import ROOT, announced, process
from benchmarks.suite.api import Requests
from benchmarks.suite.cluster import Stamped, Topics, missing
from tests.support.workers import free_port

# A contender that publishes and commits nothing for so long is stuck. parallel-consumer and
# quixstreams commit every five seconds.
STALL_SECONDS = 60.0

# Between two looks at the ends of the topics: each costs the broker a millisecond.
LOOK_SECONDS = 0.2

# Of the log of a contender that failed.
SHOWN_CHARACTERS = 4_000

# Between why a contender failed and its log.
WROTE = "; it wrote:"

# With a thousand requests at once on a busy machine, ten seconds may pass before an answer is read.
# The record would be put off, and no longer be what is measured.
PATIENCE = "60"

# More than any contender can send: the limit on requests is no part of what is measured.
NO_LIMIT = "10000000"


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a contender is measured under. ``in_flight``: records at work at once, a process."""

    partitions: int = 12
    processes: int = 1
    in_flight: int = 100
    latency_ms: float = 0.0

    def possible(self, requests: int) -> float:
        """Events a second, with so many requests each, if nothing but the API took time."""
        return self.processes * self.in_flight / (requests * self.latency_ms / 1000)


# As many partitions as are declared, one process, no latency.
USUAL = Conditions()


@dataclass(slots=True)
class Api:
    """The API of one trial, in a process of its own."""

    url: str

    def requests(self) -> Requests:
        """What it was asked so far."""
        with urlopen(f"{self.url}/requests") as answer:
            return msgspec.json.decode(answer.read(), type=Requests)


@dataclass(slots=True)
class Contest:
    """Running processes of one contender, and how far they are. ``settings``: of each process, as
    it reads them from its environment."""

    name: str
    topics: Topics
    children: Sequence[subprocess.Popen[str]]
    logs: Sequence[Path]
    settings: Sequence[Mapping[str, str]]

    @property
    def pids(self) -> list[int]:
        return [each.pid for each in self.children]

    def finish(self, events: int, look: Callable[[], None] = lambda: None) -> None:
        """Wait until so many events have an outcome and are committed; ``look`` in between. Raises
        ClickException if a process ends, or nothing happens for STALL_SECONDS."""
        progress, moved = (0, 0), time.monotonic()
        while progress != (events, events):
            time.sleep(LOOK_SECONDS)
            look()
            published = sum(self.topics.ends(self.topics.names.outcomes).values())
            # While outcomes come, nobody needs to ask what is committed.
            committed = sum(self.topics.committed().values()) if published >= events else 0
            if (now := (published, committed)) != progress:
                progress, moved = now, time.monotonic()
            if published > events:
                raise self.failed(f"published {published} outcomes of {events} events")
            if time.monotonic() - moved > STALL_SECONDS:
                raise self.failed(f"stuck at {progress} of {events} events published, committed")
            if any(each.poll() is not None for each in self.children):
                raise self.failed(f"ended at {progress} of {events} events published, committed")

    def outcomes(self) -> list[Stamped]:
        """All outcomes, once it is done. Raises ClickException unless each event
        has just one, and a final one."""
        outcomes = self.topics.outcomes()
        lost, repeated = missing(self.topics.ends(self.topics.names.events), outcomes)
        if lost or repeated:
            raise self.failed(
                f"{lost} events without a final outcome, {repeated} outcomes repeated or not final"
            )
        return outcomes

    def failed(self, why: str) -> click.ClickException:
        logged = "\n".join(log.read_text(errors="replace") for log in self.logs)
        return click.ClickException(f"{self.name}: {why}{WROTE}\n{logged[-SHOWN_CHARACTERS:]}")


@contextmanager
def api(latency_ms: float, *, patch: bool) -> Iterator[Api]:
    module = ["-m", "benchmarks.suite.api", "--latency-ms", str(latency_ms)]
    wrap_up = [] if patch else ["--wrap-up"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with process(sys.executable, *module, *wrap_up, env=env, cwd=ROOT) as child:
        yield Api(announced(child))


@contextmanager
def contest(
    contender: Contender, conditions: Conditions, topics: Topics, url: str
) -> Iterator[Contest]:
    """The contender's processes, started on these topics; they are gone afterwards."""
    with tempfile.TemporaryDirectory() as directory, ExitStack() as ended:
        home = Path(directory)
        children, logs, settings = [], [], []
        for number in range(conditions.processes):
            data, log = home / f"data-{number}", home / f"log-{number}"
            data.mkdir()
            named = {**_settings(topics, conditions, url), "DATA_DIR": str(data)}
            env = {**os.environ, **named, "PYTHONPATH": str(ROOT)}
            file = ended.enter_context(log.open("w"))
            command = contender.command()
            children.append(ended.enter_context(process(*command, env=env, cwd=data, log=file)))
            logs.append(log)
            settings.append(named)
        yield Contest(contender.name, topics, children, logs, settings)


def _settings(topics: Topics, conditions: Conditions, url: str) -> dict[str, str]:
    """The worker's settings, which all contenders read."""
    return {
        "KAFKA_BOOTSTRAP_SERVERS": topics.servers,
        "GENESYS_CLOUD_BASE_URL": url,
        "GENESYS_CLOUD_CLIENT_ID": "benchmark",
        "GENESYS_CLOUD_CLIENT_SECRET": "benchmark",
        "GENESYS_REQUESTS_PER_MINUTE": NO_LIMIT,
        "API_TIMEOUT_SECONDS": PATIENCE,
        "DISPOSITION_CODE_ID": "benchmark",
        "TOPIC_PREFIX": f"{topics.run}.",
        "APP_ID": topics.run,
        "MAX_IN_FLIGHT": str(conditions.in_flight),
        "WORKER_PORT": str(free_port()),
        "LOG_LEVEL": "warning",
    }
