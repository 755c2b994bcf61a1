"""promtool, which Go builds once where it is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.built_programs import built


@pytest.fixture(scope="session")
def promtool() -> Path:
    return built("promtool")
