"""What servers and proxies are known to do, by name, through the real client on a socket."""

from __future__ import annotations

import gzip
import json
import logging
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random

import pytest

from streams.errors import ApiError, BadRequest, ConnectionLost, Forbidden, RateLimited, ServerError
from streams.genesys.api import CallContext
from streams.genesys.client import GenesysClient, open_client
from streams.genesys.transport import BODY_LIMIT
from tests.support.raw_server import BODY, RawServer, check_error, client_settings, http, raw_server
from tests.support.scripted import CLIENT_SECRET, LeapingClock, Recorder


@asynccontextmanager
async def against(clock: LeapingClock) -> AsyncIterator[tuple[RawServer, GenesysClient]]:
    async with (
        raw_server() as server,
        open_client(
            client_settings(server), in_flight=3, observer=Recorder(), clock=clock, random=Random(7)
        ) as client,
    ):
        yield server, client


async def test_a_correlation_id_that_is_no_text(clock: LeapingClock) -> None:
    async with against(clock) as (server, client):
        server.answer = http(403, b"{}", b"ININ-Correlation-Id: \xff\xfe")
        with pytest.raises(Forbidden) as caught:
            await client.fetch("i-1", CallContext())
    assert caught.value.correlation_id == "\N{REPLACEMENT CHARACTER}" * 2
    assert str(caught.value).encode()


async def test_a_correlation_id_of_8000_bytes(clock: LeapingClock) -> None:
    async with against(clock) as (server, client):
        server.answer = http(503, b"", b"Retry-After: 3000", b"ININ-Correlation-Id: " + b"c" * 8000)
        with pytest.raises(ServerError) as caught:
            await client.fetch("i-1", CallContext())
    check_error(caught.value)
    assert caught.value.retry_after == 3000


async def test_identity_is_asked_for_on_every_request(clock: LeapingClock) -> None:
    async with against(clock) as (server, client):
        await client.fetch("i-1", CallContext())
        await client.set_disposition("i-1", "c", None, CallContext())
    assert len(server.received) == 3
    for request in server.received:
        assert request.count(b"Accept-Encoding: identity\r\n") == 1


@pytest.mark.parametrize(
    ("headers", "sent"),
    [
        ([b'ETag: "1"'], b'If-Match: "1"'),
        ([b'ETag: W/"1"'], None),
        ([b"ETag: \xff"], None),
        ([b'ETag: "1-gzip"', b"Content-Encoding: gzip"], None),
    ],
)
async def test_what_goes_back_in_if_match(
    clock: LeapingClock, headers: list[bytes], sent: bytes | None
) -> None:
    body = gzip.compress(BODY) if len(headers) == 2 else BODY
    async with against(clock) as (server, client):
        server.answer = http(200, body, *headers)
        interaction = await client.fetch("i-1", CallContext())
        server.answer = http(200)
        await client.set_disposition("i-1", "c", interaction.etag, CallContext())
    if sent is None:
        assert b"if-match" not in server.received[-1].lower()
    else:
        assert sent in server.received[-1]


@pytest.mark.parametrize(
    ("coding", "compress"),
    [(b"gzip", gzip.compress), (b"GZIP", gzip.compress), (b"deflate", zlib.compress)],
)
async def test_a_compressed_answer_is_read_all_the_same(
    clock: LeapingClock, coding: bytes, compress: Callable[[bytes], bytes]
) -> None:
    async with against(clock) as (server, client):
        server.answer = http(200, compress(BODY), b"Content-Encoding: " + coding)
        assert (await client.fetch("i-1", CallContext())).type == "voice"
        server.answer = http(403, compress(b'{"code":"x.y"}'), b"Content-Encoding: " + coding)
        with pytest.raises(Forbidden) as caught:
            await client.fetch("i-1", CallContext())
    assert caught.value.code == "x.y"


@pytest.mark.parametrize("coding", [b"gzip", b"deflate"])
async def test_a_bomb_stays_within_the_limit(clock: LeapingClock, coding: bytes) -> None:
    compressed = (gzip if coding == b"gzip" else zlib).compress(bytes(500 * 1024 * 1024), 1)
    async with against(clock) as (server, client):
        server.answer = http(200, compressed, b"Content-Encoding: " + coding)
        tracemalloc.start()
        try:
            with pytest.raises(BadRequest):
                await client.fetch("i-1", CallContext())
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 30 * BODY_LIMIT


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        (b"gzip", b"no gzip"),
        (b"gzip", gzip.compress(BODY, mtime=0)[:-20]),
        (b"gzip", gzip.compress(BODY, mtime=0)[:20] + b"\xff" * 50),
        (b"deflate", zlib.compress(BODY)[:-20]),
        (b"br", b"\x1b\x00\xff"),
        (b"zstd", b"\x28\xb5\x2f\xfd\xff"),
        (b"br, gzip", b"\x1b\x00\xff"),
        (b"never-heard-of", b"\xff"),
    ],
)
async def test_broken_compressed_bytes_are_named_as_what_they_are(
    clock: LeapingClock, coding: bytes, body: bytes
) -> None:
    async with against(clock) as (server, client):
        server.answer = http(200, body, b"Content-Encoding: " + coding)
        with pytest.raises(
            (BadRequest, ConnectionLost), match=r"compressed|encoding|deflate"
        ) as caught:
            await client.fetch("i-1", CallContext())
    check_error(caught.value)


def until_it_closes(status: int, body: bytes) -> bytes:
    """An answer as HTTP/1.0 has it: the end of the connection is the end of the body."""
    return b"HTTP/1.1 %d X\r\nConnection: close\r\n\r\n" % status + body


async def test_a_body_without_a_length_that_was_cut_short_is_a_connection_lost(
    clock: LeapingClock,
) -> None:
    """A proxy that ends in the middle of an answer must not make a record fail for good."""
    async with against(clock) as (server, client):
        server.answer = until_it_closes(200, BODY[: len(BODY) // 2])
        with pytest.raises(ConnectionLost, match="before the answer was complete") as caught:
            await client.fetch("i-1", CallContext())
        check_error(caught.value)
        assert not caught.value.maybe_applied
        assert sum(request.startswith(b"GET") for request in server.received) == 3

        server.answer = until_it_closes(200, BODY)
        assert (await client.fetch("i-1", CallContext())).type == "voice"


async def test_a_body_without_a_length_that_nobody_reads_is_no_connection_lost(
    clock: LeapingClock,
) -> None:
    async with against(clock) as (server, client):
        server.answer = until_it_closes(200, b"")
        assert await client.set_disposition("i-1", "c", None, CallContext()) == 200
        server.answer = until_it_closes(403, b"<html>")
        with pytest.raises(Forbidden):
            await client.fetch("i-1", CallContext())
        server.answer = until_it_closes(200, b"[" * (BODY_LIMIT + 1))
        with pytest.raises(BadRequest):
            await client.fetch("i-1", CallContext())


@pytest.mark.parametrize(
    "header", [b"9" * 400, b"Fri, 31 Dec 9999 23:59:59 -2359", b"-5", b"\xd9\xa3"]
)
async def test_a_429_of_any_length_is_put_off_or_waited_for(
    clock: LeapingClock, header: bytes
) -> None:
    async with against(clock) as (server, client):
        server.answer = http(429, b"", b"Retry-After: " + header)
        with pytest.raises(RateLimited) as caught:
            await client.fetch("i-1", CallContext())
    assert 1 <= caught.value.retry_after <= 86_400


@pytest.mark.parametrize("write", [str, str.upper, " ".join], ids=["plain", "capitals", "blanks"])
@pytest.mark.parametrize("where", ["body", "header", "cut"])
@pytest.mark.parametrize("status", [302, 401, 403, 404, 409, 429, 500])
async def test_a_token_or_secret_that_comes_back_is_nowhere(
    *,
    clock: LeapingClock,
    caplog: pytest.LogCaptureFixture,
    write: Callable[[str], str],
    where: str,
    status: int,
) -> None:
    token = "Tk9-abcDEFghiJKLmnoPQRstuVWXyz/0123456789"
    caplog.set_level(logging.DEBUG)
    for secret in (token, CLIENT_SECRET):
        written = write(secret)
        escaped = "".join(f"\\u{ord(char):04x}" for char in written)
        said = (b'{"code":"%s","message":"%s","contextId":"%s"}').replace(b"%s", escaped.encode())
        if where == "cut":
            said = b'{"message":"' + b"x" * 290 + escaped.encode() + b'"}'
        headers = [b"ININ-Correlation-Id: " + written.encode()] if where == "header" else []
        async with against(clock) as (server, client):
            granted = {"access_token": token, "expires_in": 86_400}
            server.token_answer = http(200, json.dumps(granted).encode())
            server.answer = http(status, said, *headers)
            with pytest.raises(ApiError) as caught:
                await client.fetch("i-1", CallContext())
        shown = [str(caught.value), repr(vars(caught.value))]
        shown += [
            repr(vars(record)) for record in caplog.records if record.name.startswith("streams")
        ]
        for text in shown:
            letters = "".join(char for char in text.lower() if char.isalnum())
            for run in ("tk9abcdefghi", "jklmnopqrstu", "s3cr3t"):
                assert run not in letters, text
