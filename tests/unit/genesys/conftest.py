"""What the tests of the Genesys client share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.unit.genesys.scripted import LeapingClock, Recorder, ScriptedGenesys


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
