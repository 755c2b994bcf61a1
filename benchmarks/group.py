"""A consumer group of worker processes, the load on it, and its progress as the topics show it."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import msgspec
from confluent_kafka import Consumer, ConsumerGroupState, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from benchmarks.throughput import ROOT, process
from benchmarks.watch import ANSWER_SECONDS, BATCH, FATAL_ONLY, Published
from streams.core.envelope import UPDATE_DETAIL_TYPE
from streams.core.records import Source
from streams.settings import Settings

# Between two looks at the group.
POLL_SECONDS = 0.25

# What a worker may take after a SIGTERM, with some room; then it is killed.
STOP_SECONDS = 15.0

Options = dict[str, str | int | float | bool]


class _Outcome(msgspec.Struct):
    source: Source


@dataclass(frozen=True, slots=True)
class Program:
    """What a member runs. ``environment``: what it needs beside the settings."""

    name: str
    module: Sequence[str]
    environment: Mapping[str, str]


class Group:
    """Members of one group, started, stopped and killed by name. Context manager."""

    def __init__(self, program: Program, settings: Settings, base: Mapping[str, str], home: Path):
        self.program = program.name
        self._environment = program.environment
        self._module = program.module
        self._base = base
        self._home = home
        self._name = settings.app_id
        self._events = settings.topics.events
        self._admin = AdminClient(_options(settings))
        self._running: dict[str, tuple[subprocess.Popen[str], ExitStack]] = {}
        self._static: set[str] = set()
        self.revived = 0
        """Members that ended by themselves and were started again."""

    def __enter__(self) -> Group:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for name in list(self._running):
            self.kill(name)

    @property
    def size(self) -> int:
        return len(self._running)

    def start(self, name: str, *, static: bool = False) -> None:
        """Start a member; ``static``: with its name as the group's instance id."""
        home = self._home / name
        home.mkdir(parents=True, exist_ok=True)
        environment = {
            **os.environ,
            **self._base,
            **self._environment,
            "DATA_DIR": str(home),
            "PYTHONPATH": str(ROOT),
        }
        if static:
            self._static.add(name)
            environment["WORKER_INSTANCE_ID"] = name
        ends = ExitStack()
        command = (sys.executable, "-m", *self._module)
        child = ends.enter_context(process(*command, env=environment, cwd=home))
        self._running[name] = (child, ends)

    def terminate(self, name: str) -> None:
        """SIGTERM; does not wait, it is no longer a member that counts."""
        child, ends = self._running.pop(name)
        child.terminate()

        def reap() -> None:
            # Not before its time is up: a second SIGTERM would be an order to drop everything.
            with suppress(subprocess.TimeoutExpired):
                child.wait(STOP_SECONDS)
            ends.close()

        threading.Thread(target=reap).start()

    def kill(self, name: str) -> None:
        """kill -9, and wait until it is gone."""
        child, ends = self._running.pop(name)
        child.kill()
        ends.close()

    def revive(self) -> None:
        """Start members again that have ended by themselves, as their supervisor would."""
        for name, (child, ends) in list(self._running.items()):
            if child.poll() is not None:
                ends.close()
                self.start(name, static=name in self._static)
                self.revived += 1

    def owners(self) -> dict[int, str] | None:
        """Member by partition; None unless the group is stable, complete and owns them all."""
        group = self._admin.describe_consumer_groups([self._name])[self._name].result(
            ANSWER_SECONDS
        )
        if group.state is not ConsumerGroupState.STABLE or len(group.members) != self.size:
            return None
        return {
            at.partition: member.member_id
            for member in group.members
            for at in member.assignment.topic_partitions
            if at.topic == self._events
        }


class Progress:
    """When each record had its first outcome, read from the outcomes as they come."""

    def __init__(self, settings: Settings, partitions: int) -> None:
        self._partitions = partitions
        self._consumer = Consumer(
            {**_options(settings), "group.id": f"{settings.app_id}-progress"}
            | {"enable.auto.commit": False}
        )
        topic = settings.topics.outcomes
        self._consumer.assign([TopicPartition(topic, each, 0) for each in range(partitions)])
        self._decode = msgspec.json.Decoder(_Outcome).decode
        self._published: defaultdict[int, Published] = defaultdict(Published)
        self.stamps: dict[int, list[float]] = {each: [0.0] for each in range(partitions)}
        """Outcomes of a partition, by their timestamp in Kafka, in seconds since the epoch."""
        self.published = 0
        self.repeated = 0

    def read(self) -> None:
        """Take what has come since."""
        while messages := self._consumer.consume(BATCH, timeout=0):
            for message in messages:
                value = message.value()
                assert value is not None, message.error()
                source = self._decode(value).source
                if self._published[source.partition].add(source.offset):
                    self.published += 1
                    self.stamps[source.partition].append(message.timestamp()[1] / 1000)
                else:
                    self.repeated += 1

    def stalest(self) -> float:
        """Seconds since the last outcome of the partition that has waited longest."""
        return time.time() - min(max(stamps) for stamps in self.stamps.values())

    def close(self) -> None:
        self._consumer.close()

    def longest_gaps(self, since: float) -> dict[int, float]:
        """The longest time without an outcome, by partition, that ended after ``since``."""
        gaps = {}
        for partition, stamps in self.stamps.items():
            known = sorted(stamps)
            pairs = itertools.pairwise([*known, max(known[-1], time.time())])
            gaps[partition] = max(end - begin for begin, end in pairs if end > since)
        return gaps


class Load:
    """A steady stream of distinct interactions, to each partition in turn, from a thread."""

    def __init__(self, settings: Settings, partitions: int, per_second: float) -> None:
        self._producer = Producer({**_options(settings), "linger.ms": 0})
        self._topic = settings.topics.events
        self._partitions = partitions
        self._interval = 1 / per_second
        self._stop = threading.Event()
        self.sent = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        """On until the context ends; all it has sent is in Kafka then."""
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()
            self._producer.flush()

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            interaction_id = f"steady-{self.sent}"
            self._producer.produce(
                self._topic,
                key=interaction_id.encode(),
                value=_event(interaction_id),
                partition=self.sent % self._partitions,
            )
            self._producer.poll(0)
            self.sent += 1
            due += self._interval


def wait_until(holds: Callable[[], bool], seconds: float, *, for_seconds: float = 0.0) -> bool:
    """Whether a condition came to hold, and held for so long without a break, in time."""
    deadline = time.monotonic() + seconds
    since: float | None = None
    while time.monotonic() < deadline:
        held, now = holds(), time.monotonic()
        since = (since or now) if held else None
        if since is not None and now - since >= for_seconds:
            return True
        time.sleep(POLL_SECONDS)
    return False


def _options(settings: Settings) -> Options:
    return {"bootstrap.servers": settings.kafka_bootstrap_servers, "log_level": FATAL_ONLY}


def _event(interaction_id: str) -> bytes:
    """A call that is over: it costs the worker a GET."""
    detail = {"interactionId": interaction_id, "sequenceId": 1, "state": "completed"}
    return msgspec.json.encode(
        {"detail-type": UPDATE_DETAIL_TYPE, "detail": {**detail, "interactionType": "voice"}}
    )
