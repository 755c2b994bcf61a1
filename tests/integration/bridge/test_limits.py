"""Requests that are slow, too many, too large or broken, byte by byte over a socket."""

from __future__ import annotations

import asyncio
import gzip
import io

import pytest

from streams.bridge.http import Limits
from tests.integration.bridge.gated import HEAD, serving, status_of, until
from tests.integration.bridge.running import event, post


async def test_503_at_once_for_more_requests_than_may_be_in_flight() -> None:
    async with serving(Limits(in_flight=2)) as scene:
        held = [asyncio.create_task(post(scene.url, event())) for _ in range(2)]
        await until(lambda: len(scene.publisher.values) == 2)
        assert scene.in_flight == 2
        status, answer = await post(scene.url, event())
        assert (status, answer) == (503, {"error": "too many requests at once; send it again"})
        assert scene.answered("overloaded") == 1
        scene.publisher.gate.set()
        assert [status for status, _ in await asyncio.gather(*held)] == [200, 200]
        assert (await post(scene.url, event()))[0] == 200
        await scene.idle()


async def test_overload_is_one_line_of_the_log(log: io.StringIO) -> None:
    async with serving(Limits(in_flight=1)) as scene:
        held = asyncio.create_task(post(scene.url, event()))
        await scene.busy()
        for _ in range(3):
            assert (await post(scene.url, event()))[0] == 503
        scene.publisher.gate.set()
        await held
    (line,) = log.getvalue().splitlines()
    assert " WARNING streams.bridge.http requests are refused: too many at once " in line
    assert line.endswith(" limit=1")


async def test_wrong_keys_are_one_line_of_the_log_and_no_key_is_in_it(log: io.StringIO) -> None:
    async with serving(Limits(), api_keys=["right"]) as scene:
        for _ in range(3):
            assert (await post(scene.url, event(), X_Api_Key="k3y-abc"))[0] == 401
    (line,) = log.getvalue().splitlines()
    assert " WARNING streams.bridge.http a request is refused: " in line
    assert line.endswith(" sender=127.0.0.1")
    assert "k3y" not in line
    assert "right" not in line


async def test_503_for_a_body_that_does_not_arrive_in_time() -> None:
    async with serving(Limits(answer_seconds=0.2)) as scene, scene.connected() as (reader, writer):
        writer.write(HEAD + b"Content-Length: 100\r\n\r\n{")
        assert await status_of(reader) == 503
        await scene.idle()
        assert scene.answered("body-late") == 1
        assert scene.answered("unavailable") == 0


async def test_503_for_an_acknowledgement_that_does_not_come_in_time() -> None:
    async with serving(Limits(answer_seconds=0.2)) as scene:
        assert (await post(scene.url, event()))[0] == 503
        assert (await post(scene.url, b"no event"))[0] == 503
        assert scene.answered("unavailable") == 2


async def test_413_for_a_chunked_body_as_soon_as_it_is_too_large() -> None:
    async with serving(Limits(body_bytes=1000)) as scene, scene.connected() as (reader, writer):
        # The body has no end: the answer can't have waited for it.
        writer.write(
            HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1f4\r\n" + b"x" * 500 + b"\r\n"
        )
        writer.write(b"1f5\r\n" + b"x" * 501 + b"\r\n")
        assert await status_of(reader) == 413


async def test_413_for_an_announced_length_before_the_body_comes() -> None:
    async with serving(Limits(body_bytes=1000)) as scene, scene.connected() as (reader, writer):
        writer.write(HEAD + b"Content-Length: 1001\r\n\r\n")
        assert await status_of(reader) == 413


async def test_a_compressed_body_is_never_taken_for_what_it_unpacks_to() -> None:
    async with serving(Limits()) as scene, scene.connected() as (reader, writer):
        scene.publisher.gate.set()
        body = gzip.compress(event())
        codings = b"Content-Encoding: identity\r\nContent-Encoding: gzip\r\n"
        writer.write(HEAD + codings + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert await status_of(reader) == 400
        assert scene.publisher.values == [body]


async def test_a_chunked_body_within_the_limit_is_accepted() -> None:
    async with serving(Limits()) as scene, scene.connected() as (reader, writer):
        scene.publisher.gate.set()
        body = event()
        writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        for byte in body:
            writer.write(b"1\r\n" + bytes([byte]) + b"\r\n")
        writer.write(b"0\r\n\r\n")
        assert await status_of(reader) == 200


async def test_a_body_that_is_cut_off_or_badly_framed_harms_nobody_else() -> None:
    async with serving(Limits(answer_seconds=1.0)) as scene:
        scene.publisher.gate.set()
        async with scene.connected() as (_, writer):
            writer.write(HEAD + b"Content-Length: 100\r\n\r\n{")
            await scene.busy()
        await scene.idle()
        assert scene.answered("cut-off") == 1
        async with scene.connected() as (reader, writer):
            writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\nnot hex\r\n")
            assert await status_of(reader) == 400
        async with scene.connected() as (reader, writer):
            writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n")
            await scene.busy()
            writer.write(b"not hex\r\n")
            assert await status_of(reader) == 503
        await scene.idle()
        assert scene.publisher.values == []
        assert (await post(scene.url, event()))[0] == 200


@pytest.mark.parametrize(
    "sent", [b"", HEAD[:20], HEAD], ids=["nothing", "half a line", "headers without an end"]
)
async def test_a_connection_without_a_whole_header_is_closed(sent: bytes) -> None:
    async with serving(Limits(), idle_seconds=0.2) as scene, scene.connected() as (reader, writer):
        writer.write(sent)
        async with asyncio.timeout(5):
            assert await reader.read() == b""


async def test_a_header_that_trickles_in_gains_no_time() -> None:
    async with serving(Limits(), idle_seconds=0.3) as scene, scene.connected() as (reader, writer):

        async def trickle() -> None:
            while True:
                writer.write(b"X")
                await asyncio.sleep(0.05)

        writer.write(HEAD)
        trickling = asyncio.create_task(trickle())
        try:
            async with asyncio.timeout(5):
                assert await reader.read() == b""
        finally:
            trickling.cancel()


async def test_a_slow_body_has_the_time_that_an_answer_has() -> None:
    """Not the shorter one of a connection that says nothing."""
    async with serving(Limits(), idle_seconds=0.1) as scene, scene.connected() as (reader, writer):
        scene.publisher.gate.set()
        body = event()
        writer.write(HEAD + b"Content-Length: %d\r\n\r\n" % len(body))
        await scene.busy()
        await asyncio.sleep(0.3)
        writer.write(body)
        assert await status_of(reader) == 200


async def test_a_wrong_key_is_refused_before_the_body_and_takes_no_place() -> None:
    limits = Limits(in_flight=1)
    async with serving(limits, api_keys=["right"]) as scene, scene.connected() as (reader, writer):
        writer.write(HEAD + b"X-Api-Key: wrong\r\nContent-Length: 1000000\r\n\r\n{")
        assert await status_of(reader) == 401
        assert scene.in_flight == 0
        scene.publisher.gate.set()
        assert (await post(scene.url, event(), X_Api_Key="right"))[0] == 200
        assert scene.answered("unauthorized") == 1


async def test_of_a_key_that_is_sent_twice_the_first_one_counts() -> None:
    for first, second, status in (("right", "wrong", 200), ("wrong", "right", 401)):
        async with serving(Limits(), api_keys=["right"]) as scene:
            scene.publisher.gate.set()
            async with scene.connected() as (reader, writer):
                keys = f"X-Api-Key: {first}\r\nx-api-key: {second}\r\n".encode()
                writer.write(HEAD + keys + b"Content-Length: %d\r\n\r\n" % len(event()) + event())
                assert await status_of(reader) == status
