"""Jaeger in a process of its own, and the traces that it gives back over its query API."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.workers import eventually, free_port
from tests.traces.span import Span, spans_of

READY_SECONDS = 60.0
ANSWER_SECONDS = 30.0

# More than any test makes: a trace that was dropped would look like one that was never sent.
MOST_TRACES = 100_000

# All of them have begun between these.
EVER = {"start_time_min": "2020-01-01T00:00:00Z", "start_time_max": "2100-01-01T00:00:00Z"}


class TraceStore:
    """``otlp``: the endpoint that takes spans."""

    def __init__(self, program: Path, directory: Path) -> None:
        self.otlp, self._query = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        self._log = directory / "jaeger.log"
        configuration = directory / "jaeger.json"
        configuration.write_text(json.dumps(_configuration(self.otlp, self._query)))
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [program, "--config", configuration],
                cwd=directory,
                env={},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    async def ready(self) -> None:
        def answers() -> bool:
            assert self._process.poll() is None, self._log.read_text()
            try:
                self._ask("services", {})
            except urllib.error.HTTPError:
                raise
            except OSError:
                return False
            return True

        await eventually(answers, READY_SECONDS, "the trace store answers")

    def traces(self) -> Mapping[str, list[Span]]:
        """All of all services, by their ids."""
        found: defaultdict[str, dict[str, Span]] = defaultdict(dict)
        for service in self._ask("services", {})["services"]:
            asked = {"service_name": service, "num_traces": MOST_TRACES} | EVER
            query = {f"query.{name}": str(value) for name, value in asked.items()}
            for span in spans_of(self._ask("traces", query)["result"]):
                # A trace of two services is found under either.
                found[span.trace_id][span.span_id] = span
        return {trace_id: list(spans.values()) for trace_id, spans in found.items()}

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

    def _ask(self, what: str, query: Mapping[str, str]) -> Any:
        url = f"{self._query}/api/v3/{what}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as answer:
            return json.load(answer)


@contextmanager
def trace_store(program: Path, directory: Path) -> Iterator[TraceStore]:
    """A store of a test's own, with nothing in it; it may not be ready yet."""
    store = TraceStore(program, directory)
    try:
        yield store
    finally:
        store.close()


def _configuration(otlp: str, query: str) -> dict[str, Any]:
    """A store in memory. What is sent is kept before it is acknowledged, so there is no batch."""
    at = {name: url.removeprefix("http://") for name, url in {"otlp": otlp, "query": query}.items()}
    return {
        "service": {
            "extensions": ["jaeger_storage", "jaeger_query"],
            "pipelines": {
                "traces": {"receivers": ["otlp"], "exporters": ["jaeger_storage_exporter"]}
            },
            "telemetry": {"metrics": {"level": "none"}, "logs": {"level": "warn"}},
        },
        "extensions": {
            "jaeger_storage": {"backends": {"memory": {"memory": {"max_traces": MOST_TRACES}}}},
            "jaeger_query": {
                "storage": {"traces": "memory"},
                "http": {"endpoint": at["query"]},
                "grpc": {"endpoint": "127.0.0.1:0"},
            },
        },
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": at["otlp"]}}}},
        "exporters": {"jaeger_storage_exporter": {"trace_storage": "memory"}},
    }
