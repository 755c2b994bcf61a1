"""A consumer of a test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.consumer_rig import Rig


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    rig = Rig()
    yield rig
    rig.close()
