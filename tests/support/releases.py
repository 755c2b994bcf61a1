"""The program as it was last released, beside the one of this checkout."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

import streams
from release.compatibility import last_release

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "last-release"

# What scripts/last-release exits with where the history is missing.
MISSING = 69


@dataclass(frozen=True, slots=True)
class Release:
    """``python``: that of an environment in which it is installed; None for this checkout."""

    version: str
    python: Path | None = None


THIS = Release(streams.__version__)


def built_last_release() -> Release:
    """The last release, built where it is not yet; the test is skipped where its commit is not
    there, for a clone without its history cannot have it."""
    done = subprocess.run([SCRIPT], capture_output=True, text=True, check=False)
    if done.returncode == MISSING:
        pytest.skip(done.stderr.strip())
    if done.returncode:
        raise RuntimeError(f"{SCRIPT.name}: exit {done.returncode}: {done.stderr}")
    return Release(last_release().name, Path(done.stdout.strip()))
