"""The look-up finds a record wherever in the group it lies (contract, HTTP)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import pytest
from faust.types import TP

from streams.core.records import InteractionRecord, encode_record
from streams.settings import Settings
from streams.worker.http import FORWARDED, StateServer
from streams.worker.partitions.assignments import Assignments
from streams.worker.partitions.starting_point import Start

PARTITIONS = 4
CHANGELOG = "shop-interactions-changelog"

# Where Kafka's default partitioner would put every key of these tests.
DEFAULT = 0


class Group:
    """Workers that know of each other as the group's leader has told them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.urls: dict[str, dict[str, set[int]]] = {}

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
            if (records or {}).get(partition) != interaction_id:
                return None
            return InteractionRecord(interaction_id=interaction_id)

        conf = SimpleNamespace(canonical_url="", topic_partitions=PARTITIONS)
        app = SimpleNamespace(
            partition_of=lambda topic, key: DEFAULT,
            router=SimpleNamespace(table_metadata=lambda table: self.urls),
            conf=conf,
        )
        server = StateServer(
            cast(Any, app),
            cast(Any, SimpleNamespace(changelog=CHANGELOG, get=get)),
            cast(Any, SimpleNamespace(not_ready=lambda: None)),
            cast(Any, None),
            host=self._settings.worker_host,
            port=self._settings.worker_port,
            api_keys=keys,
            assignments=assignments,
        )
        await server.start()
        conf.canonical_url = url = f"http://127.0.0.1:{server.port}"
        self.urls[url] = {CHANGELOG: held or set()}
        try:
            yield url
        finally:
            await server.stop()


@pytest.fixture
def group(make_settings: Callable[..., Settings]) -> Group:
    return Group(make_settings())


async def ask(url: str, interaction_id: str = "i-1", **headers: str) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{url}/interactions/{interaction_id}", headers=headers) as answer,
    ):
        return answer.status, await answer.json()


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
        status, told = await ask(one, **{FORWARDED: "1"})
        assert (status, sorted(told["lookedIn"])) == (404, [0, 1])


async def test_a_worker_that_does_not_answer_is_named(group: Group) -> None:
    async with group.worker({0, 1}, {1: "i-2"}) as one:
        group.urls["http://127.0.0.1:9"] = {CHANGELOG: {2, 3}}
        status, told = await ask(one)
        assert status == 503
        assert "http://127.0.0.1:9 (" in told["error"]
        assert "WORKER_ADVERTISED_URL" in told["error"]
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
        assert await answer.read() == encode_record(InteractionRecord(interaction_id="i-1"))


KEY = "X-Api-Key"


@pytest.mark.parametrize("key", [None, "", "wrong", "old,new"])
async def test_without_a_key_there_is_no_look_up(group: Group, key: str | None) -> None:
    headers = {} if key is None else {KEY: key}
    async with group.worker({0, 1, 2, 3}, {1: "i-1"}, ["old", "new"]) as url:
        for interaction_id in ("i-1", "i-2", "%20"):
            status, told = await ask(url, interaction_id, **headers)
            assert status == 401
            assert "WORKER_API_KEY" in told["error"]


@pytest.mark.parametrize("key", ["old", "new"])
async def test_each_of_several_keys_opens_the_look_up(group: Group, key: str) -> None:
    async with group.worker({0, 1, 2, 3}, {1: "i-1"}, ["old", "new"]) as url:
        assert (await ask(url, **{KEY: key}))[0] == 200


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
        status, told = await ask(one, **{KEY: "ours"})
        assert status == 503
        assert "does not accept our WORKER_API_KEY" in told["error"]
