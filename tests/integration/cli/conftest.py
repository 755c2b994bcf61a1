"""Topics of a test's own, and the environment in which the commands find them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from streams.kafka.topics import apply_topics
from streams.settings import Settings


@pytest.fixture
def environment(
    broker: object,
    make_settings: Callable[..., Settings],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Settings:
    """Settings that the commands find in their environment; no topics yet."""
    made = make_settings()
    monkeypatch.chdir(tmp_path)  # away from any .env
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", made.kafka_bootstrap_servers)
    monkeypatch.setenv("TOPIC_PREFIX", made.topic_prefix)
    monkeypatch.setenv("APP_ID", made.app_id)
    return made


@pytest.fixture
def settings(environment: Settings) -> Settings:
    apply_topics(environment.kafka)
    return environment
