"""HTTP requests of any kind to the bridge, whole and broken."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from streams.core.envelope import UPDATE_DETAIL_TYPE
from tests.integration.bridge.running import event

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
    # Lengths of the chunks that it comes in; none: its length is given.
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
