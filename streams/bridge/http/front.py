"""The bridge's HTTP server (contract, HTTP): reads requests and answers them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler
from opentelemetry.context import Context
from prometheus_client import CollectorRegistry

from streams import __version__
from streams.api_keys import HEADER, is_authorized
from streams.bridge.delivery import Delivery
from streams.bridge.http.metrics import Answered, HttpMetrics
from streams.bridge.http.request import is_json
from streams.bridge.intake import JSON, Malformed, Skipped
from streams.errors import PublishError
from streams.health_routes import health_routes
from streams.kafka.publisher import Acknowledged
from streams.telemetry.tracing import extract_context

log = logging.getLogger(__name__)

# Longest `tracestate` of a sender that is kept: it goes into Kafka with each record. W3C asks for
# no more than this to be passed on, and a header may have 8 KB. The trace goes on without it.
TRACE_BYTES = 512


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits for one request, and for all requests together."""

    # EventBridge gives up after 5 s and the contract promises an answer within 4 s. The rest of the
    # 4 s is for the network in both directions.
    answer_seconds: float = 3.7
    # The contract's limit. EventBridge itself sends at most 256 KiB.
    body_bytes: int = 1024 * 1024
    # While Kafka is away every request stays for the whole 3.7 s; this many hold at most 256 MiB of
    # bodies. While Kafka is there the limit is not reached: at 10 ms a record it allows 25,000
    # records a second.
    in_flight: int = 256
    # EventBridge waits this long before it sends again; a leader election is over by then.
    retry_after_seconds: int = 5


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request. ``name``: its label in the metrics."""

    name: Answered
    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> web.Response:
        return web.Response(
            status=self.status,
            body=msgspec.json.encode(self.body),
            content_type=JSON,
            headers=self.headers,
        )


class BodyTooLarge(Exception):
    """Noticed while the body is read; the rest of it is not read."""


# The hint for a sender at the wrong address. The sender may be the EventBridge rule that sends all
# events there.
WHERE = "events go to POST /events"


class HttpBridge:
    """``POST /events`` and the routes for operators. ``not_ready``: returns why the bridge is not
    ready, or None when it is."""

    def __init__(
        self,
        *,
        delivery: Delivery,
        not_ready: Callable[[], str | None],
        api_keys: Sequence[str],
        metrics: HttpMetrics,
        limits: Limits | None = None,
    ) -> None:
        self._delivery = delivery
        self._not_ready = not_ready
        self._api_keys = api_keys
        self._metrics = metrics
        self._limits = limits or Limits()
        self._in_flight = 0

    def application(self) -> web.Application:
        """The application with its routes. It must be served by ``listening.Runner``: otherwise a
        body may not be the bytes that arrived."""
        app = web.Application(middlewares=[self._elsewhere])
        app.add_routes(
            [
                # When a configured address ends in a slash, or a path begins or ends with one, the
                # request is for `//events` or `/events/`. EventBridge drops an event that is
                # answered 404.
                web.post("/{before:/*}events{behind:/*}", self._events),
                *health_routes(
                    title=f"genesys-streams {__version__}: bridge http",
                    not_ready=self._not_ready,
                    metrics=self.registry,
                    beside={"POST /events": "one EventBridge event, as JSON"},
                ),
            ]
        )
        return app

    def not_http(self) -> None:
        """Counts a request that is not HTTP; it is answered already. Not a byte of it is logged,
        because it may be an API key whose line is broken."""
        self._metrics.requests.labels("not-http").inc()
        log.warning("a request was no valid HTTP and was not taken")

    def no_room(self) -> None:
        """Counts a connection that was closed at once because the limit is reached."""
        self._metrics.connections_refused.inc()

    @web.middleware
    async def _elsewhere(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answers a request for a path or method that does not exist."""
        try:
            return await handler(request)
        except web.HTTPNotFound:
            answer = Answer("not-found", 404, _problem(f"there is nothing at this path; {WHERE}"))
        except web.HTTPMethodNotAllowed as exc:
            allowed = ", ".join(sorted(exc.allowed_methods))
            problem = _problem(f"this path takes {allowed} and no other method; {WHERE}")
            answer = Answer("method-not-allowed", 405, problem, {"Allow": allowed})
        # Neither path nor method is logged: a stranger wrote them, or a key is in them.
        log.warning(
            "a request was for no path and method of the bridge and was not taken: %s",
            WHERE,
            extra={"status": answer.status, "sender": request.remote},
        )
        return self._answered(answer)

    async def _events(self, request: web.Request) -> web.Response:
        return self._answered(self._refusal(request) or await self._take(request))

    def _answered(self, answer: Answer) -> web.Response:
        self._metrics.requests.labels(answer.name).inc()
        return answer.response()

    def _refusal(self, request: web.Request) -> Answer | None:
        """The refusal that is possible before the body is read, or None. Its warnings come once in
        ten seconds, with their number (see RepeatFilter): there may be thousands a second."""
        if not is_authorized(request.headers.get(HEADER), self._api_keys):
            error = "X-Api-Key is missing or wrong"
            log.warning("a request is refused: %s", error, extra={"sender": request.remote})
            return Answer("unauthorized", 401, {"error": error})
        if not is_json(request.content_type, request.headers.get("Content-Encoding")):
            error = "the content type must be application/json, and the content not compressed"
            return Answer("unsupported-media-type", 415, {"error": error})
        if (request.content_length or 0) > self._limits.body_bytes:
            return self._too_large()
        if self._in_flight >= self._limits.in_flight:
            limit = self._limits.in_flight
            log.warning("requests are refused: too many at once", extra={"limit": limit})
            return self._unavailable("too many requests at once", "overloaded")
        return None

    async def _take(self, request: web.Request) -> Answer:
        """Read the body and deliver it, both before one deadline."""
        deadline = asyncio.get_running_loop().time() + self._limits.answer_seconds
        with self._counted():
            try:
                async with asyncio.timeout_at(deadline):
                    body = await self._read(request)
            except BodyTooLarge:
                return self._too_large()
            # EventBridge sends an event again after a 503, and drops it after a 400 or 408.
            except TimeoutError:
                return self._unavailable("the body did not arrive in time", "body-late")
            except (web.RequestPayloadError, HttpProcessingError, ConnectionError):
                return self._unavailable("the body could not be read to its end", "cut-off")
            try:
                async with asyncio.timeout_at(deadline):
                    return _answer(await self._delivery.deliver(body, _trace_context(request)))
            except (PublishError, TimeoutError) as exc:
                log.warning("an event was not taken: %s", str(exc) or "no acknowledgement in time")
                return self._unavailable("Kafka did not acknowledge the event")

    async def _read(self, request: web.Request) -> bytes:
        body = bytearray()
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > self._limits.body_bytes:
                raise BodyTooLarge
        return bytes(body)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self._in_flight += 1
        self._metrics.in_flight.inc()
        try:
            yield
        finally:
            self._in_flight -= 1
            self._metrics.in_flight.dec()

    def _too_large(self) -> Answer:
        limit = self._limits.body_bytes
        return Answer("too-large", 413, {"error": f"the body is larger than {limit} bytes"})

    def _unavailable(self, why: str, name: Answered = "unavailable") -> Answer:
        retry_after = {"Retry-After": str(self._limits.retry_after_seconds)}
        return Answer(name, 503, {"error": f"{why}; send it again"}, retry_after)

    def registry(self) -> CollectorRegistry:
        """The metrics, with the gauges up to date."""
        self._metrics.ready.set(self._not_ready() is None)
        return self._metrics.registry


def _answer(delivered: Acknowledged | Skipped | Malformed) -> Answer:
    match delivered:
        case Acknowledged(topic, partition, offset):
            where = {"topic": topic, "partition": partition, "offset": offset}
            return Answer("accepted", 200, {"status": "accepted", **where})
        case Skipped():
            return Answer("skipped", 200, {"status": "skipped", "reason": "detail-type"})
        case Malformed(error, field):
            return Answer("malformed", 400, {"error": error, "field": field})


def _problem(error: str) -> dict[str, str | None]:
    return {"error": error, "field": None}


def _trace_context(request: web.Request) -> Context:
    pairs = ((name, value.encode("utf-8", "replace")) for name, value in request.headers.items())
    return extract_context((name, value) for name, value in pairs if len(value) <= TRACE_BYTES)
