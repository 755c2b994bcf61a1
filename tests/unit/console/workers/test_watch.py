"""What a watch makes of workers that answer, are away, or are something else."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from streams.addresses import http_url
from streams.clock import SystemClock
from streams.console.workers import watch as watch_module
from streams.console.workers.seen import Called, Seen
from streams.console.workers.watch import Watch, Worker
from streams.listening import Runner, listen
from tests.support.workers import eventually, free_port


@asynccontextmanager
async def answering(ready: str, metrics: str, status: int = 200) -> AsyncIterator[str]:
    async def readyz(_: web.Request) -> web.Response:
        return web.Response(text=ready, status=status)

    async def exposed(_: web.Request) -> web.Response:
        return web.Response(text=metrics)

    app = web.Application()
    app.add_routes([web.get("/readyz", readyz), web.get("/metrics", exposed)])
    runner = Runner(app, on_not_http=lambda: None, shutdown_timeout=1.0)
    try:
        yield http_url(*await listen(runner, "127.0.0.1", 0, variables="PORT"))
    finally:
        await runner.cleanup()


async def asked_once(url: str) -> Worker:
    watch = Watch([url], SystemClock(), ssl.create_default_context())
    watching = asyncio.create_task(watch.run())
    try:
        await eventually(lambda: watch.version, 20, "they were asked")
    finally:
        watching.cancel()
    return watch.workers[0]


async def test_a_worker_is_asked_for_its_state_and_its_metrics() -> None:
    metrics = "# TYPE genesys_streams_in_flight gauge\ngenesys_streams_in_flight 7.0\n"
    async with answering('{"status": "ready", "breaker": "closed"}', metrics) as url:
        worker = await asked_once(url)
    assert worker.silent is None
    assert worker.last is not None
    assert (worker.last.in_flight, worker.last.not_ready) == (7, None)


async def test_one_that_is_not_ready_says_why() -> None:
    said = '{"status": "not ready", "reason": "out of the group", "breaker": "open"}'
    async with answering(said, "", status=503) as url:
        worker = await asked_once(url)
    assert worker.last is not None
    assert (worker.last.not_ready, worker.last.breaker) == ("out of the group", "open")


@pytest.mark.parametrize(
    ("ready", "metrics"), [("no JSON", ""), ("[]", ""), ("{}", "no metrics {"), ('"x"', "")]
)
async def test_another_program_at_that_address_is_silent(ready: str, metrics: str) -> None:
    async with answering(ready, metrics) as url:
        assert (await asked_once(url)).silent is not None


async def test_each_address_of_a_name_is_a_worker_and_one_that_goes_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A headless Service of Kubernetes has an address for each pod."""
    addresses = ["127.0.0.1", "127.0.0.2"]

    async def addresses_of(url: str) -> list[tuple[str, str]]:
        return [(url, address) for address in addresses]

    monkeypatch.setattr(watch_module, "addresses_of", addresses_of)
    monkeypatch.setattr(watch_module, "EVERY_SECONDS", 0.01)
    async with answering('{"status": "ready"}', "") as url:
        by_name = url.replace("127.0.0.1", "workers.example.com")
        watch = Watch([by_name], SystemClock(), ssl.create_default_context())
        watching = asyncio.create_task(watch.run())
        try:
            await eventually(lambda: watch.version, 20, "they were asked")
            one, other = watch.workers
            assert (one.url, one.silent) == (f"{by_name} (127.0.0.1)", None)
            assert other.url == f"{by_name} (127.0.0.2)"
            assert other.silent == "ClientConnectorError", "each is asked at its own address"

            addresses.pop()
            await eventually(lambda: watch.workers == [one], 20, "the other one is gone")
            assert one.url == by_name
            await eventually(lambda: len(one.seen) > 2, 20, "it is the one that it was")
        finally:
            watching.cancel()


async def test_nobody_there_is_silent() -> None:
    worker = await asked_once(f"http://127.0.0.1:{free_port()}")
    assert worker.silent == "ClientConnectorError"
    assert worker.last is None


def test_a_minute_is_remembered_and_no_more() -> None:
    worker = Worker("http://worker:6066")
    for at in range(0, 200, 5):
        worker.answered(Seen(float(at), records=at * 2.0, api=Called({"200": float(at)})))
    assert 60 <= worker.seconds <= 65
    assert worker.api().all == worker.seconds
    assert worker.grown("records") == 2 * worker.seconds
