"""A worker that no broker hears, for up to a minute, with calls on their way to an API that is
well."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from yarl import URL

from streams.local.simulator.latency import Latency
from streams.settings import Settings
from tests.support.clusters import KafkaCluster
from tests.support.journey import journey
from tests.support.link import CUT, UNANSWERED, UNHEARD, Link, Trouble
from tests.support.workers import eventually, free_port, workers

pytestmark = pytest.mark.timeout(400)

SESSION_SECONDS = 6.0

# A call that was on its way when the session ended has its answer by then.
LAST_CALL_SECONDS = SESSION_SECONDS + 3.0

# Some twenty calls with their answers: token, GETs and PATCHes of the worker that is cut off.
MANY_CALLS_BYTES = 20_000

# So long that many calls of each worker are on their way at any moment.
LATENCY = Latency(median_ms=400)

# The listener that the worker which is cut off comes to, and the address of its link.
LISTENER, HOST = "FIRST", "127.0.2.1"


@pytest_asyncio.fixture
async def kafka_behind_a_link(tmp_path: Path) -> AsyncIterator[tuple[KafkaCluster, Link]]:
    """One broker, which ``LISTENER`` leads to over the link alone."""
    advertised = {LISTENER: HOST}
    cluster = KafkaCluster(tmp_path / "kafka", 1, {LISTENER: "PLAINTEXT"}, advertised=advertised)
    host, _, port = cluster.listener(LISTENER).rpartition(":")
    link = Link((HOST, int(port)), (host, int(port)))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(link.open())
        stack.push_async_callback(asyncio.to_thread, cluster.delete)
        await asyncio.to_thread(cluster.up)
        yield cluster, link


@pytest.mark.parametrize(
    ("trouble", "seconds"),
    [
        pytest.param(CUT, 60.0, id="cut, a minute"),
        pytest.param(UNANSWERED, 20.0, id="nothing comes back"),
        pytest.param(UNHEARD, 20.0, id="nothing gets there"),
    ],
)
async def test_it_stops_with_its_session_and_no_call_is_repeated(
    trouble: Trouble,
    seconds: float,
    kafka_behind_a_link: tuple[KafkaCluster, Link],
    make_settings: Callable[..., Settings],
    tmp_path: Path,
) -> None:
    """Another one goes on with all of its records, and asks before it repeats what is in doubt."""
    kafka, to_kafka = kafka_behind_a_link
    settings = make_settings(
        kafka_bootstrap_servers=kafka.bootstrap_servers,
        kafka_session_timeout_seconds=SESSION_SECONDS,
    )
    async with journey(settings, interactions=400, seed=8, latency=LATENCY) as (centre, events):
        api = URL(str(centre.settings.genesys_cloud_base_url))
        to_api = Link(("127.0.0.1", 0), (str(api.host), int(api.port or 0)))
        async with to_api.open() as (_, api_port):
            _, kafka_port = to_kafka.listens
            apart = {
                "kafka_bootstrap_servers": f"{HOST}:{kafka_port}",
                "genesys_cloud_base_url": str(api.with_port(api_port)).rstrip("/"),
            }
            settings_of = {
                name: centre.settings.model_copy(
                    update={
                        "data_dir": tmp_path / f"data-{name}",
                        "worker_port": free_port(),
                        **update,
                    }
                )
                for name, update in (("apart", apart), ("other", {}))
            }
            with workers(settings_of, tmp_path) as started:
                for worker in started.values():
                    worker.start()
                await asyncio.gather(*(worker.ready() for worker in started.values()))
                sending = asyncio.create_task(centre.send(events, seconds=30))
                await eventually(
                    lambda: (
                        to_api.carried > MANY_CALLS_BYTES
                        and centre.simulator.store.patches_applied > 20
                    ),
                    30,
                    "calls of both are on their way",
                )
                with to_kafka.broken(trouble):
                    await asyncio.sleep(LAST_CALL_SECONDS)
                    called = to_api.carried
                    await asyncio.sleep(seconds - LAST_CALL_SECONDS)
                    assert to_api.carried == called
                if started["apart"].exit_code is not None:
                    assert re.search("answered .* for 5[0-9] s", started["apart"].output)
                    started["apart"].start()
                await started["apart"].ready()
                await sending
                await centre.all_published(60)
                await centre.all_committed(30)
                await centre.judge()
        received = [each["patchesReceived"] for each in centre.counters.values()]
        assert max(received) == 1
