"""An environment of a test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.settings import Settings
from tests.support.environments import Environment


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """Nothing set and no ``.env`` around; call it to set variables."""
    monkeypatch.chdir(tmp_path)
    for field in Settings.model_fields:
        monkeypatch.delenv(field.upper(), raising=False)

    def assign(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return assign
