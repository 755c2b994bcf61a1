"""The benchmarks with a handful of events: every contender works, and does all of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.suite.figures import CPU, OF_POSSIBLE, RATE
from benchmarks.suite.results import read

ROOT = Path(__file__).resolve().parents[2]

# Fewest events of each scenario.
TINY = "0.001"

pytestmark = pytest.mark.kafka


@pytest.mark.timeout(900)  # in a fresh clone it downloads quixstreams and parallel-consumer
def test_every_contender_takes_its_turn_to_the_end(tmp_path: Path) -> None:
    chosen = ["--only", "no-calls", "--only", "get-and-patch"]
    size = ["--share", TINY, "--rounds", "1", "--results", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.goals", *chosen, *size],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-8000:]}{done.stderr[-8000:]}"
    (file,) = tmp_path.iterdir()
    run = read(file)
    measured = {(each.scenario, each.contender, each.what): each.value for each in run.figures}
    for contender in ("worker", "textbook Faust agent", "quixstreams"):
        assert measured[("no-calls", contender, RATE)] > 0
        assert measured[("no-calls", contender, CPU)] > 0
    for contender in ("worker", "textbook Faust agent", "parallel-consumer"):
        # One that did not ask the API would be faster than the API.
        assert 0 < measured[("get-and-patch", contender, OF_POSSIBLE)] < 1.1
    assert run.failures == ()
