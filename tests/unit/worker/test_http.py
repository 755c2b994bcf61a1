"""The look-up finds a record wherever in the group it lies (contract, HTTP)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from faust.types import TP
from prometheus_client import CollectorRegistry, Gauge
from yarl import URL

from streams.addresses import http_url
from streams.core.records import InteractionRecord
from streams.errors import StoreError
from streams.genesys.breaker import State
from streams.settings import Settings
from streams.wire.stuck import Drain, WorkerStanding, read_standing
from streams.worker import http
from streams.worker.http import FORWARDED, StateServer
from streams.worker.partitions.assignments import Assignments
from streams.worker.partitions.starting_point import Start
from streams.worker.state.shown import encode_shown
from tests.support.authority import Authority

PARTITIONS = 4
CHANGELOG = "shop-interactions-changelog"

IDLE = Drain("t", 0.0, 0, 0.0, 300.0, None, None, None, None, True)
STANDING = WorkerStanding(
    "http://a:6066", "1", "0.1.0", "2026-01-05T08:00:00.000Z", None, {"events/0": 7}, 0, (), IDLE
)

# Where Kafka's default partitioner would put every key of these tests.
DEFAULT = 0


class Group:
    """Workers that know of each other as the group's leader has named them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.urls: dict[str, dict[str, set[int]]] = {}
        self.not_ready: str | None = None
        self.failure: StoreError | None = None
        self.registry = CollectorRegistry()
        self.refreshed = 0

    def _refresh(self) -> None:
        self.refreshed += 1

    def _drained(self, seconds: float, oldest: float) -> None:
        assert (seconds, oldest) == (0.0, 0.0)

    @asynccontextmanager
    async def worker(
        self,
        held: set[int] | None,
        records: dict[int, str] | None = None,
        keys: Sequence[str] = (),
    ) -> AsyncIterator[str]:
        """``held``: its partitions, None while they come and go. ``records``: an id in each.
        ``keys``: those of its WORKER_API_KEY."""
        assignments = Assignments(events="events", session_alive=lambda: True, fence=lambda: None)
        if held is not None:
            assignments.begin(1, {TP("events", each): Start(0, "") for each in held})

        def get(partition: int, interaction_id: str) -> InteractionRecord | None:
            assert held is not None and partition in held, "Faust would open its store"
            if self.failure is not None:
                raise self.failure
            if (records or {}).get(partition) != interaction_id:
                return None
            return InteractionRecord(interaction_id=interaction_id)

        conf = SimpleNamespace(canonical_url="", topic_partitions=PARTITIONS)
        app = SimpleNamespace(
            partition_of=lambda topic, key: DEFAULT,
            router=SimpleNamespace(table_metadata=lambda table: self.urls),
            conf=conf,
        )
        monitor = SimpleNamespace(
            not_ready=lambda: self.not_ready,
            breaker=State.OPEN,
            refresh_gauges=self._refresh,
        )
        server = StateServer(
            cast(Any, app),
            cast(Any, SimpleNamespace(changelog=CHANGELOG, get=get)),
            cast(Any, monitor),
            cast(Any, SimpleNamespace(registry=self.registry, drain=self._drained)),
            host=self._settings.worker_host,
            port=self._settings.worker_port,
            api_keys=keys,
            tls=self._settings.worker_tls(),
            peers_tls=self._settings.peers_tls(),
            assignments=assignments,
            standing=cast(Any, SimpleNamespace(now=lambda: STANDING, drain=lambda: IDLE)),
        )
        await server.start()
        conf.canonical_url = url = http_url(
            "127.0.0.1", server.port, tls=self._settings.worker_ssl_certfile is not None
        )
        self.urls[url] = {CHANGELOG: held or set()}
        try:
            yield url
        finally:
            await server.stop()


@pytest.fixture
def group(make_settings: Callable[..., Settings]) -> Group:
    return Group(make_settings())


async def get(
    url: str, path: str, tls: ssl.SSLContext | bool = True, **headers: str
) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(URL(f"{url}/{path}", encoded=True), headers=headers, ssl=tls) as answer,
    ):
        return answer.status, await answer.json()


async def ask(url: str, interaction_id: str = "i-1", **headers: str) -> tuple[int, Any]:
    return await get(url, f"interactions/{interaction_id}", True, **headers)


@pytest.mark.parametrize("partition", range(PARTITIONS))
async def test_from_any_worker_whatever_partition_it_lies_in(group: Group, partition: int) -> None:
    """A producer with another partitioner has put it there."""
    first = {partition: "i-1"} if partition < 2 else {}
    second = {} if partition < 2 else {partition: "i-1"}
    async with group.worker({0, 1}, first) as one, group.worker({2, 3}, second) as other:
        for url in (one, other):
            status, record = await ask(url)
            assert (status, record["interactionId"]) == (200, "i-1")


async def test_404_only_when_every_partition_was_looked_in(group: Group) -> None:
    async with group.worker({0, 1}) as one:
        assert (await ask(one))[0] == 503
        async with group.worker({2, 3}):
            assert (await ask(one))[0] == 404


async def test_who_is_asked_by_another_worker_asks_nobody(group: Group) -> None:
    async with group.worker({0, 1}) as one, group.worker({2, 3}, {2: "i-1"}):
        status, answer = await ask(one, **{FORWARDED: "1"})
        assert (status, sorted(answer["lookedIn"])) == (404, [0, 1])


async def test_a_worker_that_does_not_answer_is_named(group: Group) -> None:
    async with group.worker({0, 1}, {1: "i-2"}) as one:
        group.urls["http://127.0.0.1:9"] = {CHANGELOG: {2, 3}}
        status, answer = await ask(one)
        assert status == 503
        assert "http://127.0.0.1:9 (" in answer["error"]
        assert "WORKER_ADVERTISED_URL" in answer["error"]
        assert (await ask(one, "i-2"))[0] == 200


async def test_while_partitions_come_and_go(group: Group) -> None:
    async with group.worker({0, 1}) as one, group.worker(None) as moving:
        assert (await ask(moving))[0] == 503
        assert (await ask(one))[0] == 503


async def test_the_record_is_passed_on_as_it_is(group: Group) -> None:
    async with (
        group.worker({0, 1}) as one,
        group.worker({2, 3}, {2: "i-1"}),
        aiohttp.ClientSession() as session,
        session.get(f"{one}/interactions/i-1") as answer,
    ):
        assert await answer.read() == encode_shown(InteractionRecord(interaction_id="i-1"))


@pytest.mark.parametrize("name", ["-i", "a" * 129, "i%20", "i%2F..%2Fhealthz", "%C3%A9"])
async def test_what_is_no_interaction_id_is_looked_up_nowhere(group: Group, name: str) -> None:
    async with group.worker({0, 1}) as one:
        group.urls["http://127.0.0.1:9"] = {CHANGELOG: {2, 3}}

        assert await ask(one, name) == (
            400,
            {"error": "that is no interaction id"},
        )


@asynccontextmanager
async def another_program(
    group: Group, answer: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> AsyncIterator[str]:
    """What answers where another worker is said to be."""
    routes = web.Application()
    routes.router.add_route("*", "/{anything:.*}", answer)
    async with TestServer(routes) as server:
        url = str(server.make_url("")).rstrip("/")
        group.urls[url] = {CHANGELOG: {2, 3}}
        yield url


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("<h1>Not Found</h1>", "text/html"),
        ("", "application/json"),
        ("{", "application/json"),
        ("{}", "application/json"),
        ("[]", "application/json"),
        ('{"lookedIn": null}', "application/json"),
        ('{"lookedIn": [[2], [3]]}', "application/json"),
    ],
)
async def test_another_program_at_a_workers_address_is_named(
    group: Group, body: str, content_type: str
) -> None:
    """An answer of its own, 404 as well, must not pass for a look into the partitions."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=404, text=body, content_type=content_type)

    async with group.worker({0, 1}) as one, another_program(group, answer) as url:
        status, answered = await ask(one)

    assert status == 503
    assert f"no answer from {url} (" in answered["error"]


async def test_a_worker_that_hangs_is_named_in_time(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = asyncio.Event()

    async def hang(_: web.Request) -> web.StreamResponse:
        await over.wait()
        return web.Response()

    monkeypatch.setattr(http, "FORWARD_SECONDS", 0.2)
    async with group.worker({0, 1}) as one, another_program(group, hang) as url:
        status, answered = await asyncio.wait_for(ask(one), 10)
        over.set()

    assert status == 503
    assert f"{url} (" in answered["error"]
    assert "Timeout" in answered["error"]


async def test_one_that_does_not_answer_hides_no_record_of_another(group: Group) -> None:
    async with group.worker({0, 1}) as one, group.worker({3}, {3: "i-1"}):
        group.urls["http://127.0.0.1:9"] = {CHANGELOG: {2}}

        assert (await ask(one))[0] == 200


async def test_a_worker_asks_another_as_one_that_forwards(group: Group) -> None:
    """So that two with different views of the group do not send it back and forth."""
    received: list[tuple[str, str | None]] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        received.append((request.raw_path, request.headers.get(FORWARDED)))
        return web.json_response({"lookedIn": [2, 3]}, status=404)

    async with group.worker({0, 1}) as one, another_program(group, answer):
        assert (await ask(one))[0] == 404

    assert received == [("/interactions/i-1", "1")]


async def test_a_store_that_fails_is_told_and_is_no_404(group: Group) -> None:
    group.failure = StoreError("DATA_DIR: cannot use /data: Corruption")
    async with group.worker({0, 1}) as one, group.worker({2, 3}):
        assert await ask(one) == (503, {"error": str(group.failure)})


async def test_ready_or_not_the_breaker_is_shown(group: Group) -> None:
    """It is no reason not to be ready: another worker would fare no better."""
    async with group.worker({0, 1}) as one:
        assert await get(one, "readyz") == (200, {"status": "ready", "breaker": "open"})
        group.not_ready = "partitions are being assigned"
        assert await get(one, "readyz") == (
            503,
            {"status": "not ready", "reason": group.not_ready, "breaker": "open"},
        )
        assert (await get(one, "healthz"))[0] == 200


async def test_gauges_are_of_the_moment_when_the_metrics_are_asked_for(group: Group) -> None:
    gauge = Gauge("refreshed", "Times", registry=group.registry)
    gauge.set_function(lambda: group.refreshed)
    async with (
        group.worker({0, 1}) as one,
        aiohttp.ClientSession() as session,
        session.get(f"{one}/metrics") as answer,
    ):
        assert "refreshed 1.0" in await answer.text()


KEY = "X-Api-Key"


@pytest.mark.parametrize("key", [None, "", "wrong", "old,new"])
async def test_without_a_key_there_is_no_look_up(group: Group, key: str | None) -> None:
    headers = {} if key is None else {KEY: key}
    async with group.worker({0, 1, 2, 3}, {1: "i-1"}, ["old", "new"]) as url:
        for interaction_id in ("i-1", "i-2", "%20"):
            status, answer = await ask(url, interaction_id, **headers)
            assert status == 401
            assert "WORKER_API_KEY" in answer["error"]


@pytest.mark.parametrize("key", ["old", "new"])
async def test_each_of_several_keys_opens_the_look_up(group: Group, key: str) -> None:
    async with group.worker({0, 1, 2, 3}, {1: "i-1"}, ["old", "new"]) as url:
        assert (await ask(url, **{KEY: key}))[0] == 200


@pytest.mark.parametrize("key", [None, "", "wrong"])
async def test_without_a_key_nothing_is_told_of_what_is_open(group: Group, key: str | None) -> None:
    """Ids of interactions are personal data."""
    headers = {} if key is None else {KEY: key}
    async with group.worker({0}, keys=["k"]) as url:
        status, answer = await get(url, "stuck", True, **headers)
        assert status == 401
        assert "WORKER_API_KEY" in answer["error"]


async def test_what_is_open_is_told_as_it_is_read(group: Group) -> None:
    async with (
        group.worker({0}, keys=["k"]) as url,
        aiohttp.ClientSession() as session,
        session.get(f"{url}/stuck", headers={KEY: "k"}) as answer,
    ):
        assert read_standing(await answer.read()) == STANDING


async def test_health_needs_no_key(group: Group) -> None:
    async with (
        group.worker({0, 1}, keys=["k"]) as url,
        aiohttp.ClientSession() as session,
        session.get(f"{url}/healthz") as answer,
    ):
        assert answer.status == 200


async def test_a_forwarded_look_up_has_a_key_that_the_other_accepts(group: Group) -> None:
    """In the middle of a rotation the other one has not heard of the new key yet."""
    async with (
        group.worker({0, 1}, {}, ["new", "old"]) as one,
        group.worker({2, 3}, {2: "i-1"}, ["old"]),
    ):
        status, record = await ask(one, **{KEY: "new"})
        assert (status, record["interactionId"]) == (200, "i-1")
        assert (await ask(one, "i-2", **{KEY: "new"}))[0] == 404


async def test_a_worker_that_refuses_our_keys_is_named(group: Group) -> None:
    async with group.worker({0, 1}, {}, ["ours"]) as one, group.worker({2, 3}, {}, ["theirs"]):
        status, answer = await ask(one, **{KEY: "ours"})
        assert status == 503
        assert "does not accept our WORKER_API_KEY" in answer["error"]


async def test_over_tls_workers_ask_each_other_over_tls(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    certificate = authority.certificate("worker", hosts=("localhost",))
    group = Group(make_settings(worker_ssl_certfile=certificate, worker_ssl_cafile=authority.file))
    trusting = ssl.create_default_context(cafile=authority.file)
    async with group.worker({0, 1}) as one, group.worker({2, 3}, {2: "i-1"}):
        assert one.startswith("https://")
        status, record = await get(one, "interactions/i-1", trusting)
        assert (status, record["interactionId"]) == (200, "i-1")
        with pytest.raises(aiohttp.ClientError):
            await get(one.replace("https", "http"), "healthz")


async def test_a_worker_with_a_certificate_of_somebody_else_is_not_believed(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    ours, others = Authority(tmp_path), Authority(tmp_path, "others")
    certificate = others.certificate("worker", hosts=("localhost",))
    group = Group(make_settings(worker_ssl_certfile=certificate, worker_ssl_cafile=ours.file))
    async with group.worker({0, 1}) as one, group.worker({2, 3}, {2: "i-1"}) as other:
        trusting = ssl.create_default_context(cafile=others.file)
        status, answer = await get(one, "interactions/i-1", trusting)
        assert status == 503
        assert f"{other} (ClientConnectorCertificateError)" in answer["error"]
