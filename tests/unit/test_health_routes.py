"""What an orchestrator and Prometheus get."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from aiohttp import ClientSession, web
from prometheus_client import CollectorRegistry, Gauge, Histogram

from streams.addresses import http_url
from streams.health_routes import health_routes
from streams.listening import Runner, listen


async def ask(
    path: str,
    *,
    method: str = "GET",
    accept: str = "*/*",
    why: str | None = None,
    also: Callable[[], Mapping[str, str]] = dict,
    metrics: Callable[[], CollectorRegistry] = CollectorRegistry,
) -> tuple[int, Any]:
    app = web.Application()
    app.add_routes(
        health_routes(
            title="genesys-streams 1.2.3: worker",
            not_ready=lambda: why,
            metrics=metrics,
            also=also,
            beside={"GET /interactions/ID": "what is known"},
        )
    )
    runner = Runner(app, on_not_http=lambda: None)
    try:
        url = http_url(*await listen(runner, "127.0.0.1", 0, variables="PORT"))
        async with (
            ClientSession(url) as session,
            session.request(method, path, headers={"Accept": accept}) as answer,
        ):
            text = answer.content_type != "application/json"
            return answer.status, await (answer.text() if text else answer.json())
    finally:
        await runner.cleanup()


async def test_alive_whether_ready_or_not() -> None:
    assert await ask("/healthz", why="no Kafka") == (200, {"status": "alive"})


@pytest.mark.parametrize(
    ("why", "status", "body"),
    [
        (None, 200, {"status": "ready"}),
        ("no Kafka", 503, {"status": "not ready", "reason": "no Kafka"}),
    ],
)
async def test_not_ready_says_why(why: str | None, status: int, body: dict[str, str]) -> None:
    assert await ask("/readyz", why=why) == (status, body)
    more = {"breaker": "closed"}
    assert await ask("/readyz", why=why, also=lambda: more) == (status, body | more)


async def test_the_gauges_are_brought_up_to_date_for_each_page() -> None:
    registry = CollectorRegistry()
    gauge = Gauge("lag", "How far behind.", registry=registry)

    def metrics() -> CollectorRegistry:
        gauge.inc()
        return registry

    assert (await ask("/metrics", metrics=metrics))[1].splitlines()[-1] == "lag 1.0"
    assert (await ask("/metrics", metrics=metrics))[1].splitlines()[-1] == "lag 2.0"


async def test_the_page_names_every_route() -> None:
    status, text = await ask("/")
    title, blank, *routes = text.splitlines()
    assert (status, title, blank) == (200, "genesys-streams 1.2.3: worker", "")
    named = [line.split()[:2] for line in routes]
    assert named == [
        ["GET", path] for path in ("/interactions/ID", "/healthz", "/readyz", "/metrics")
    ]
    for path in ("/healthz", "/readyz", "/metrics"):
        assert (await ask(path))[0] == 200


async def test_what_is_sent_to_the_page_is_not_taken() -> None:
    """An API destination whose URL lacks its path: an event must not seem to have arrived."""
    assert (await ask("/", method="POST"))[0] == 404


def measured() -> CollectorRegistry:
    registry = CollectorRegistry()
    took = Histogram("took_seconds", "How long it took.", buckets=(1.0,), registry=registry)
    took.observe(0.5, {"trace_id": "4bf9"})
    return registry


OPENMETRICS = "application/openmetrics-text"


@pytest.mark.parametrize(
    ("accept", "exemplars"),
    [
        # As Prometheus asks.
        (f"{OPENMETRICS};version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3", True),
        (OPENMETRICS, True),
        ("text/plain;version=0.0.4", False),
        ("*/*", False),
        (f"{OPENMETRICS};version=latest", False),
        (f"{OPENMETRICS};version=1.x", False),
    ],
)
async def test_exemplars_are_for_whoever_takes_openmetrics(accept: str, exemplars: bool) -> None:
    status, page = await ask("/metrics", accept=accept, metrics=measured)
    assert status == 200
    assert ('# {trace_id="4bf9"}' in page) == page.endswith("# EOF\n") == exemplars
