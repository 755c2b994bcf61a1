"""What every test may ask for: a broker, and settings that share nothing with another test."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from streams.local.broker import EmbeddedBroker
from streams.settings import Settings

# Set by `make test-kafka`: the same tests, on the Apache Kafka that listens there.
KAFKA_UNDER_TEST = "TEST_KAFKA_BOOTSTRAP_SERVERS"


@dataclass(frozen=True, slots=True)
class RunningBroker:
    """A broker that is up. ``bootstrap_servers``: ``HOST:PORT``."""

    bootstrap_servers: str


@pytest.fixture(scope="session")
def broker() -> Iterator[RunningBroker | EmbeddedBroker]:
    """One broker for the whole run: topics outlive a test, so each has its own TOPIC_PREFIX."""
    if servers := os.environ.get(KAFKA_UNDER_TEST):
        yield RunningBroker(servers)
        return
    with EmbeddedBroker() as embedded:
        yield embedded


@pytest.fixture
def make_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Callable[..., Settings]:
    """Makes Settings of the test's own: unique topics and group, a data directory that goes away,
    ports the system picks; neither the environment nor a ``.env`` can leak in.

    Overrides are named as the fields of Settings. A test that also asks for ``broker`` gets
    settings that point to it.
    """
    for field in Settings.model_fields:
        monkeypatch.delenv(field.upper(), raising=False)

    def make(**overrides: Any) -> Settings:
        unique = uuid.uuid4().hex[:12]
        values: dict[str, Any] = {
            "topic_prefix": f"test.{unique}.",
            "app_id": f"test-{unique}",
            "data_dir": tmp_path / f"data-{unique}",
            "bridge_port": 0,
            "worker_port": 0,
            "_env_file": None,
        }
        if "broker" in request.fixturenames:
            running: RunningBroker | EmbeddedBroker = request.getfixturevalue("broker")
            values["kafka_bootstrap_servers"] = running.bootstrap_servers
        return Settings.load(**(values | overrides))

    return make
