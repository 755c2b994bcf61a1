"""Workers as an operator runs them: processes, with signals, logs and exit codes."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import aiohttp
from pydantic import SecretStr

from streams.settings import Settings
from tests.support.clusters import RunningKafka

# A worker that restores a table on a machine with two busy cores.
READY_SECONDS = 60.0

# COVERAGE_PROCESS_CONFIG: there under `make coverage` alone, and what a process is measured by.
NEEDED = ("PATH", "HOME", "LANG", "COVERAGE_PROCESS_CONFIG")

# Of a worker's log, for whoever reads why a test failed.
SHOWN_CHARACTERS = 20_000


def environment(settings: Settings) -> dict[str, str]:
    """Settings as the variables that a process reads, and of the test's own environment only what
    a process needs to run at all."""
    needed = {name: os.environ[name] for name in NEEDED if name in os.environ}
    named = {}
    for name, value in settings:
        if value is not None:
            plain = value.get_secret_value() if isinstance(value, SecretStr) else value
            named[name.upper()] = str(plain)
    return {**needed, **named, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def worker_settings(
    make_settings: Callable[..., Settings], kafka: RunningKafka, **overrides: object
) -> Settings:
    """Those of a worker on this Kafka, whose API is never asked."""
    return make_settings(
        kafka_bootstrap_servers=kafka.bootstrap_servers,
        genesys_cloud_base_url="http://127.0.0.1:9",
        genesys_cloud_client_id="client",
        genesys_cloud_client_secret="secret",
        disposition_code_id="code",
        worker_port=free_port(),
        **{"kafka_session_timeout_seconds": 6.0, **overrides},
    )


class WorkerProcess:
    """One worker and its restarts. Ended by its pid, never by name. ``variables``: of its
    environment, besides its settings."""

    def __init__(
        self, settings: Settings, log: Path, variables: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self.url = f"http://127.0.0.1:{settings.worker_port}"
        self._environment = environment(settings) | dict(variables)
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self.starts = 0

    @property
    def output(self) -> str:
        """Everything that its lives so far have logged."""
        return self._log.read_text() if self._log.exists() else ""

    @property
    def pid(self) -> int | None:
        """None when it does not run."""
        if self._process is None or self._process.poll() is not None:
            return None
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._running().poll()

    def start(self, *module: str, python: Path | None = None) -> None:
        """``module``: what ``python -m`` runs, with its arguments, in the place of the worker.
        ``python``: that of an environment in which another release is installed."""
        variables = dict(self._environment)
        if python is not None:
            del variables["PYTHONPATH"]  # it leads to this checkout
        self.starts += 1
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [python or sys.executable, "-m", *(module or ("streams", "worker"))],
                cwd=self._log.parent,
                env=variables,
                stdout=log,
                stderr=log,
            )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Python with these arguments and the worker's environment, to its end."""
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self._log.parent,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=READY_SECONDS,
        )

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        self._signal(signal.SIGKILL)
        self._running().wait()

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def terminate(self, seconds: float = 10.0) -> int:
        """SIGTERM; its exit code, or TimeoutExpired when it is not gone in time."""
        self._signal(signal.SIGTERM)
        return self._running().wait(seconds)

    def ended(self, seconds: float) -> int:
        """Its exit code once it has ended by itself, or TimeoutExpired."""
        return self._running().wait(seconds)

    async def ready(self, seconds: float = READY_SECONDS) -> None:
        """Wait until it says that it is able to do its job."""
        async with aiohttp.ClientSession() as session:

            async def answers() -> bool:
                if self.exit_code is not None:
                    raise AssertionError(f"the worker ended:\n{self.output[-4000:]}")
                try:
                    async with session.get(f"{self.url}/readyz") as answer:
                        return answer.status == 200
                except aiohttp.ClientError:
                    return False

            await eventually(answers, seconds, "the worker is ready")

    def close(self) -> None:
        """End it whatever state it is in."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self.kill()

    def _signal(self, number: signal.Signals) -> None:
        self._running().send_signal(number)

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "not started"
        return self._process


@contextmanager
def workers(settings: Mapping[str, Settings], logs: Path) -> Iterator[dict[str, WorkerProcess]]:
    """Named workers, none of them started; none is left behind. Shows their logs on a failure."""
    made = {name: WorkerProcess(of, logs / f"{name}.log") for name, of in settings.items()}
    try:
        yield made
    except BaseException as failure:
        for name, worker in made.items():
            failure.add_note(f"{name} logged at last:\n{worker.output[-SHOWN_CHARACTERS:]}")
        raise
    finally:
        for worker in made.values():
            worker.close()


async def eventually(
    holds: Callable[[], object], seconds: float, what: str, *, every: float = 0.1
) -> None:
    """Wait for a condition, plain or a coroutine's; fail when it does not hold in time."""
    deadline = time.monotonic() + seconds
    while True:
        answer = holds()
        if asyncio.iscoroutine(answer):
            answer = await answer
        if answer:
            return
        if time.monotonic() > deadline:
            raise AssertionError(f"not so within {seconds:.0f} s: {what}")
        await asyncio.sleep(every)
