"""A simulator of a test's own, with one interaction."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from streams.local.simulator.api import Simulator
from tests.support.simulated_org import TRUTH, Org, running


@pytest.fixture
async def org() -> AsyncIterator[Org]:
    async with running(Simulator([TRUTH])) as one:
        yield await one.signed_in()
