"""Time as the tests of the membership and of its coordinator have it."""

from __future__ import annotations

import pytest


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Monotonic time; tests set its one element."""
    time = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: time[0])
    return time
