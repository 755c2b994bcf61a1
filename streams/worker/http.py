"""The worker's HTTP endpoint: health, metrics, what is open, and the record of one interaction."""

from __future__ import annotations

import asyncio
import logging
import math
import ssl
from collections.abc import Iterable, Sequence
from typing import Any

import aiohttp
from aiohttp import web
from prometheus_client import CollectorRegistry
from yarl import URL

from streams import __version__
from streams.api_keys import HEADER, is_authorized
from streams.core.envelope import INTERACTION_ID
from streams.core.records import Remembered
from streams.errors import NewerRelease, StoreError
from streams.health_routes import health_routes
from streams.listening import Runner, check_address, listen
from streams.wire.stuck import encode_standing
from streams.worker.health.monitor import Monitor
from streams.worker.metrics import WorkerMetrics
from streams.worker.partitions.assignments import Assignments
from streams.worker.partitions.consumer import StreamsApp
from streams.worker.standing import StandingOf
from streams.worker.state.shown import encode_shown
from streams.worker.state.table import TABLE_NAME, InteractionTable

log = logging.getLogger(__name__)

# The settings that an error names when the address cannot be listened on.
VARIABLES = "WORKER_HOST, WORKER_PORT"

# Marks a request that another worker has forwarded. Otherwise two workers whose views of the group
# differ during a rebalance would forward it back and forth.
FORWARDED = "X-Genesys-Streams-Forwarded"

NOT_REMEMBERED = "no event of this interaction is remembered"

# How long another worker may take to answer a forwarded request. After that it counts as silent.
FORWARD_SECONDS = 5.0


async def check_worker_address(host: str, port: int) -> None:
    """Check the address before anything is started. Raises SettingsError when it cannot be listened
    on; the server's start raises it too, when the port was taken meanwhile."""
    await check_address(host, port, variables=VARIABLES)


class StateServer:
    """Serves ``WORKER_HOST:WORKER_PORT``. Once started, ``port`` is the real port.

    ``tls``: for those who ask us. ``peers_tls``: for our questions to the other workers."""

    def __init__(
        self,
        app: StreamsApp,
        table: InteractionTable[Any],
        monitor: Monitor,
        metrics: WorkerMetrics,
        *,
        host: str,
        port: int,
        api_keys: Sequence[str],
        tls: ssl.SSLContext | None,
        peers_tls: ssl.SSLContext,
        assignments: Assignments,
        standing: StandingOf,
    ) -> None:
        self._host, self.port = host, port
        self._api_keys = api_keys
        self._tls, self._peers_tls = tls, peers_tls
        self._app = app
        self._assignments = assignments
        self._standing = standing
        self._table = table
        self._monitor = monitor
        self._metrics = metrics
        self._peers: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Bind and answer. Raises SettingsError when the address cannot be listened on."""
        routes = web.Application()
        routes.add_routes(
            [
                *health_routes(
                    title=f"genesys-streams {__version__}: worker",
                    not_ready=self._not_ready,
                    metrics=self.registry,
                    also=self._breaker,
                    beside={
                        "GET /interactions/ID": "what the table knows of one interaction",
                        "GET /stuck": "what is open in this worker, oldest first, and why",
                    },
                ),
                web.get("/interactions/{id}", self._interaction),
                web.get("/stuck", self._stuck),
            ]
        )
        runner = Runner(routes, on_not_http=_not_http)
        _, self.port = await listen(
            runner, self._host, self.port, variables=VARIABLES, tls=self._tls
        )
        self._runner = runner
        self._peers = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._peers_tls),
            timeout=aiohttp.ClientTimeout(total=FORWARD_SECONDS),
        )

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        if self._peers is not None:
            await self._peers.close()

    def _not_ready(self) -> str | None:
        return self._monitor.not_ready()

    def _breaker(self) -> dict[str, str]:
        """The breaker's state. It is shown, but is no reason not to be ready: while the API fails,
        the events that the table settles are still decided, and another worker would fare no
        better."""
        return {"breaker": self._monitor.breaker.value}

    def registry(self) -> CollectorRegistry:
        """The metrics, with the gauges up to date."""
        self._monitor.refresh_gauges()
        drain = self._standing.drain()
        seconds = math.inf if drain.seconds is None else drain.seconds
        self._metrics.drain(seconds, drain.oldest_seconds or 0.0)
        return self._metrics.registry

    async def _stuck(self, request: web.Request) -> web.Response:
        if not is_authorized(request.headers.get(HEADER), self._api_keys):
            return _problem(401, f"what is open needs a key of WORKER_API_KEY in {HEADER}")
        body = encode_standing(self._standing.now())
        return web.Response(body=body, content_type="application/json")

    async def _interaction(self, request: web.Request) -> web.Response:
        if not is_authorized(request.headers.get(HEADER), self._api_keys):
            return _problem(401, f"the look-up needs a key of WORKER_API_KEY in {HEADER}")
        interaction_id = request.match_info["id"]
        if not INTERACTION_ID.fullmatch(interaction_id):
            return _problem(400, "that is no interaction id")
        assignment = self._assignments.in_force
        partition = self._partition_of(interaction_id)
        if assignment is None or partition is None:
            return _problem(503, "partitions are being assigned; ask again in a moment")
        # A producer may place keys otherwise than Kafka's default partitioner: look in all
        # partitions.
        looked_in = sorted(assignment.partitions, key=lambda held: held != partition)
        try:
            record = self._look_up(looked_in, interaction_id)
        except (NewerRelease, StoreError) as failure:
            return _problem(503, str(failure))
        if record is not None:
            return web.Response(body=encode_shown(record), content_type="application/json")
        if FORWARDED in request.headers:
            return web.json_response({"error": NOT_REMEMBERED, "lookedIn": looked_in}, status=404)
        return await self._ask_others(interaction_id, set(looked_in))

    def _look_up(self, partitions: Iterable[int], interaction_id: str) -> Remembered | None:
        """The record, from the first of these partitions that has it. Raises StoreError, and
        NewerRelease."""
        found = (self._table.get(partition, interaction_id) for partition in partitions)
        return next((record for record in found if record is not None), None)

    def _partition_of(self, interaction_id: str) -> int | None:
        return self._app.partition_of(self._table.changelog, interaction_id.encode())

    def _others(self) -> list[URL]:
        """The URLs of the other workers, as the group's leader has distributed them."""
        ours = str(self._app.conf.canonical_url)
        urls = map(str, self._app.router.table_metadata(TABLE_NAME))
        return [URL(url) for url in urls if url != ours]

    async def _ask_others(self, interaction_id: str, looked_in: set[int]) -> web.Response:
        """The answer of the worker that has the record. 404 only when every partition was looked
        in."""
        silent: list[str] = []
        for answer in await asyncio.gather(
            *(self._ask(url, interaction_id) for url in self._others())
        ):
            if isinstance(answer, web.Response):
                return answer
            if isinstance(answer, str):
                silent.append(answer)
            else:
                looked_in |= answer
        if looked_in >= set(range(self._app.conf.topic_partitions)):
            return _problem(404, NOT_REMEMBERED)
        if silent:
            return _problem(
                503,
                f"no answer from {', '.join(silent)}; is WORKER_ADVERTISED_URL reachable from the "
                "other workers?",
            )
        return _problem(503, "partitions are moving between workers; ask again in a moment")

    async def _ask(self, url: URL, interaction_id: str) -> web.Response | set[int] | str:
        """Ask one worker. Returns the response with the record; or the partitions that it has
        looked in without finding it (none when it could not look); or, when it did not answer, its
        URL and the error."""
        assert self._peers is not None
        at = url / "interactions" / interaction_id
        try:
            # During a rotation another worker may know only one of our keys.
            for headers in [{HEADER: key} for key in self._api_keys] or [{}]:
                async with self._peers.get(at, headers={FORWARDED: "1", **headers}) as answer:
                    if answer.status == 200:
                        body = await answer.read()
                        return web.Response(body=body, content_type=answer.content_type)
                    if answer.status == 404:
                        return set((await answer.json())["lookedIn"])
                    if answer.status != 401:
                        return set()
            return f"{url} (it does not accept our WORKER_API_KEY)"
        except (TimeoutError, aiohttp.ClientError, ValueError, KeyError, TypeError) as failure:
            # The last three errors mean that another program answers at that address.
            return f"{url} ({type(failure).__name__})"


def _not_http() -> None:
    # Nothing is lost by such a request, so DEBUG is enough.
    log.debug("a request was no valid HTTP")


def _problem(status: int, error: str) -> web.Response:
    return web.json_response({"error": error}, status=status)
