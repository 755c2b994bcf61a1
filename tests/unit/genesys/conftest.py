"""What the tests of the Genesys client share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.scripted import LeapingClock, Recorder, ScriptedGenesys


@pytest.fixture
async def genesys() -> AsyncIterator[ScriptedGenesys]:
    scripted = ScriptedGenesys()
    await scripted.start()
    yield scripted
    await scripted.close()


@pytest.fixture
def clock() -> LeapingClock:
    return LeapingClock()


@pytest.fixture
def observer() -> Recorder:
    return Recorder()


@pytest.fixture(autouse=True)
def _no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The servers of these tests are on loopback, which a proxy would not reach."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
