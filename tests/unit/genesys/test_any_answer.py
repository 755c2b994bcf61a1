"""Whatever bytes a server answers, a call gives a value of ours or raises one of our errors."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.interaction import Interaction
from streams.errors import ApiError, Unauthorized
from streams.genesys.api import CallContext
from streams.genesys.client import GenesysClient, open_client
from streams.genesys.token import TOKEN_MAX_LENGTH
from tests.support.examples import times
from tests.support.raw_server import (
    BODY,
    GOOD,
    GRANTED,
    RawServer,
    check_error,
    client_settings,
    http,
    raw_server,
)
from tests.support.scripted import LeapingClock, Recorder

DAYS = 200_000.0


class Against:
    """Runs calls of the real client against a server that sends these bytes."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self.runner = runner
        self.stray: list[dict[str, Any]] = []

    def run(
        self, call: Callable[[RawServer, GenesysClient, LeapingClock], Awaitable[None]]
    ) -> None:
        async def go() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda _, at: self.stray.append(at))
            clock = LeapingClock()
            async with (
                asyncio.timeout(30),
                raw_server() as server,
                open_client(
                    client_settings(server),
                    in_flight=3,
                    observer=Recorder(),
                    clock=clock,
                    random=Random(7),
                ) as client,
            ):
                await call(server, client, clock)

        self.runner.run(go())
        assert not self.stray


@contextmanager
def loop() -> Iterator[Against]:
    with asyncio.Runner() as runner:
        yield Against(runner)


def check_value(interaction: Interaction) -> None:
    for text in (
        interaction.type,
        interaction.state,
        interaction.disposition_code_id,
        interaction.wrap_up_code_id,
        interaction.etag,
    ):
        assert text is None or (text.isprintable() and len(text) <= 256 and text.encode() != b"?")
    assert 0 <= interaction.duration_ms < 10**15
    assert interaction.etag is None or interaction.etag.isascii()


async def check_calls(server: RawServer, client: GenesysClient, clock: LeapingClock) -> None:
    """GET and PATCH meet the server as it is; then it is well, and so is the client."""
    try:
        check_value(await client.fetch("i-1", CallContext()))
    except ApiError as error:
        check_error(error)
        assert not error.maybe_applied
    clock.now += DAYS
    asked = len(server.received)
    try:
        assert 200 <= await client.set_disposition("i-1", "code-1", None, CallContext()) < 300
    except ApiError as error:
        check_error(error)
        arrived = any(request.startswith(b"PATCH") for request in server.received[asked:])
        refused = error.status is not None and 300 <= error.status < 500
        assert error.maybe_applied or refused or not arrived
        assert not (refused and error.maybe_applied)
    server.answer, server.token_answer = GOOD, GRANTED
    clock.now += DAYS
    async with asyncio.TaskGroup() as calls:
        for number in range(3):
            calls.create_task(client.fetch(f"j-{number}", CallContext()), name="after")
    assert client.gate._in_flight == 0
    assert client.gate.waiting == 0


# What a server may say


def lines(*parts: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.tuples(*parts).map(b"".join)


hostile = st.sampled_from(
    [
        b"",
        b"\xff\xfe",
        b"\x00",
        b"x" * 8000,
        b"x" * 70_000,
        b"9" * 400,
        b"9" * 5000,
        b"-1",
        b"1e308",
        b"NaN",
        b"inf",
        "٣".encode(),
        b'W/"1"',
        b'"1-gzip"',
        b"gzip",
        b"br",
        b"zstd",
        b"deflate, gzip",
        b"chunked",
        b"chunked, chunked",
        b"Fri, 31 Dec 9999 23:59:59 GMT",
        b"Fri, 31 Dec 9999 23:59:59 -2359",
        b"a=b; Path=/; Domain=\xff",
        b"close",
        b"upgrade",
        b"a\r\n folded",
        b"a\rb",
        b"text/html; charset=\xff",
        b"1, 2",
        b"0",
        b"60",
    ]
)
names = st.sampled_from(
    [
        b"ININ-Correlation-Id",
        b"ETag",
        b"Retry-After",
        b"inin-ratelimit-count",
        b"inin-ratelimit-allowed",
        b"inin-ratelimit-reset",
        b"Content-Encoding",
        b"Content-Length",
        b"Content-Type",
        b"Transfer-Encoding",
        b"Connection",
        b"Upgrade",
        b"Set-Cookie",
        b"Location",
        b"Date",
        b"Link",
        b"Proxy-Authenticate",
        b"\xff",
        b"a b",
        b"",
    ]
)
headers = st.lists(
    lines(names | st.binary(max_size=20), st.just(b": "), hostile | st.binary(), st.just(b"\r\n")),
    max_size=8,
).map(b"".join)
statuses = st.integers(0, 999).map(b"%03d".__mod__) | st.sampled_from(
    b"200 100 101 204 304 401 403 407 429 503 2000 -20 +20 abc 2\xff0".split()
)
versions = st.sampled_from([b"HTTP/1.1"] * 6 + [b"HTTP/1.0", b"HTTP/2", b"HTTP/0.9", b"ICY", b""])
bodies = (
    st.sampled_from(
        [
            BODY,
            b"",
            b"{}",
            b'{"message":"\xff"}',
            rb'{"message":"\ud83d","code":"\udc00","contextId":"\u0000"}',
            b'{"code":5,"message":["x"],"limit":{"key":' + b"9" * 5000 + b"}}",
            b"[" * 5000,
            b"<html>" * 1000,
            gzip.compress(BODY),
            gzip.compress(BODY)[:-9],
            zlib.compress(BODY),
            gzip.compress(b" " * 3_000_000),
            b"\x1f\x8b garbage",
        ]
    )
    | st.binary()
)


def framed(body: bytes, framing: str) -> bytes:
    size = len(body)
    match framing:
        case "length":
            return b"Content-Length: %d\r\n\r\n" % size + body
        case "short":
            return b"Content-Length: %d\r\n\r\n" % (size + 7) + body
        case "long":
            return b"Content-Length: %d\r\n\r\n" % (size // 2) + body
        case "negative":
            return b"Content-Length: -5\r\n\r\n" + body
        case "twice":
            return b"Content-Length: %d\r\nContent-Length: 3\r\n\r\n" % size + body
        case "chunked":
            return b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % size + body + b"\r\n0\r\n\r\n"
        case "gzip":
            return b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % size + body
        case "deflate":
            return b"Content-Encoding: deflate\r\n\r\n" + body
        case "br" | "zstd":
            return b"Content-Encoding: " + framing.encode() + b"\r\n\r\n" + body
        case "broken":
            return b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + body
        case "both":
            start = b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n%x\r\n" % size
            return start + body + b"\r\n0\r\n\r\n"
        case _:
            return b"\r\n" + body


FRAMINGS = "length short long negative twice chunked gzip deflate br zstd broken both none"
framings = st.sampled_from(FRAMINGS.split())


def cut(whole: tuple[bytes, float]) -> bytes:
    answer, share = whole
    return answer[: round(len(answer) * share)]


answers = lines(
    versions,
    st.just(b" "),
    statuses,
    st.just(b" "),
    hostile | st.just(b"OK"),
    st.just(b"\r\n"),
    headers,
    st.builds(framed, bodies, framings),
)
no_http = st.sampled_from(
    [
        b"",
        b"\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x28",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x00\x00\x12\x04\x00\x00\x00\x00\x00",
        b"<html>HTTP/0.9</html>",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 50,
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 50_000,
        b"HTTP/1.1 200 OK\r\nA: " + b"x" * 1_000_000,
    ]
)
anything = (
    st.tuples(answers, st.just(1.0) | st.floats(0, 1)).map(cut) | no_http | st.binary(max_size=300)
)


def test_any_answer_of_the_api() -> None:
    with loop() as against:

        @settings(max_examples=times(2))
        @given(anything)
        def met(answer: bytes) -> None:
            async def call(server: RawServer, client: GenesysClient, clock: LeapingClock) -> None:
                server.answer = answer
                await check_calls(server, client, clock)

            against.run(call)

        met()


any_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
tokens = (
    st.text(st.characters(exclude_categories=()))
    | st.sampled_from(["t", "t" * 8192, "t" * 8193, "t" * 900_000, "a b", "a\r\nB: c", "", "ü"])
    | any_json
)
lives = (
    st.sampled_from([86_400, 1e308, -1, 0, 1e-9, "86400", float("nan"), float("inf"), True])
    | any_json
)
grants = st.builds(
    lambda token, life: http(200, json.dumps({"access_token": token, "expires_in": life}).encode()),
    tokens,
    lives,
)


def test_any_answer_of_the_token_endpoint() -> None:
    with loop() as against:

        @settings(max_examples=times(2))
        @given(anything | grants)
        def met(answer: bytes) -> None:
            async def call(server: RawServer, client: GenesysClient, clock: LeapingClock) -> None:
                server.token_answer = answer
                try:
                    check_value(await client.fetch("i-1", CallContext()))
                except ApiError as error:
                    check_error(error)
                    # Nothing is wrong with a record when there is no token.
                    assert error.retriable
                    assert not error.maybe_applied
                clock.now += DAYS
                server.token_answer = GRANTED
                await client.fetch("i-2", CallContext())
                assert client.gate._in_flight == 0

            against.run(call)

        met()


@pytest.mark.parametrize(("length", "accepted"), [(TOKEN_MAX_LENGTH, True), (900_000, False)])
async def test_a_token_too_long_for_a_header_is_none(
    clock: LeapingClock, length: int, accepted: bool
) -> None:
    granted = json.dumps({"access_token": "t" * length, "expires_in": 1e308}).encode()
    async with (
        raw_server() as server,
        open_client(
            client_settings(server), in_flight=1, observer=Recorder(), clock=clock, random=Random(7)
        ) as client,
    ):
        server.token_answer = http(200, granted)
        if accepted:
            await client.fetch("i-1", CallContext())
            assert b"Bearer " + b"t" * length in server.received[-1]
        else:
            with pytest.raises(Unauthorized, match="no token"):
                await client.fetch("i-1", CallContext())
            assert len(server.received) == 1
