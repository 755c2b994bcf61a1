"""A trace store, which Go builds once where it is not there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.built_programs import built
from tests.traces.store import TraceStore, trace_store


@pytest.fixture(scope="session")
def jaeger() -> Path:
    return built("jaeger")


@pytest.fixture
async def store(jaeger: Path, tmp_path: Path) -> AsyncIterator[TraceStore]:
    with trace_store(jaeger, tmp_path) as running:
        await running.ready()
        yield running
