"""A process' disk, made slow or made to fail: strace delays what is written, or has it refused.

The files that it has open are struck, but not its log. Nor are pipes: where one that a signal
handler writes to failed, which no disk makes it do, the signal would be lost.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

# What RocksDB's files are written with.
WRITING = "write,pwrite64,fdatasync,fsync"

MICROSECONDS = 1_000_000

STDERR = 2


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
    ProcessLookupError when it has ended by then, or has no file to be struck."""
    struck = [f"--trace-path={each}" for each in _open_files(pid)]
    if not struck:
        raise ProcessLookupError(f"{pid} has no file open")
    options = ("-f", "-o", os.devnull, *struck, "-e", f"trace={WRITING}")
    inject = f"inject={WRITING}:{injected}"
    strace = await asyncio.create_subprocess_exec(
        "strace", *options, "-e", inject, "-p", str(pid), stderr=asyncio.subprocess.PIPE
    )
    try:
        assert strace.stderr is not None
        said = "Requested path"  # has a link in it, and is traced all the same
        while "Requested path" in said:
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


def _open_files(pid: int) -> set[str]:
    """Files that a process has open, but for what it was started with."""
    found = set()
    with suppress(FileNotFoundError):  # it has ended
        for each in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                if int(each.name) > STDERR and stat.S_ISREG(each.stat().st_mode):
                    found.add(str(each.readlink()))
    return found
