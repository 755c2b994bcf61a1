"""The commands as processes: a signal at any time, whether or not Kafka is there, ends them with 0
within ten seconds."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LEAVE_SECONDS = 10.0
STOP_SIGNALS = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]

WORKER = {
    "GENESYS_CLOUD_BASE_URL": "http://127.0.0.1:1",
    "GENESYS_CLOUD_CLIENT_ID": "client",
    "GENESYS_CLOUD_CLIENT_SECRET": "hush",
    "DRY_RUN": "true",
    "WORKER_PORT": "0",
    "BRIDGE_PORT": "0",
}


def command(directory: Path, *args: str, **settings: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "streams", *args],
        cwd=directory,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)} | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(params=["nobody listens", "accepts and says nothing"])
def no_kafka(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    """A port in the place of Kafka's: closed again, or one that takes connections and is silent."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as listening:
        if request.param == "nobody listens":
            # Bound and not listening: refused, and nobody else takes the port meanwhile.
            with socket.socket() as bound:
                bound.bind(("127.0.0.1", 0))
                yield bound
        else:
            yield listening


def until_imported(process: subprocess.Popen[str], module: str, seconds: float = 60.0) -> None:
    """Until the process has imported a module, as ``-X importtime`` says on its stderr."""
    assert process.stderr is not None
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        line = process.stderr.readline()
        assert line, f"ended without {module}"
        if line.rstrip().endswith(f" {module}"):
            return
    raise AssertionError(f"{module} was not imported in {seconds} s")


def leaves(process: subprocess.Popen[str], number: signal.Signals) -> None:
    process.send_signal(number)
    began = time.monotonic()
    try:
        _, err = process.communicate(timeout=LEAVE_SECONDS)
    finally:
        process.kill()
    said = [line for line in err.splitlines() if not line.startswith("import time:")]
    assert process.returncode == 0, said
    assert "Traceback" not in err
    assert time.monotonic() - began < LEAVE_SECONDS


# All signals go one way, so the worker gets each and the other commands one.
@pytest.mark.parametrize(
    ("args", "module", "number"),
    [
        *((["worker"], "streams.worker.run", number) for number in STOP_SIGNALS),
        (["worker"], "streams.settings", signal.SIGTERM),
        (["worker"], "faust.types.settings", signal.SIGINT),
        (["bridge", "http"], "streams.bridge.run", signal.SIGTERM),
        (["topics", "list"], "streams.settings", signal.SIGHUP),
        (["generate"], "streams.local.generator.stream", signal.SIGINT),
    ],
)
def test_while_it_still_imports(
    tmp_path: Path, args: list[str], module: str, number: signal.Signals
) -> None:
    process = command(tmp_path, *args, **WORKER, KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")
    until_imported(process, module)
    # Generate ends by itself, and its output is held back until somebody reads it.
    leaves(process, number)


@pytest.mark.parametrize(
    ("args", "number"),
    [
        *((["worker"], number) for number in STOP_SIGNALS),
        (["bridge", "http"], signal.SIGTERM),
        (["topics", "list"], signal.SIGINT),
    ],
)
def test_while_kafka_is_away(
    tmp_path: Path, no_kafka: socket.socket, args: list[str], number: signal.Signals
) -> None:
    host, port = no_kafka.getsockname()
    process = command(tmp_path, *args, **WORKER, KAFKA_BOOTSTRAP_SERVERS=f"{host}:{port}")
    until_imported(process, "confluent_kafka.admin" if args != ["bridge", "http"] else "aiokafka")
    if no_kafka.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        # Kafka is being asked once it has come knocking.
        assert select.select([no_kafka], [], [], 30)[0]
    leaves(process, number)


def test_nothing_is_left_behind_by_a_worker_that_waits_for_kafka(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host, port = silent.getsockname()
        process = command(tmp_path, "worker", **WORKER, KAFKA_BOOTSTRAP_SERVERS=f"{host}:{port}")
        until_imported(process, "streams.worker.run")
        assert select.select([silent], [], [], 30)[0]
        leaves(process, signal.SIGTERM)
    assert list(tmp_path.iterdir()) == []


def test_a_worker_that_is_stopped_twice_while_kafka_is_away(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host, port = silent.getsockname()
        process = command(tmp_path, "worker", **WORKER, KAFKA_BOOTSTRAP_SERVERS=f"{host}:{port}")
        until_imported(process, "streams.worker.run")
        assert select.select([silent], [], [], 30)[0]
        process.send_signal(signal.SIGTERM)
        leaves(process, signal.SIGTERM)
