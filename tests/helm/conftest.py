"""The chart and a Helm to render it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.chart import Chart

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "helm"

# What scripts/helm exits with where nothing is there to build Helm with.
MISSING = 69


@pytest.fixture(scope="session")
def chart() -> Chart:
    done = subprocess.run([SCRIPT], capture_output=True, text=True, check=False)
    if done.returncode == MISSING and os.environ.get("CI") != "true":
        pytest.skip(f"no Helm here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return Chart(Path(done.stdout.strip()))
