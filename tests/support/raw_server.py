"""A server that sends the bytes it is told to, HTTP or not, and hangs up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from streams.errors import ApiError
from streams.genesys.settings import GenesysSettings
from tests.support.scripted import CLIENT_ID, CLIENT_SECRET, UNPACED, VOICE

# Characters of the longest error there is.
LONGEST_ERROR = 1500

BODY = json.dumps(VOICE).encode()


def http(status: int, body: bytes = b"", *headers: bytes) -> bytes:
    """A proper answer with these headers, whatever is in them."""
    start = [b"HTTP/1.1 %d X" % status, b"Connection: close", b"Content-Length: %d" % len(body)]
    lines = [*start, *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


GRANTED = http(200, json.dumps({"access_token": "t0k3n-raw-1", "expires_in": 86_400}).encode())
# Without an id, so it is the interaction that was asked for.
GOOD = http(200, json.dumps({**VOICE, "id": None}).encode())


@dataclass
class RawServer:
    """``answer`` to each request of the API, ``token_answer`` to each for a token. None: takes the
    request and says nothing. ``received``: the requests, each whole."""

    port: int = 0
    answer: bytes | None = GOOD
    token_answer: bytes | None = GRANTED
    received: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await read_request(reader)
            if not request:
                return
            self.received.append(request)
            is_token = request.split(b" ")[1].endswith(b"/oauth/token")
            answer = self.token_answer if is_token else self.answer
            if answer is None:
                await reader.read()
            else:
                writer.write(answer)
                await writer.drain()
        except ConnectionError:
            pass  # The client hung up first, which is its right.
        finally:
            writer.close()


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """One request; empty when none comes any more."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return head + await reader.readexactly(int(value))
    return head


@asynccontextmanager
async def raw_server() -> AsyncIterator[RawServer]:
    raw = RawServer()
    server = await asyncio.start_server(raw.serve, "127.0.0.1", 0)
    async with server:
        raw.port = server.sockets[0].getsockname()[1]
        yield raw


def client_settings(server: RawServer) -> GenesysSettings:
    return GenesysSettings(
        base_url=server.url,
        login_url=server.url,
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        requests_per_minute=UNPACED,
        timeout=10.0,
    )


def check_error(error: ApiError) -> None:
    """One bounded printable line without a secret, and figures that can be used."""
    for text, most in (
        (str(error), LONGEST_ERROR),
        (error.code or "", 128),
        (error.correlation_id or "", 64),
    ):
        assert text.isprintable(), repr(text)
        assert text.encode() is not None
        assert len(text) <= most
        for secret in (CLIENT_SECRET, "t0k3n-raw"):
            assert secret not in text.lower()
    assert str(error)
    assert 0 <= error.retry_after <= 86_400
    assert error.status is None or 0 <= error.status <= 999
