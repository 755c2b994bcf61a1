"""A browser, axe, and a console whose index has the ten calls that an operator asks about."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.console.scene import Scene
from tests.support.chromium import ROOT, chromium, missing
from tests.support.console_desk import KEY, Sent, desk_over, opened, serving_beside
from tests.support.planted import Field, plant_cases, plant_traffic, plant_waiting


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One for the module: while it runs, no other loop can in this process."""
    if (why := missing()) is not None:
        assert os.environ.get("CI") != "true", why
        pytest.skip(why)
    with chromium() as running:
        yield running


@pytest.fixture(scope="session")
def axe() -> str:
    done = subprocess.run([ROOT / "scripts/axe"], capture_output=True, text=True, check=False)
    if done.returncode == 69 and os.environ.get("CI") != "true":
        pytest.skip(f"no axe here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip()).read_text()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    land = Field(round(time.time() * 1000))
    plant_traffic(land, 58)
    cases = plant_cases(land)
    plant_waiting(land)
    index = opened(tmp_path / "index")
    land.into(index)
    sent = Sent()
    desk = desk_over(index, land)
    with serving_beside(desk, keys=[KEY], sent=sent) as url:
        yield Scene(url, cases, land, index, desk, sent)
    index.close()
