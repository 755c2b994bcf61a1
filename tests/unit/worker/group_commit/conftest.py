"""Groups of a test's own."""

from __future__ import annotations

import pytest

from tests.unit.worker.group_commit.held import Groups


@pytest.fixture
async def groups() -> Groups:
    return Groups()
