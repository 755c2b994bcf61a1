"""Whatever comes to the bridge, HTTP or not: it has an answer of the contract's or its connection
is closed, what is answered 200 or 400 is in Kafka byte for byte, and no error of ours is logged."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streams.bridge.http.front import TRACE_BYTES, Limits
from streams.core.envelope import readable_interaction_id
from streams.errors import PublishError
from streams.kafka.message import Message
from tests.integration.bridge.any_request import Request, broken_requests, requests
from tests.integration.bridge.gated import Scene, serving
from tests.support.bridges import event
from tests.support.examples import times

KEY = "right"

# Small ones, so that the search gets to them.
LIMITS = Limits(answer_seconds=1.0, body_bytes=4096)

ANSWERS = {200, 400, 401, 404, 405, 413, 415, 417, 503}

# What a record's headers may have: all that a bridge writes, however long those of the request are.
HEADER_BYTES = 2048


class Faults(logging.Handler):
    """Remembers what no request may bring about: an error, or a traceback."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.ERROR or record.exc_info:
            self.found.append(f"{record.name}: {record.getMessage()} {record.exc_info}")


@dataclass(frozen=True, slots=True)
class Exchange:
    """What the bridge has said on one connection, and what it has put into Kafka meanwhile."""

    answers: Sequence[tuple[int, bytes]]
    published: Sequence[Message]


class Bridge:
    """A bridge in a thread of its own, talked to over plain sockets."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.faults = Faults()

    def exchange(self, sent: bytes, *, whole: bool = True, broken: bool = False) -> Exchange:
        """Send these bytes and read until the connection is closed. ``whole``: no more come, and
        the bridge closes it. ``broken``: Kafka takes nothing meanwhile."""
        self.scene.publisher.failure = PublishError("no Kafka") if broken else None
        before = len(self.scene.publisher.records)
        address = urlsplit(self.scene.url)
        with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
            received = b""
            try:
                connection.sendall(sent)
                if not whole:
                    connection.shutdown(socket.SHUT_WR)
                while more := connection.recv(65536):
                    received += more
            except (ConnectionResetError, BrokenPipeError, OSError) as error:
                assert not isinstance(error, TimeoutError), (sent, received)
        self._until_idle()
        assert self.faults.found == [], sent
        published = self.scene.publisher.records[before:]
        for record in published:
            assert sum(len(name) + len(value) for name, value in record.headers) < HEADER_BYTES
        return Exchange(list(answers(received)), published)

    def _until_idle(self) -> None:
        """Until the last request is done with, whose sender may have left before."""
        deadline = time.monotonic() + 10
        while self.scene.connections():
            assert time.monotonic() < deadline
            time.sleep(0.001)


def answers(received: bytes) -> Iterator[tuple[int, bytes]]:
    """Status and body of each answer; one to HEAD has to be the last one."""
    while received:
        head, _, received = received.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        length = int(headers.get("Content-Length", 0))
        body, received = received[:length], received[length:]
        if not status.startswith("HTTP/1.1 100 "):
            yield int(status.split()[1]), body


@pytest.fixture(scope="module")
def bridge() -> Iterator[Bridge]:
    with running() as bridge:
        yield bridge


@contextmanager
def running() -> Iterator[Bridge]:
    ready: list[Bridge] = []
    started, stop = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        async with serving(LIMITS, api_keys=[KEY], idle_seconds=1.0) as scene:
            scene.publisher.gate.set()
            ready.append(Bridge(scene))
            started.set()
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=[serve()])
    thread.start()
    assert started.wait(20)
    logging.getLogger().addHandler(ready[0].faults)
    try:
        yield ready[0]
    finally:
        logging.getLogger().removeHandler(ready[0].faults)
        loops[0].call_soon_threadsafe(stop.set)
        thread.join()


def assert_answered_as_it_is(exchange: Exchange, bodies: Sequence[bytes]) -> None:
    """Each answer is one that there is, and Kafka has what it says."""
    promised: list[tuple[str, Any]] = []
    for (status, text), body in zip(exchange.answers, bodies, strict=False):
        assert status in ANSWERS, (status, text)
        if text.startswith((b"#", b"genesys-streams ")):  # GET /metrics, and GET /
            continue
        answer: dict[str, Any] = json.loads(text)
        if answer.get("status") == "accepted":
            promised.append((answer["topic"], body))
        elif status == 400 and answer["error"] != "that is no valid HTTP request":
            promised.append(("p.dead-letters", body))
        else:
            assert answer.keys() <= {"error", "field", "status", "reason"}
    assert [(record.topic, record.value) for record in exchange.published] == promised


@settings(max_examples=times(4))
@given(request=requests)
@example(request=Request(b"POST", b"/events", [(b"X-Api-Key", b"right")] * 2, b"", []))
@example(request=Request(b"GET", b"/", [], b"", []))
@example(request=Request(b"GET", b"/metrics", [], b"", []))
def test_whatever_http_lets_through(bridge: Bridge, request: Request) -> None:
    exchange = bridge.exchange(request.whole)
    assert len(exchange.answers) == 1, exchange.answers
    assert_answered_as_it_is(exchange, [request.body])
    for record in exchange.published:
        named = readable_interaction_id(request.body)
        assert record.key == (named.encode() if named is not None else None)


@given(request=requests, at=st.integers(0))
def test_a_request_that_is_cut_at_any_byte(bridge: Bridge, request: Request, at: int) -> None:
    whole = request.whole
    exchange = bridge.exchange(whole[: at % len(whole)], whole=False)
    assert len(exchange.answers) <= 1
    # No body is taken that has not come to its end.
    assert exchange.published == []


@given(request=requests)
def test_whatever_comes_while_kafka_takes_nothing(bridge: Bridge, request: Request) -> None:
    ((status, text),) = bridge.exchange(request.whole, broken=True).answers
    assert status in ANSWERS
    assert b'"status":"accepted"' not in text
    assert status != 400 or b"no valid HTTP" in text


@settings(max_examples=times(4))
@given(sent=broken_requests() | st.binary(max_size=200))
def test_whatever_http_does_not_let_through(bridge: Bridge, sent: bytes) -> None:
    exchange = bridge.exchange(sent, whole=False)
    promised = {"p.events": 0, "p.dead-letters": 0}
    for status, text in exchange.answers:
        assert status in ANSWERS, (status, text)
        promised["p.events"] += b'"status":"accepted"' in text
        promised["p.dead-letters"] += status == 400 and b"no valid HTTP" not in text
    # More may be there: the connection was closed before the answer was written.
    there = Counter(record.topic for record in exchange.published)
    assert all(there[topic] >= number for topic, number in promised.items())


def test_what_a_sender_says_of_its_trace_has_a_limit(bridge: Bridge) -> None:
    parent = (b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    for length, goes_on in ((TRACE_BYTES, True), (TRACE_BYTES + 1, False)):
        state = b"a=" + b"v" * 200 + b",b=" + b"v" * 200 + b",c="
        state += b"v" * (length - len(state))
        said = [(b"X-Api-Key", b"right"), (b"Content-Type", b"application/json"), parent]
        request = Request(b"POST", b"/events", [*said, (b"tracestate", state)], event(), [])
        (record,) = bridge.exchange(request.whole).published
        kept = dict(record.headers)
        assert kept["traceparent"].split(b"-")[1] == parent[1].split(b"-")[1]
        assert ("tracestate" in kept) is goes_on


def test_a_client_that_leaves_before_it_may_continue(bridge: Bridge) -> None:
    said = [(b"X-Api-Key", b"right"), (b"Content-Type", b"application/json")]
    request = Request(b"POST", b"/events", [*said, (b"Expect", b"100-continue")], event(), [])
    for _ in range(50):
        bridge.exchange(request.head, whole=False)
