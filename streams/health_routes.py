"""The routes for an orchestrator and Prometheus: ``/healthz``, ``/readyz``, ``/metrics``. The
bridge and the worker both serve them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST


def health_routes(
    *,
    not_ready: Callable[[], str | None],
    metrics: Callable[[], CollectorRegistry],
    also: Callable[[], Mapping[str, str]] = dict,
) -> list[web.RouteDef]:
    """``not_ready``: returns why the program is not ready, or None when it is. ``metrics``: returns
    the registry with its gauges up to date. ``also``: further fields of the ``/readyz`` answer,
    ready or not."""

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def readyz(_: web.Request) -> web.Response:
        reason = not_ready()
        if reason is None:
            return web.json_response({"status": "ready", **also()})
        body = {"status": "not ready", "reason": reason, **also()}
        return web.json_response(body, status=503)

    async def metrics_page(_: web.Request) -> web.Response:
        page = generate_latest(metrics())
        return web.Response(body=page, headers={"Content-Type": CONTENT_TYPE_LATEST})

    return [
        web.get("/healthz", healthz),
        web.get("/readyz", readyz),
        web.get("/metrics", metrics_page),
    ]
