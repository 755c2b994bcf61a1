from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.console.index.store import Index
from tests.support.console_desk import opened
from tests.support.planted import Field


@pytest.fixture
def land() -> Field:
    """Nothing is planted yet."""
    return Field(round(time.time() * 1000))


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    """An empty one."""
    made = opened(tmp_path / "index")
    yield made
    made.close()
