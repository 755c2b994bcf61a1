"""That what a storm breaks is broken: a clock, a disk. Its links: tests/unit/test_link.py."""

from __future__ import annotations

import asyncio
import errno
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from tests.chaos.clocks import Clocks
from tests.chaos.disk import failing_disk, needs_strace, slow_disk
from tests.support.workers import eventually

SECONDS = 10.0

# Says, whenever it is asked, what time it is and how a write went. Over a socket: what it writes
# into files is what is broken.
ASKED = """
import json, os, socket, sys, time
asked = socket.socket(fileno=int(sys.argv[1]))
file = os.open(sys.argv[2], os.O_CREAT | os.O_WRONLY)
while asked.recv(1):
    began = time.monotonic()
    error = 0
    try:
        os.pwrite(file, b"x", 0)
    except OSError as failure:
        error = failure.errno
    took = time.monotonic() - began
    asked.send(json.dumps({"now": time.time(), "took": took, "error": error}).encode())
    time.sleep(0.001)
"""


class Said(msgspec.Struct):
    """``now``: its wall clock. ``took``, ``error``: of a write; seconds, and errno or 0."""

    now: float
    took: float
    error: int


@dataclass
class Asked:
    process: subprocess.Popen[bytes]
    socket: socket.socket

    def says(self) -> Said:
        self.socket.send(b"?")
        return msgspec.json.decode(self.socket.recv(1000), type=Said)

    def is_off_by(self, seconds: float) -> bool:
        return abs(self.says().now - time.time() - seconds) < 1


@contextmanager
def asked(tmp_path: Path, variables: Mapping[str, str] | None = None) -> Iterator[Asked]:
    ours, its = socket.socketpair()
    with ours, its:
        arguments = [sys.executable, "-c", ASKED, str(its.fileno()), str(tmp_path / "written")]
        process = subprocess.Popen(arguments, pass_fds=[its.fileno()], env=variables)
        its.close()
        try:
            yield Asked(process, ours)
        finally:
            process.kill()
            process.wait()


@pytest.mark.parametrize("seconds", [30.0, -45.0, 7200.5])
async def test_a_clock_is_set_while_its_process_runs_and_back(
    seconds: float, tmp_path: Path
) -> None:
    clocks = Clocks(tmp_path)
    with asked(tmp_path, clocks.variables("worker 1")) as process:
        assert process.is_off_by(0)
        with clocks.set_by("worker 1", seconds):
            await eventually(lambda: process.is_off_by(seconds), SECONDS, "the clock is off")
        await eventually(lambda: process.is_off_by(0), SECONDS, "the clock is right")


async def test_a_slow_disk_and_one_that_refuses(tmp_path: Path) -> None:
    needs_strace()
    with asked(tmp_path) as process:
        said = process.says()
        assert (said.took < 0.2, said.error) == (True, 0)
        async with slow_disk(process.process.pid, 0.2):
            await eventually(lambda: process.says().took >= 0.2, SECONDS, "the disk is slow")
        async with failing_disk(process.process.pid):
            await eventually(lambda: process.says().error == errno.EIO, SECONDS, "the disk refuses")
        said = process.says()
        assert (said.took < 0.2, said.error) == (True, 0)


async def test_a_process_may_end_while_its_disk_is_broken(tmp_path: Path) -> None:
    needs_strace()
    with asked(tmp_path) as process:
        assert process.says().error == 0
        async with failing_disk(process.process.pid):
            await eventually(lambda: process.says().error == errno.EIO, SECONDS, "the disk refuses")
            process.socket.close()
            await asyncio.to_thread(process.process.wait, SECONDS)
    with asked(tmp_path) as ended:
        pass
    with pytest.raises(ProcessLookupError):
        async with failing_disk(ended.process.pid):
            """It is not there any more."""
