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
from streams.core.envelope import UPDATE_DETAIL_TYPE, readable_interaction_id
from streams.errors import PublishError
from streams.kafka.message import Message
from tests.integration.bridge.gated import Scene, serving
from tests.integration.bridge.running import event
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
        self._settle()
        assert self.faults.found == [], sent
        published = self.scene.publisher.records[before:]
        for record in published:
            assert sum(len(name) + len(value) for name, value in record.headers) < HEADER_BYTES
        return Exchange(list(answers(received)), published)

    def _settle(self) -> None:
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


# All that HTTP lets through in a header: no NUL, carriage return or line feed.
header_bytes = st.binary(max_size=40).map(
    lambda value: bytes(byte for byte in value if (byte >= 0x20 and byte != 0x7F) or byte == 0x09)
)
trace_parents = st.sampled_from(
    [
        b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        b"00-00000000000000000000000000000000-0000000000000000-01",
        b"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        b"cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes",
        b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-zz",
        "00-\u0660af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".encode(),
    ]
)
trace_states = st.sampled_from(
    [
        b"a=1,b=2",
        b",".join(b"k%d=%s" % (i, b"v" * 240) for i in range(32)),
        b"a=" + b"v" * 8000,
        b"a=1,a=2,,=,b",
        b"a=\xff,b=\xc3\xa9",
        b"k=v," * 500,
    ]
)
headers = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([b"traceparent", b"TraceParent"]), trace_parents | header_bytes),
        st.tuples(st.sampled_from([b"tracestate", b"TRACESTATE"]), trace_states | header_bytes),
        st.tuples(
            st.just(b"Content-Encoding"),
            st.sampled_from([b"gzip", b"identity", b"br, gzip", b"zstd"]) | header_bytes,
        ),
        st.tuples(st.just(b"Expect"), st.sampled_from([b"100-continue"]) | header_bytes),
        st.tuples(st.just(b"Accept-Encoding"), st.just(b"gzip, deflate, br")),
        st.tuples(st.just(b"Cookie"), header_bytes),
        st.tuples(st.just(b"Range"), st.just(b"bytes=0-5")),
        st.tuples(st.just(b"If-None-Match"), header_bytes),
        st.tuples(st.sampled_from([b"X-Api-Key", b"x-api-key"]), header_bytes),
        st.tuples(st.sampled_from([b"X", b"Forwarded", b"baggage", b"Origin"]), header_bytes),
    ),
    max_size=4,
)
keys = st.sampled_from([b"right"] * 6 + [b"wrong", b"", b"right\t", b"\xff", b"k" * 8000])
content_types = st.sampled_from([b"application/json"] * 6) | st.sampled_from(
    [
        b"application/json; charset=utf-8",
        b"application/cloudevents+json",
        b"application/json; charset=utf-16",
        b"text/plain",
        b"",
        b';;;="',
        b"application/json\xff",
        b"multipart/form-data; boundary=x",
    ]
)
targets = st.sampled_from([b"/events"] * 6 + [b"/events/", b"//events", b"/events?a=%ff&b"]) | (
    st.sampled_from([b"/", b"/healthz", b"/readyz", b"/metrics", b"/events/x", b"/%2e%2e/events"])
    | st.from_regex(rb"/[!-\"$-~]{0,30}", fullmatch=True)
)
methods = st.sampled_from([b"POST"] * 8 + [b"PUT", b"GET", b"OPTIONS", b"DELETE", b"PATCH"])

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
details = st.fixed_dictionaries(
    {
        "interactionId": st.sampled_from(["call-17", "../x"]) | json_values,
        "sequenceId": json_values,
    },
    optional={"state": json_values, "interactionType": json_values, "x": json_values},
)
near_events = st.fixed_dictionaries(
    {"detail-type": st.sampled_from([UPDATE_DETAIL_TYPE, "other", 7]), "detail": details},
    optional={"id": json_values, "source": json_values, "time": json_values},
)
bodies = st.one_of(
    st.binary(max_size=100),
    st.just(event()),
    (near_events | details).map(lambda value: json.dumps(value).encode()),
    st.sampled_from([b"x" * 4097, b"[" * 4000, b" " * 4096, b"\x1f\x8b\x08\x00", event()[:-1]]),
)


@dataclass(frozen=True, slots=True)
class Request:
    """One that is whole, and HTTP."""

    method: bytes
    target: bytes
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes
    # Lengths of the chunks that it comes in; none: its length is told.
    chunks: Sequence[int]

    @property
    def head(self) -> bytes:
        framing = (
            (b"Transfer-Encoding", b"chunked")
            if self.chunks
            else (b"Content-Length", b"%d" % len(self.body))
        )
        lines = [(b"Host", b"b"), (b"Connection", b"close"), *self.headers, framing]
        named = b"".join(name + b": " + value + b"\r\n" for name, value in lines)
        return self.method + b" " + self.target + b" HTTP/1.1\r\n" + named + b"\r\n"

    @property
    def whole(self) -> bytes:
        if not self.chunks:
            return self.head + self.body
        framed, rest = b"", self.body
        for length in (*self.chunks, len(rest)):
            if chunk := rest[:length]:
                framed += b"%x\r\n" % len(chunk) + chunk + b"\r\n"
            rest = rest[length:]
        return self.head + framed + b"0\r\n\r\n"


requests = st.builds(
    Request,
    methods,
    targets,
    st.builds(
        lambda key, content_type, more: [
            (b"X-Api-Key", key),
            (b"Content-Type", content_type),
            *more,
        ],
        keys,
        content_types,
        headers,
    ),
    bodies,
    st.lists(st.integers(1, 50), max_size=3),
)


def assert_told_as_it_is(exchange: Exchange, bodies: Sequence[bytes]) -> None:
    """Each answer is one that there is, and Kafka has what it says."""
    promised: list[tuple[str, Any]] = []
    for (status, text), body in zip(exchange.answers, bodies, strict=False):
        assert status in ANSWERS, (status, text)
        if text.startswith(b"#"):  # GET /metrics
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
def test_whatever_http_lets_through(bridge: Bridge, request: Request) -> None:
    exchange = bridge.exchange(request.whole)
    assert len(exchange.answers) == 1, exchange.answers
    assert_told_as_it_is(exchange, [request.body])
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


# What breaks requests: of HTTP's own making, and any bytes.
splinters = st.binary(max_size=6) | st.sampled_from(
    [
        b"\r\n",
        b"\r\n\r\n",
        b"\n",
        b"\x00",
        b"Content-Length: 5\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: 99999999999999999999\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Host: a\r\n",
        b"Upgrade: websocket\r\nConnection: Upgrade\r\n",
        b"Sec-WebSocket-Key: x\r\n",
        b"HTTP/1.0",
        b"HTTP/2.0",
        b"HTTP/9",
        b"CONNECT b:99999 ",
        b"http://xn--a/",
        b"http://[::1",
        b" ",
        b"ffffffffffffffff\r\n",
        b"0\r\n\r\n",
        b"Expect: 100-continue\r\n",
    ]
)


@st.composite
def broken_requests(draw: st.DrawFn) -> bytes:
    """A request, or two, with pieces taken out and others put in."""
    sent = draw(requests).whole + draw(st.just(b"") | requests.map(lambda each: each.whole))
    for _ in range(draw(st.integers(1, 3))):
        # At the joints as often as anywhere else.
        joints = [at for at in range(len(sent)) if sent[at : at + 2] == b"\r\n"]
        at = draw(st.sampled_from(joints).map(lambda at: at + 2) | st.integers(0, len(sent)))
        sent = sent[:at] + draw(splinters) + sent[at + draw(st.integers(0, 3)) :]
        if not sent:
            break
    return sent


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


def test_a_client_that_leaves_before_it_is_told_to_continue(bridge: Bridge) -> None:
    said = [(b"X-Api-Key", b"right"), (b"Content-Type", b"application/json")]
    request = Request(b"POST", b"/events", [*said, (b"Expect", b"100-continue")], event(), [])
    for _ in range(50):
        bridge.exchange(request.head, whole=False)
