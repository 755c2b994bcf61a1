"""What is no HTTP may hold an API key: not a byte of it is logged or sent back."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Iterator
from urllib.parse import urlsplit

import aiohttp
import pytest

from streams.bridge.http.front import Limits
from tests.integration.bridge.gated import HEAD, serving, status_of
from tests.support.bridges import JSON_CONTENT, LISTENING, ROOT, Program, event, post

KEY = "k3y-abc"

START = b"POST /events HTTP/1.1\r\nHost: b\r\n"

# Each breaks the request where the key is, or near it.
BROKEN = {
    "the key comes out of a file with CRLF": START + b"X-Api-Key: k3y-abc\r\r\n\r\n",
    "a control character behind the key": START + b"X-Api-Key: k3y-abc\x01\r\n\r\n",
    "a header that is too long": START + b"X-Api-Key: k3y-abc" + b"a" * 9000 + b"\r\n\r\n",
    "a key on a line of its own": START + b"k3y-abc\r\n\r\n",
    "a key where the URL should be": b"POST k3y-abc HTTP/1.1\r\nHost: b\r\n\r\n",
    "a key and nothing else": b"k3y-abc\r\n\r\n",
    "a key to a place that is none": b"CONNECT k3y-abc:99999 HTTP/1.1\r\nHost: b\r\n\r\n",
    "a key in the framing of the body": HEAD + b"Transfer-Encoding: chunked\r\n\r\nk3y-abc\r\n",
}


@pytest.fixture(scope="module", params=["parser in C", "parser in Python"])
def bridge(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Program]:
    """With each of aiohttp's two parsers: they stumble differently."""
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "BRIDGE_PORT": "0",
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "LOG_LEVEL": "debug",
    }
    if request.param == "parser in Python":
        env["AIOHTTP_NO_EXTENSIONS"] = "1"
    program = Program("-m", "streams", "bridge", "http", env=env, cwd=tmp_path_factory.mktemp("b"))
    yield program
    program.end()


async def sent(url: str, request: bytes) -> tuple[str, str]:
    """The head and the body of the answer to these bytes, once the connection is closed."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        writer.write(request)
        async with asyncio.timeout(5):
            head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    finally:
        writer.close()
    return head, body


async def counted(url: str) -> float:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics") as answer:
        page = await answer.text()
    (line,) = (line for line in page.splitlines() if 'requests_total{answer="not-http"}' in line)
    return float(line.split()[-1])


@pytest.mark.parametrize("request_", BROKEN.values(), ids=BROKEN.keys())
async def test_what_is_no_http_is_a_400_without_a_byte_of_it(
    bridge: Program, request_: bytes
) -> None:
    url = bridge.wait_for(LISTENING.pattern)[1]
    before = await counted(url)
    head, body = await sent(url, request_)
    assert " 400 " in head.splitlines()[0]
    assert "Connection: close" in head
    assert json.loads(body) == {"error": "that is no valid HTTP request", "field": None}
    assert await counted(url) == before + 1
    assert KEY not in bridge.output
    assert "Traceback" not in bridge.output


async def test_a_request_for_a_host_that_is_no_name_is_cut_off(bridge: Program) -> None:
    url = bridge.wait_for(LISTENING.pattern)[1]
    before = await counted(url)
    assert await sent(url, b"GET http://xn--a.k3y-abc/ HTTP/1.1\r\nHost: b\r\n\r\n") == ("", "")
    assert await counted(url) == before + 1
    assert KEY not in bridge.output
    assert "Traceback" not in bridge.output


@pytest.mark.parametrize("expected", [b"k3y-abc", b"k3y-\xff\xffabc"])
async def test_what_a_client_expects_is_not_quoted(bridge: Program, expected: bytes) -> None:
    url = bridge.wait_for(LISTENING.pattern)[1]
    head, body = await sent(url, HEAD + b"Expect: " + expected + b"\r\n\r\n")
    assert " 417 " in head.splitlines()[0]
    assert "k3y" not in body
    assert "Traceback" not in bridge.output


async def test_a_stranger_who_sends_it_again_and_again_gets_one_line_of_the_log(
    bridge: Program,
) -> None:
    url = bridge.wait_for(LISTENING.pattern)[1]
    for _ in range(5):
        await sent(url, b"k3y-abc\r\n\r\n")
    bridge.wait_for("no valid HTTP")
    assert bridge.output.count("no valid HTTP") == 1


@pytest.mark.parametrize("bridge", ["parser in Python"], indirect=True)
async def test_a_body_that_is_framed_badly_is_not_logged_either(bridge: Program) -> None:
    address = urlsplit(bridge.wait_for(LISTENING.pattern)[1])
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(HEAD + b"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n")
    assert await reader.readline() == b"HTTP/1.1 100 Continue\r\n"
    await reader.readline()
    writer.write(b"k3y-abc\r\n")
    assert await status_of(reader) == 503
    async with asyncio.timeout(5):
        await reader.read()
    writer.close()
    assert KEY not in bridge.output
    assert "Traceback" not in bridge.output


async def test_an_error_of_ours_is_still_logged_with_its_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving(Limits()) as scene:
        scene.publisher.failure = ZeroDivisionError("ours")
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{scene.url}/events", data=event(), headers=JSON_CONTENT) as answer,
        ):
            assert answer.status == 500
        scene.publisher.failure = None
        scene.publisher.gate.set()
        assert (await post(scene.url, event()))[0] == 200
    (logged,) = (record for record in caplog.records if record.levelno == logging.ERROR)
    assert logged.name == "aiohttp.server"
    assert logged.exc_info
    assert logged.exc_info[0] is ZeroDivisionError
