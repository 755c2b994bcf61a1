"""What every test may ask for: a broker, and settings that share nothing with another test.

pytest --kafka                 ``broker`` is an Apache Kafka, started for the run
TEST_KAFKA_BOOTSTRAP_SERVERS   an Apache Kafka that runs already, used instead
"""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from streams.local.broker import EmbeddedBroker
from streams.settings import Settings
from streams.telemetry.logging import QUIET_LOGGERS, SECRETIVE_LOGGERS
from tests.support.clusters import KafkaCluster, RunningKafka, kafka_cluster

KAFKA_UNDER_TEST = "TEST_KAFKA_BOOTSTRAP_SERVERS"

# What is in these directories can not be tried on the embedded broker.
ONLY_ON_KAFKA = ("kafka", "chaos")

# What is in these needs a program that takes minutes to build, or a browser, and is run by itself.
BY_THEMSELVES = {"helm": "helm", "console": "browser", "traces": "traces"}

# How long one example takes tells of the machine, and what else runs on it: there is no deadline.
# Each run draws other examples, so a quick one that is run often sees as much as a long one:
# make test ARGS="--hypothesis-profile=thorough --timeout=3600"
hypothesis.settings.register_profile("quick", deadline=None, max_examples=50)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=2000)
# For a look at the coverage: tracing makes each example slower, and the first few reach most lines.
hypothesis.settings.register_profile("few", deadline=None, max_examples=2)
hypothesis.settings.load_profile("quick")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kafka", action="store_true", help="`broker` is an Apache Kafka")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Marks what needs Apache Kafka, always or because ``broker`` is one in this run; and what is
    run by itself, which on either broker is no part of another target."""
    directory = item.path.relative_to(Path(__file__).parent).parts[0]
    if (own := BY_THEMSELVES.get(directory)) is not None:
        item.add_marker(own)
        return
    asks_for_broker = "broker" in getattr(item, "fixturenames", ())
    if directory in ONLY_ON_KAFKA or (asks_for_broker and item.config.getoption("--kafka")):
        item.add_marker("kafka")


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """A command that runs in the test's own process sets the process's log up."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in (*QUIET_LOGGERS, *SECRETIVE_LOGGERS)}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest) -> Iterator[RunningKafka | EmbeddedBroker]:
    """One broker for the whole run: topics outlive a test, so each has its own TOPIC_PREFIX."""
    if request.config.getoption("--kafka") or KAFKA_UNDER_TEST in os.environ:
        yield request.getfixturevalue("kafka")
        return
    with EmbeddedBroker() as embedded:
        yield embedded


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningKafka]:
    """One node of Apache Kafka for the whole run."""
    if servers := os.environ.get(KAFKA_UNDER_TEST):
        yield RunningKafka(servers)
        return
    with kafka_cluster(tmp_path_factory.mktemp("kafka"), nodes=1) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def _three_nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    with kafka_cluster(tmp_path_factory.mktemp("kafka3"), nodes=3) as cluster:
        yield cluster


@pytest.fixture
def kafka3(_three_nodes: KafkaCluster) -> Iterator[KafkaCluster]:
    """Three nodes that a test may kill, two of them must be in sync. Whole again afterwards."""
    yield _three_nodes
    _three_nodes.heal()


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
            # The first look decides: what an API never shows is decided a minute later otherwise.
            "lag_window_seconds": 0.0,
            "_env_file": None,
        }
        if "broker" in request.fixturenames:
            running: RunningKafka | EmbeddedBroker = request.getfixturevalue("broker")
            values["kafka_bootstrap_servers"] = running.bootstrap_servers
        return Settings.load(**(values | overrides))

    return make
