"""The results of a run: one JSON file in ``benchmarks/results``."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from benchmarks.harness import ROOT
from benchmarks.suite.figures import Figure

RESULTS = ROOT / "benchmarks" / "results"


class Machine(msgspec.Struct, frozen=True, rename="camel"):
    """What it was measured on: broker, API and contenders share it."""

    cores: int
    memory_gib: int
    python: str

    @classmethod
    def this(cls) -> Machine:
        pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
        return cls(os.cpu_count() or 1, round(pages * size / 2**30), platform.python_version())


class Run(msgspec.Struct, frozen=True, rename="camel"):
    """``kind``: goals or sweeps. ``share``: of the events that a whole run takes. ``failures``: why
    a scenario has no figures."""

    kind: str
    began_at: datetime
    commit: str
    share: float
    machine: Machine
    figures: tuple[Figure, ...] = ()
    failures: tuple[str, ...] = ()

    @classmethod
    def begin(cls, kind: str, share: float) -> Run:
        now = datetime.now(UTC).replace(microsecond=0)
        return cls(kind, now, commit(), share, Machine.this())

    @property
    def file_name(self) -> str:
        """Sorted by name they are sorted by time."""
        return f"{self.began_at:%Y-%m-%dT%H%M}-{self.kind}-{self.commit[:7]}.json"


def commit() -> str:
    """The commit that is measured, with ``+changes`` when files were changed since."""
    git = ["git", "-C", str(ROOT), "describe", "--always", "--abbrev=40", "--exclude=*"]
    command = [*git, "--dirty=+changes"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def write(run: Run, directory: Path = RESULTS) -> Path:
    """Write a run to its file, over what was known of it before."""
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / run.file_name
    text = msgspec.json.format(msgspec.json.encode(run), indent=1)
    # The three figures of rounds and the two of a spread belong into a line.
    file.write_bytes(_NUMBERS.sub(_in_a_line, text) + b"\n")
    return file


def read(file: Path) -> Run:
    """Raises ValidationError if it is none."""
    return msgspec.json.decode(file.read_bytes(), type=Run)


_NUMBERS = re.compile(rb"\[[\s\d.,e+-]+\]")


def _in_a_line(numbers: re.Match[bytes]) -> bytes:
    return b" ".join(numbers[0].split()).replace(b"[ ", b"[").replace(b" ]", b"]")
