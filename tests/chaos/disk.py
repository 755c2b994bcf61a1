"""A process' disk, made slow or made to fail: strace delays what is written, or has it refused.

Sockets are written to by other calls, so they go on as they did. A log that the process writes to a
file is struck, too.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

# What RocksDB's files are written with.
WRITING = "write,pwrite64,fdatasync,fsync"

MICROSECONDS = 1_000_000


@asynccontextmanager
async def slow_disk(pid: int, delay: float) -> AsyncIterator[None]:
    """Each write takes so many seconds longer."""
    async with _traced(pid, f"delay_enter={delay * MICROSECONDS:.0f}"):
        yield


@asynccontextmanager
async def failing_disk(pid: int) -> AsyncIterator[None]:
    """Each write is refused with EIO."""
    async with _traced(pid, "error=EIO"):
        yield


def needs_strace() -> None:
    """Skips a test where it is missing, but not in CI."""
    if shutil.which("strace") is None and os.environ.get("CI") != "true":
        pytest.skip("no strace here (Debian: strace)")


@asynccontextmanager
async def _traced(pid: int, injected: str) -> AsyncIterator[None]:
    """From the moment on in which strace has the process, which may end meanwhile. Raises
    ProcessLookupError when it has ended by then."""
    options = ("-f", "-o", os.devnull, "-e", f"trace={WRITING}")
    inject = f"inject={WRITING}:{injected}"
    strace = await asyncio.create_subprocess_exec(
        "strace", *options, "-e", inject, "-p", str(pid), stderr=asyncio.subprocess.PIPE
    )
    try:
        assert strace.stderr is not None
        said = (await strace.stderr.readline()).decode()
        if "No such process" in said:
            raise ProcessLookupError(said)
        if " attached" not in said:
            raise RuntimeError(f"strace does not trace {pid}: {said or 'it ended'}")
        yield
    finally:
        # It lets go of the process, which goes on.
        with suppress(ProcessLookupError):
            strace.terminate()
        await strace.communicate()
