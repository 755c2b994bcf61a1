"""The processes that a storm strikes, and who puts them up again: workers, a bridge, brokers."""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import confluent_kafka
from confluent_kafka.admin import AdminClient

from streams.kafka.connection import librdkafka_options
from streams.local.simulator.faults import Fault as ApiFault
from streams.settings import Settings
from tests.chaos.reach import BRIDGE_NAME, Reach, Reaches, as_the_judge, worker_name
from tests.chaos.releases import Drawn, added
from tests.chaos.schedule import BROKER_FAULTS, BROKERS, Fault, Strike
from tests.support.clusters import KafkaCluster
from tests.support.workers import WorkerProcess, eventually, free_port

log = logging.getLogger(__name__)

# How soon a process that ended by itself is started again, as a supervisor would.
SUPERVISION_SECONDS = 0.5

# The contract: a process told to stop is gone within 10 s; a little more for the busy machine.
STOP_SECONDS = 12.0

# Three replicas of a few MB are in sync again in seconds; a broker still out of sync after this is
# left alone, and the next fault of a broker does not happen.
IN_SYNC_SECONDS = 60.0
ANSWER_SECONDS = 5.0

# For the first rebalance of a program that is just being put up.
JOIN_SECONDS = 60.0

# Enough of a log to hold its last line.
LAST_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Program:
    """A worker to be put into the storm.

    ``module``: what ``python -m`` runs. ``probed``: it answers ``/readyz``. ``fenced``: it says in
    which generation it wrote.
    """

    name: str
    module: tuple[str, ...]
    probed: bool
    fenced: bool


# What every request to an API that is down is answered.
DOWN = ApiFault(status=503)

OURS = Program("genesys-streams", ("streams", "worker"), probed=True, fenced=True)
TEXTBOOK = Program(
    "textbook",
    ("benchmarks.textbook", "worker", "--loglevel", "warn", "--without-web"),
    probed=False,
    fenced=False,
)
PROGRAMS = {each.name: each for each in (OURS, TEXTBOOK)}

BRIDGE = Program("bridge", ("streams", "bridge", "http"), probed=True, fenced=False)


class Post:
    """One process that is to be up: struck by one fault at a time, put up again when it ends."""

    def __init__(
        self,
        name: str,
        program: Program,
        settings: Settings,
        log_file: Path,
        *,
        releases: Drawn,
        reach: Reach,
    ) -> None:
        self.name = name
        self.releases = releases
        self._program = program
        settings = settings.model_copy(update=dict(reach.settings))
        self._process = WorkerProcess(settings, log_file, reach.variables)
        self._disk = settings.data_dir
        self._log_file = log_file
        self._lock = asyncio.Lock()
        self._wanted = False
        self.ends: Counter[str] = Counter()
        """Ends that nobody wanted in that form, by exit code and last line."""

    @property
    def url(self) -> str:
        return self._process.url

    @property
    def pid(self) -> int | None:
        return self._process.pid

    def start(self) -> None:
        self._wanted = True
        self._process.start(*self._program.module, python=self.releases.next().python)

    async def ready(self) -> None:
        if self._program.probed:
            await self._process.ready()

    async def kill(self, seconds: float, *, lose_disk: bool = False) -> None:
        """kill -9, and up again after so long."""
        async with self._lock:
            self._process.kill()
            if lose_disk:
                await asyncio.to_thread(shutil.rmtree, self._disk, ignore_errors=True)
            await asyncio.sleep(seconds)
            self.start()

    async def freeze(self, seconds: float) -> None:
        async with self._lock:
            self._process.freeze()
            await asyncio.sleep(seconds)
            self._process.thaw()

    async def stop(self, seconds: float | None) -> None:
        """SIGTERM, and up again after so long; None: it stays away."""
        async with self._lock:
            self._wanted = seconds is not None
            await asyncio.to_thread(self._terminate)
            if seconds is not None:
                await asyncio.sleep(seconds)
                self.start()

    def supervise(self) -> None:
        """Start it again when it has ended by itself, and remember how."""
        if not self._wanted or self._lock.locked():
            return
        code = self._process.exit_code
        if code is not None:
            self._ended(f"by itself, exit {code}")
            self.start()

    def close(self) -> None:
        self._wanted = False
        self._process.close()

    def _terminate(self) -> None:
        try:
            code = self._process.terminate(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._ended(f"not gone {STOP_SECONDS:.0f} s after SIGTERM")
            return
        if code != 0:
            self._ended(f"exit {code} after SIGTERM")

    def _ended(self, how: str) -> None:
        line = last_line(self._log_file)
        log.warning("%s ended %s: %s", self.name, how, line)
        self.ends[f"{self._program.name} ended {how}: {_kind_of(line)}"] += 1


class Field:
    """Workers 1 to ``most``, of which the first few are up; the bridge; the brokers."""

    def __init__(
        self,
        settings: Settings,
        cluster: KafkaCluster,
        program: Program,
        home: Path,
        *,
        most: int,
        outage: Callable[[ApiFault | None], None],
        releases: Callable[[str], Drawn],
        reaches: Reaches = as_the_judge,
    ) -> None:
        self.settings = settings
        self.struck: Counter[str] = Counter()
        self._cluster = cluster
        self._outage = outage
        self._admin = AdminClient(librdkafka_options(settings.kafka))
        self._brokers = asyncio.Lock()
        port = free_port()
        # A worker's port is where readiness is asked for; the bridge answers on its own.
        self.bridge = Post(
            BRIDGE_NAME,
            BRIDGE,
            settings.model_copy(update={"bridge_port": port, "worker_port": port}),
            home / "bridge.log",
            releases=releases(BRIDGE_NAME),
            reach=reaches(BRIDGE_NAME),
        )
        self.workers = {
            number: Post(
                worker_name(number),
                program,
                settings.model_copy(
                    update={"data_dir": home / f"data-{number}", "worker_port": free_port()}
                ),
                home / f"worker-{number}.log",
                releases=releases(worker_name(number)),
                reach=reaches(worker_name(number)),
            )
            for number in range(1, most + 1)
        }
        self._closing = ExitStack()

    def __enter__(self) -> Field:
        for each in self._posts:
            self._closing.callback(each.close)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing.close()

    def pid(self, name: str) -> int | None:
        """Of a worker or the bridge; None when it is down."""
        return next(each.pid for each in self._posts if each.name == name)

    @property
    def ends(self) -> Mapping[str, int]:
        return sum((each.ends for each in self._posts), Counter[str]())

    @property
    def starts(self) -> Mapping[str, int]:
        """Of bridge and workers, by release."""
        return added([each.releases for each in self._posts])

    async def start(self, workers: int) -> None:
        """Put up the bridge and so many workers, and wait until they can do their job."""
        up = [self.bridge, *(self.workers[number] for number in range(1, workers + 1))]
        for each in up:
            each.start()
        for each in up:
            await each.ready()
        await eventually(
            lambda: self._joined(workers),
            JOIN_SECONDS,
            f"{workers} workers in one group",
            every=0.5,
        )

    async def supervise(self) -> None:
        """Put up what ends by itself, until it is cancelled."""
        while True:
            await asyncio.sleep(SUPERVISION_SECONDS)
            for each in self._posts:
                each.supervise()

    async def rage(self, strikes: Sequence[Strike]) -> None:
        """Strike when it is time; returns when all that was down or frozen is up again."""
        began = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as striking:
            for strike in strikes:
                wait = began + strike.at - asyncio.get_running_loop().time()
                await asyncio.sleep(max(0.0, wait))
                log.info("%s", strike)
                striking.create_task(self._strike(strike))

    async def _strike(self, strike: Strike) -> None:
        if strike.fault in BROKER_FAULTS:
            await self._strike_broker(strike)
            return
        self.struck[strike.fault] += 1
        match strike.fault:
            case Fault.KILL:
                await self.workers[strike.target].kill(strike.seconds)
            case Fault.LOSE_DISK:
                await self.workers[strike.target].kill(strike.seconds, lose_disk=True)
            case Fault.STOP:
                await self.workers[strike.target].stop(strike.seconds)
            case Fault.BLINK | Fault.FREEZE:
                await self.workers[strike.target].freeze(strike.seconds)
            case Fault.ADD:
                self.workers[strike.target].start()
            case Fault.REMOVE:
                await self.workers[strike.target].stop(None)
            case Fault.KILL_BRIDGE:
                await self.bridge.kill(strike.seconds)
            case Fault.STOP_BRIDGE:
                await self.bridge.stop(strike.seconds)
            case Fault.API_DOWN:
                self._outage(DOWN)
                await asyncio.sleep(strike.seconds)
                self._outage(None)

    async def _strike_broker(self, strike: Strike) -> None:
        """Never one while another is not back: acks=all must be possible in the end."""
        async with self._brokers:
            try:
                await eventually(self._in_sync, IN_SYNC_SECONDS, "all replicas in sync", every=0.5)
            except AssertionError:
                self.struck[f"{strike.fault}: left out, replicas were not in sync"] += 1
                return
            self.struck[strike.fault] += 1
            if strike.fault is Fault.KILL_BROKER:
                await asyncio.to_thread(self._cluster.kill, strike.target)
                await asyncio.sleep(strike.seconds)
                await asyncio.to_thread(self._cluster.start, strike.target)
                return
            self._cluster.freeze(strike.target)
            try:
                await asyncio.sleep(strike.seconds)
            finally:
                self._cluster.thaw(strike.target)

    async def _joined(self, workers: int) -> bool:
        return await asyncio.to_thread(self._is_group_of, workers)

    def _is_group_of(self, workers: int) -> bool:
        group = self.settings.app_id
        asked = self._admin.describe_consumer_groups([group], request_timeout=ANSWER_SECONDS)
        try:
            described = asked[group].result()
        except confluent_kafka.KafkaException:
            return False
        return described.state is confluent_kafka.ConsumerGroupState.STABLE and (
            len(described.members) == workers
        )

    async def _in_sync(self) -> bool:
        return await asyncio.to_thread(self._all_replicas_in_sync)

    def _all_replicas_in_sync(self) -> bool:
        try:
            metadata = self._admin.list_topics(timeout=ANSWER_SECONDS)
        except confluent_kafka.KafkaException:
            return False
        return len(metadata.brokers) == len(BROKERS) and all(
            len(partition.isrs) == len(partition.replicas)
            for topic in metadata.topics.values()
            for partition in topic.partitions.values()
        )

    @property
    def _posts(self) -> list[Post]:
        return [self.bridge, *self.workers.values()]


def last_line(log_file: Path) -> str:
    """Of a log, blank when there is none."""
    if not log_file.exists():
        return ""
    with log_file.open("rb") as read:
        read.seek(max(0, log_file.stat().st_size - LAST_BYTES))
        lines = read.read().decode(errors="replace").splitlines()
    return next((line for line in reversed(lines) if line.strip()), "")


def _kind_of(line: str) -> str:
    """The line without its figures, so that equal causes are counted together."""
    return re.sub(r"[0-9]+", "#", line)[:200]
