"""How a worker starts, and what it says when it cannot."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest

from streams.errors import SettingsError
from streams.settings import Settings
from streams.worker.http import StateServer, check_worker_address
from tests.support.workers import WorkerProcess

GENESYS: dict[str, Any] = {
    "genesys_cloud_base_url": "http://127.0.0.1:1",
    "genesys_cloud_client_id": "client",
    "genesys_cloud_client_secret": "secret",
    "dry_run": True,
    # Nobody is there: a worker that asks Kafka first says so after ten seconds.
    "kafka_bootstrap_servers": "127.0.0.1:1",
}

START_SECONDS = 20.0


@pytest.fixture
def used_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def server(settings: Settings) -> StateServer:
    """One that answers for nothing but its health."""
    nothing = cast(Any, None)
    host, port = settings.worker_host, settings.worker_port
    return StateServer(
        *(nothing, nothing, nothing, nothing),
        host=host,
        port=port,
        api_keys=(),
        tls=settings.worker_tls(),
        peers_tls=settings.peers_tls(),
        assignments=nothing,
        standing=nothing,
    )


def said_at_start(settings: Settings, log: Path) -> tuple[int, str]:
    worker = WorkerProcess(settings, log)
    worker.start()
    try:
        return worker.ended(START_SECONDS), worker.output
    finally:
        worker.close()


def test_a_port_in_use_is_one_line_and_exit_code_2(
    make_settings: Callable[..., Settings], used_port: int, tmp_path: Path
) -> None:
    settings = make_settings(**GENESYS, worker_port=used_port)
    code, said = said_at_start(settings, tmp_path / "worker.log")
    assert code == 2
    assert said == (
        "genesys-streams: WORKER_HOST, WORKER_PORT: cannot listen on 127.0.0.1 port "
        f"{used_port}: Address already in use; set an address of this machine and a port that no "
        "other program uses\n"
    )
    assert not settings.data_dir.exists()


def test_an_address_of_another_machine_is_one_line_and_exit_code_2(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = make_settings(**GENESYS, worker_host="192.0.2.1", worker_api_key="key")
    code, said = said_at_start(settings, tmp_path / "worker.log")
    assert code == 2
    assert said.startswith("genesys-streams: WORKER_HOST, WORKER_PORT: cannot listen on 192.0.2.1")
    assert said.count("\n") == 1


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid", "..", "a" * 64])
async def test_what_the_server_would_refuse_is_refused_before_it_is_started(
    make_settings: Callable[..., Settings], host: str
) -> None:
    settings = make_settings(worker_host=host)
    for attempt in (check_worker_address(host, settings.worker_port), server(settings).start()):
        with pytest.raises(SettingsError, match=f"^WORKER_HOST, WORKER_PORT: .* {host} port 0: "):
            await attempt


async def test_an_address_that_was_looked_at_is_free_still(
    make_settings: Callable[..., Settings],
) -> None:
    settings = make_settings(worker_host="localhost")
    await check_worker_address(settings.worker_host, settings.worker_port)
    started = server(settings)
    await started.start()
    await started.stop()


async def test_what_is_no_http_is_neither_logged_nor_sent_back(
    make_settings: Callable[..., Settings], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    started = server(make_settings())
    await started.start()
    try:
        async with aiohttp.ClientSession() as session:
            url = f"http://127.0.0.1:{started.port}/healthz"
            async with session.get(url, headers={"X-Api-Key": "k3y-" + "a" * 9000}) as answer:
                assert answer.status == 400
                assert "k3y" not in await answer.text()
            async with session.get(url) as answer:
                assert answer.status == 200
    finally:
        await started.stop()
    assert "k3y" not in caplog.text
    assert "Traceback" not in caplog.text
    assert [record.name for record in caplog.records if "HTTP" in record.getMessage()] == [
        "streams.worker.http"
    ]
