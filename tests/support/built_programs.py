"""Programs that a script builds where they are not there."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"

# What these scripts exit with where nothing is there to build with.
MISSING = 69


def built(name: str) -> Path:
    """The program of ``scripts/NAME``. Skips the test where it can not be had."""
    done = subprocess.run([SCRIPTS / name], capture_output=True, text=True, check=False)
    if done.returncode == MISSING and os.environ.get("CI") != "true":
        pytest.skip(f"no {name} here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())
