"""``genesys-streams bridge http`` as a process: start, wrong settings, drain."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from tests.support.bridges import LISTENING, ROOT, Program, event, post, until_ready

LEAVE_SECONDS = 10.0

Start = Callable[..., Program]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts the command with these settings and no others."""
    monkeypatch.chdir(tmp_path)
    programs = []

    def begin(**settings: str) -> Program:
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "BRIDGE_PORT": "0"} | settings
        programs.append(Program("-m", "streams", "bridge", "http", env=env))
        return programs[-1]

    yield begin
    for program in programs:
        program.end()


async def test_says_where_it_listens_and_to_which_topic(
    start: Start, freezable_servers: str
) -> None:
    bridge = start(KAFKA_BOOTSTRAP_SERVERS=freezable_servers, TOPIC_PREFIX="p.")
    line = bridge.wait_for(LISTENING.pattern + ".*topic=p.events")
    await until_ready(line[1])
    assert (await post(line[1], event()))[0] == 200


async def test_sigterm_lets_a_request_in_flight_finish_and_leaves_with_0(
    start: Start, freezable_broker: Program, freezable_servers: str
) -> None:
    bridge = start(KAFKA_BOOTSTRAP_SERVERS=freezable_servers)
    url = bridge.wait_for(LISTENING.pattern)[1]
    await until_ready(url)
    await post(url, event("first"))
    freezable_broker.send(signal.SIGSTOP)
    in_flight = asyncio.create_task(post(url, event("second")))
    await until_in_flight(url)
    bridge.send(signal.SIGTERM)
    began = time.monotonic()
    await until_refused(url)
    assert not in_flight.done()
    freezable_broker.send(signal.SIGCONT)
    status, answer = await in_flight
    assert (status, answer["status"]) == (200, "accepted")
    assert await asyncio.to_thread(bridge.wait, LEAVE_SECONDS) == 0
    assert time.monotonic() - began < LEAVE_SECONDS
    assert "Traceback" not in bridge.output


async def test_sigterm_while_kafka_hangs_answers_503_and_leaves_with_0(
    start: Start, freezable_broker: Program, freezable_servers: str
) -> None:
    bridge = start(KAFKA_BOOTSTRAP_SERVERS=freezable_servers)
    url = bridge.wait_for(LISTENING.pattern)[1]
    await until_ready(url)
    await post(url, event("first"))
    freezable_broker.send(signal.SIGSTOP)
    in_flight = asyncio.create_task(post(url, event("second")))
    await until_in_flight(url)
    bridge.send(signal.SIGTERM)
    began = time.monotonic()
    assert (await in_flight)[0] == 503
    assert await asyncio.to_thread(bridge.wait, LEAVE_SECONDS) == 0
    assert time.monotonic() - began < LEAVE_SECONDS
    assert "Traceback" not in bridge.output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_leaves_with_0_when_kafka_was_never_there(start: Start, number: signal.Signals) -> None:
    bridge = start(KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")
    bridge.wait_for("no Kafka yet")
    bridge.send(number)
    assert bridge.wait(LEAVE_SECONDS) == 0
    assert "Traceback" not in bridge.output


@pytest.mark.kafka  # a long way to go: not for every `make test`
@pytest.mark.parametrize("kafka", ["away", "hangs", "there"])
async def test_sigterm_while_clients_hold_connections_open_leaves_with_0(
    start: Start, freezable_broker: Program, freezable_servers: str, kafka: str
) -> None:
    servers = "127.0.0.1:1" if kafka == "away" else freezable_servers
    bridge = start(KAFKA_BOOTSTRAP_SERVERS=servers)
    url = bridge.wait_for(LISTENING.pattern)[1]
    if kafka != "away":
        await until_ready(url)
    if kafka == "hangs":
        freezable_broker.send(signal.SIGSTOP)
    head = b"POST /events HTTP/1.1\r\nHost: b\r\nContent-Type: application/json\r\n"
    held = {
        "says nothing": b"",
        "half a header": head,
        "half a body": head + b"Content-Length: 100\r\n\r\n{",
        "a body without an end": head + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
        "a body that nobody takes": head + b"Content-Length: 9999999\r\n\r\n" + b"x" * 100_000,
        "for nothing that is there": b"PUT /events HTTP/1.1\r\nHost: b\r\n"
        b"Content-Length: 100\r\n\r\n{",
        "an event": head + b"Content-Length: %d\r\n\r\n" % len(event()) + event(),
        "events that it does not wait for": 50
        * (head + b"Content-Length: %d\r\n\r\n" % len(event()) + event()),
        "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00",
    }
    address = urlsplit(url)
    writers = []
    for sent in held.values():
        _, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(sent)
        writers.append(writer)
    await until_counted(url, "not-http")  # the last that came
    began = time.monotonic()
    bridge.send(signal.SIGTERM)
    assert await asyncio.to_thread(bridge.wait, LEAVE_SECONDS) == 0
    assert time.monotonic() - began < LEAVE_SECONDS
    assert "Traceback" not in bridge.output
    for writer in writers:
        writer.close()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"BRIDGE_HOST": "0.0.0.0"}, "BRIDGE_API_KEY: required because BRIDGE_HOST=0.0.0.0"),
        ({"BRIDGE_PORT": "eighty"}, "BRIDGE_PORT: must be a whole number from 0 to 65535; "),
        ({"KAFKA_BOOTSTRAP_SERVERS": ","}, "KAFKA_BOOTSTRAP_SERVERS: must be HOST:PORT"),
        (
            {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CAFILE": "missing.pem"},
            "KAFKA_SSL_CAFILE: cannot read missing.pem: No such file or directory",
        ),
        ({"BRIDGE_HOST": "192.0.2.1", "BRIDGE_API_KEY": "s3cret"}, "cannot listen on 192.0.2.1"),
        ({"OTEL_TRACES_EXPORTER": "carrier-pigeon"}, "OTEL_TRACES_EXPORTER: "),
    ],
)
def test_a_wrong_setting_is_one_line_and_exit_code_2(
    start: Start, settings: dict[str, str], said: str
) -> None:
    bridge = start(**settings)
    assert bridge.wait(20) == 2
    assert said in bridge.output
    assert bridge.output.startswith("genesys-streams: ")
    assert bridge.output.count("\n") == 1
    assert "s3cret" not in bridge.output


def test_a_port_in_use_is_named(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        bridge = start(BRIDGE_PORT=port)
        assert bridge.wait(20) == 2
    assert f"cannot listen on 127.0.0.1 port {port}" in bridge.output


async def until_in_flight(url: str) -> None:
    await until_measured(url, "genesys_streams_bridge_in_flight 1.0")


async def until_counted(url: str, answer: str) -> None:
    await until_measured(url, f'genesys_streams_bridge_requests_total{{answer="{answer}"}} 1.0')


async def until_measured(url: str, line: str) -> None:
    async with asyncio.timeout(5), aiohttp.ClientSession() as session:
        while True:
            async with session.get(f"{url}/metrics") as answer:
                if line in await answer.text():
                    return
            await asyncio.sleep(0.02)


async def until_refused(url: str) -> None:
    """Until it accepts no new connection."""
    address = urlsplit(url)
    async with asyncio.timeout(5):
        while True:
            try:
                _, writer = await asyncio.open_connection(address.hostname, address.port)
            except ConnectionError:  # reset: it was taken in just before the end
                return
            writer.close()
            await asyncio.sleep(0.02)
