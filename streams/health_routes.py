"""The routes for an orchestrator and Prometheus: ``/healthz``, ``/readyz``, ``/metrics``; and a
page at ``/`` that names all routes. The bridge and the worker serve all of them, the console has
pages of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aiohttp import hdrs, web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

_ROUTES = {
    "GET /healthz": "it is alive",
    "GET /readyz": "it can do its job; else 503, with the reason",
    "GET /metrics": "for Prometheus",
}


def health_routes(
    *,
    title: str,
    not_ready: Callable[[], str | None],
    metrics: Callable[[], CollectorRegistry],
    also: Callable[[], Mapping[str, str]] = dict,
    beside: Mapping[str, str] | None = None,
) -> list[web.RouteDef]:
    """``title``: the program and its version, for the page. ``beside``: the program's other routes
    and what each does. The others as of ``orchestrator_routes``."""
    shown = _page(title, {**(beside or {}), **_ROUTES})

    async def page(request: web.Request) -> web.Response:
        if request.method not in (hdrs.METH_GET, hdrs.METH_HEAD):
            raise web.HTTPNotFound  # an event that was sent to a wrong address, say
        return web.Response(text=shown)

    return [
        web.route(hdrs.METH_ANY, "/", page),
        *orchestrator_routes(not_ready=not_ready, metrics=metrics, also=also),
    ]


def orchestrator_routes(
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

    async def metrics_page(request: web.Request) -> web.Response:
        # OpenMetrics for a scraper that takes it: exemplars have no place in the other format.
        accept = ",".join(request.headers.getall("Accept", ()))
        try:
            encode, content_type = choose_encoder(accept)
        except (TypeError, ValueError):  # a version that is no number
            encode, content_type = choose_encoder("")
        return web.Response(body=encode(metrics()), headers={"Content-Type": content_type})

    return [
        web.get("/healthz", healthz),
        web.get("/readyz", readyz),
        web.get("/metrics", metrics_page),
    ]


def _page(title: str, routes: Mapping[str, str]) -> str:
    """Plain text: it is read in a browser and from curl alike."""
    width = max(map(len, routes))
    lines = [f"{route.ljust(width)}   {what}" for route, what in routes.items()]
    return "\n".join([title, "", *lines, ""])
