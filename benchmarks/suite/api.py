"""The API for benchmarks: answers after a fixed time, and costs as little of the machine as it can.

    python -m benchmarks.suite.api --latency-ms 100 [--wrap-up]     prints base_url=URL

The simulator of ``streams/local`` keeps a whole org and takes some 0.5 ms of CPU a request, on the
cores that the contenders need. This one knows every interaction: a call that is over, long enough,
and without a code. A PATCH of it succeeds and changes nothing. GET /requests tells what was asked.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import click
import msgspec

from benchmarks.suite.load import truth
from streams.local.simulator.tokens import DEFAULT_LIFETIME_SECONDS

ROUTE = b"/api/v2/interactions/"
TOKEN = msgspec.json.encode(
    {"access_token": "benchmark", "token_type": "bearer", "expires_in": DEFAULT_LIFETIME_SECONDS}
)


class Requests(msgspec.Struct, rename="camel"):
    """What was asked of the API. ``seconds``: how long it took for each interaction, all its
    requests together, from the request to the answer."""

    gets: int = 0
    patches: int = 0
    seconds: dict[str, float] = {}


@dataclass(slots=True)
class Desk:
    """What all connections share. ``later`` calls back after the latency."""

    wrap_up: bool
    later: Callable[[Callable[[], None]], object]
    requests: Requests = field(default_factory=Requests)

    def interaction(self, interaction_id: str) -> bytes:
        shown = truth(interaction_id)
        if self.wrap_up:
            shown["wrapUpCode"] = {"id": "benchmark"}
        return msgspec.json.encode(shown)


class Connection(asyncio.Protocol):
    """One connection, kept alive; one request at a time, as clients of HTTP/1.1 send them."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (request := _whole(self._received)) is not None:
            head, self._received = request
            self._answer(*head.split(b" ", 2)[:2])

    def _answer(self, method: bytes, path: bytes) -> None:
        requests = self._desk.requests
        if not path.startswith(ROUTE):
            self._send(msgspec.json.encode(requests) if method == b"GET" else TOKEN)
            return
        arrived, interaction_id = time.perf_counter(), path.removeprefix(ROUTE).decode()
        if method == b"GET":
            requests.gets += 1
        else:
            requests.patches += 1

        def answer() -> None:
            self._send(self._desk.interaction(interaction_id))
            took = time.perf_counter() - arrived
            requests.seconds[interaction_id] = requests.seconds.get(interaction_id, 0.0) + took

        self._desk.later(answer)

    def _send(self, body: bytes) -> None:
        self._transport.write(
            b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nETag: "1"\r\n'
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        )


def _whole(received: bytes) -> tuple[bytes, bytes] | None:
    """The head of the first request and what follows it; None if it has not all come yet."""
    head, ended, rest = received.partition(b"\r\n\r\n")
    if not ended:
        return None
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return (head, rest[length:]) if len(rest) >= length else None


async def serve(latency_ms: float, wrap_up: bool) -> None:
    loop = asyncio.get_running_loop()
    desk = Desk(wrap_up, lambda callback: loop.call_later(latency_ms / 1000, callback))
    server = await loop.create_server(lambda: Connection(desk), "127.0.0.1", 0, backlog=4096)
    host, port = server.sockets[0].getsockname()
    print(f"base_url=http://{host}:{port}", flush=True)
    await server.serve_forever()


@click.command()
@click.option("--latency-ms", required=True, type=click.FloatRange(0))
@click.option("--wrap-up", is_flag=True, help="They have a wrap-up code: a GET settles them.")
def main(latency_ms: float, wrap_up: bool) -> None:
    asyncio.run(serve(latency_ms, wrap_up))


if __name__ == "__main__":
    main()
