"""promtool, which Go builds once where it is not there."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"

# What these scripts exit with where nothing is there to build with.
MISSING = 69


@pytest.fixture(scope="session")
def promtool() -> Path:
    return built("promtool")


def built(name: str) -> Path:
    done = subprocess.run([SCRIPTS / name], capture_output=True, text=True, check=False)
    if done.returncode == MISSING and os.environ.get("CI") != "true":
        pytest.skip(f"no {name} here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())
