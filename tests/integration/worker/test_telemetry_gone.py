"""A collector that is gone, slow or refuses takes nothing from the worker but its telemetry."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from streams.settings import Settings
from tests.support.journey import journey
from tests.support.workers import free_port, workers


@contextmanager
def gone() -> Iterator[int]:
    """Nobody listens there."""
    yield free_port()


@contextmanager
def silent() -> Iterator[int]:
    """Connections are made, and nothing is ever answered."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as server:
        yield int(server.getsockname()[1])


class Refusing(BaseHTTPRequestHandler):
    refused = 0

    def do_POST(self) -> None:
        type(self).refused += 1
        self.send_response(503)
        self.send_header("Retry-After", "1")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Its requests are no part of the test's output."""


@contextmanager
def refusing() -> Iterator[int]:
    """Every export is answered 503."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


@pytest.mark.parametrize("collector", [gone, silent, refusing])
async def test_events_are_decided_and_the_worker_leaves_in_time(
    broker: object,
    make_settings: Callable[..., Settings],
    tmp_path: Path,
    collector: Callable[[], AbstractContextManager[int]],
) -> None:
    settings = make_settings(worker_port=free_port(), kafka_session_timeout_seconds=6.0)
    with collector() as port:
        (tmp_path / ".env").write_text(
            f"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:{port}\n"
            # Often, and with a queue that is soon full: what can block is to block.
            "OTEL_METRIC_EXPORT_INTERVAL=100\n"
            "OTEL_BSP_SCHEDULE_DELAY=50\n"
            "OTEL_BSP_MAX_QUEUE_SIZE=64\n"
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=8\n"
        )
        async with journey(settings, interactions=40, seed=16) as (centre, events):
            with workers({"alone": centre.settings}, tmp_path) as started:
                worker = started["alone"]
                worker.start()
                await worker.ready()
                await centre.send(events)
                await centre.all_published(60)
                await centre.judge()
                # Within 10 s, or it raises.
                assert worker.terminate() == 0, worker.output
    assert collector is not refusing or Refusing.refused > 0
