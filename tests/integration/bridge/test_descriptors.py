"""More connections than a bridge may have open: it says so, and does not fill the disk with it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from tests.integration.bridge.running import LISTENING, ROOT

DESCRIPTORS = 60
CONNECTIONS = 120

# asyncio tries again after a second each time.
WATCHED_SECONDS = 5.0


def test_connections_beyond_the_limit_are_one_line_in_ten_seconds(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as stderr:
        bridge = subprocess.Popen(
            [
                *("/bin/sh", "-c", f'ulimit -n {DESCRIPTORS}; exec "$@"', "sh"),
                *(sys.executable, "-m", "streams", "bridge", "http"),
            ],
            cwd=tmp_path,
            env={
                "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT),
                "BRIDGE_PORT": "0", "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
            },
            stderr=stderr,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while (said := LISTENING.search(log.read_text())) is None:
            assert bridge.poll() is None, log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        host, port = said[1].removeprefix("http://").split(":")
        with ExitStack() as connections:
            for _ in range(CONNECTIONS):
                connection = socket.create_connection((host, int(port)))
                connections.enter_context(connection)
            while "out of system resource" not in log.read_text():
                assert time.monotonic() < deadline
                time.sleep(0.05)
            # It is a rate that is held here, so time has to pass.
            time.sleep(WATCHED_SECONDS)
            assert log.read_text().count("out of system resource") <= 2
            assert len(log.read_text().splitlines()) < 50
        bridge.send_signal(signal.SIGTERM)
        assert bridge.wait(10) == 0
    finally:
        bridge.kill()
        bridge.wait()
