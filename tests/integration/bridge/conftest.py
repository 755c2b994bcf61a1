from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import pytest

from streams.kafka.topics import apply_topics
from streams.local.broker import EmbeddedBroker
from streams.settings import Settings
from streams.telemetry.logging import configure
from tests.support.bridges import ROOT, Program

# The embedded broker in a process of its own, so that it can be frozen.
BROKER = """
import signal
from streams.local.broker import EmbeddedBroker
with EmbeddedBroker() as broker:
    print("bootstrap", broker.bootstrap_servers, flush=True)
    signal.pause()
"""


@pytest.fixture
def settings(broker: EmbeddedBroker, make_settings: Callable[..., Settings]) -> Settings:
    """A bridge's settings, with its topics in place."""
    settings = make_settings()
    apply_topics(settings.kafka)
    return settings


@pytest.fixture
def freezable_broker() -> Iterator[Program]:
    program = Program("-c", BROKER, cwd=ROOT)
    yield program
    program.end()


@pytest.fixture
def freezable_servers(freezable_broker: Program) -> str:
    """``HOST:PORT`` of the broker that can be frozen."""
    return freezable_broker.wait_for(r"bootstrap (\S+)")[1]


@pytest.fixture
def log() -> io.StringIO:
    """The log as the program writes it."""
    stream = io.StringIO()
    configure("console", "info", stream)
    return stream
