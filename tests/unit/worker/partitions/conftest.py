"""What the tests of the consumer, its threads and its coordinator share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.consumer_rig import Rig


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Monotonic time; tests set its one element."""
    time = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: time[0])
    return time


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """A consumer of a test's own."""
    rig = Rig()
    yield rig
    rig.close()
