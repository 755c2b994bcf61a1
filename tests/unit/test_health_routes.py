"""What an orchestrator and Prometheus get."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from aiohttp import ClientSession, web
from prometheus_client import CollectorRegistry, Gauge

from streams.addresses import http_url
from streams.health_routes import health_routes
from streams.listening import Runner, listen


async def ask(
    path: str,
    *,
    why: str | None = None,
    also: Callable[[], Mapping[str, str]] = dict,
    metrics: Callable[[], CollectorRegistry] = CollectorRegistry,
) -> tuple[int, Any]:
    app = web.Application()
    app.add_routes(health_routes(not_ready=lambda: why, metrics=metrics, also=also))
    runner = Runner(app, on_not_http=lambda: None)
    try:
        url = http_url(*await listen(runner, "127.0.0.1", 0, variables="PORT"))
        async with ClientSession(url) as session, session.get(path) as answer:
            text = answer.content_type == "text/plain"
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
