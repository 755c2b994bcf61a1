"""Answers that no API should give, as bytes, drawn from a seed.

Headers of any bytes, bodies of any bytes and cut at any byte, chunks that are none, what is no HTTP
at all. What would only make a run long is left out: a `Retry-After` of hours is heeded, and so is a
budget of one request a minute.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tests.support.raw_server import http


@dataclass(frozen=True, slots=True)
class Right:
    """What the API would have said: the interaction, its ETag."""

    body: bytes
    etag: str


@dataclass(frozen=True, slots=True)
class Reply:
    """``content``: bytes to be sent; None for silence. ``stays``: the connection is of use
    afterwards."""

    kind: str
    content: bytes | None
    stays: bool = False


# An answer that takes for ever costs the worker API_TIMEOUT_SECONDS, and one without a time to wait
# pauses its gate for seconds: one in so many.
ONE_IN_SLOW = 100

_LARGE = 1_500_000

_STATUSES = (
    *(
        200,
        200,
        201,
        204,
        206,
        301,
        304,
        400,
        401,
        403,
        403,
        404,
        404,
        405,
        409,
        410,
        412,
        415,
        418,
    ),
    *(422, 451, 499, 599, 600, 999),
)
_FAILING = (500, 502, 503, 504)

_NO_TIMES = (
    *(b"0", b"-1", b"0.0", b"+1", b"1e3", b"soon", b"", b"\xff", b"-9", b"\xd9\xa5"),
    *(b"Mon, 01 Jan 0001 00:00:00 GMT", b"Thu, 32 Foo 99999 25:61:61 GMT"),
)

_LINES = (
    *(b"ININ-Correlation-Id: \xff\xfe", b"ININ-Correlation-Id: " + b"c" * 7_000),
    *(b"inin-correlation-id: \x1b[31m", b"ININ-Correlation-Id:", b'ETag: W/"1"', b"ETag: \xff"),
    *(b'ETag: "1-gzip"', b"ETag: " + b"e" * 5_000, b"ETag:", b'ETag: "a\x00b"', b"Set-Cookie: a=b"),
    *(b"Content-Type: text/html; charset=\xff", b"Content-Type: application/json; charset=no-such"),
    *(b"inin-ratelimit-count: -1", b"inin-ratelimit-allowed: 0", b"inin-ratelimit-reset: 9e99"),
    *(b"inin-ratelimit-count: " + b"9" * 5_000, b"Location: http://[::1", b"Location: //\xff"),
    *(
        b"Date: yesterday",
        b"\xff\xfe: x",
        b"no colon at all",
        b": no name",
        b"A B: c",
        b"X: " * 500,
    ),
    *(b"Keep-Alive: timeout=-1", b"Connection: upgrade", b"Upgrade: \xff", b"Age: " + b"1" * 300),
)

_WORDS = ("x", '"', "\u0000\u001b[31m\r\n", "\u0085\u202e", "\U0001f600", "\ud83d", "token ")


def fuzzed(random: Random, right: Right) -> Reply:
    """An answer, in the place of the right one."""
    if random.randrange(ONE_IN_SLOW) == 0:
        return random.choice((_silent, _limited))(random, right)
    return random.choice(_REPLIES)(random, right)


def proper(right: Right) -> Reply:
    """The right answer."""
    etag = b"ETag: " + right.etag.encode()
    return Reply(
        "right", http(200, right.body, b"Content-Type: application/json", etag), stays=True
    )


def refused(status: int) -> Reply:
    """What an API says that is well, of a request that it can not fulfil."""
    return Reply("right", http(status, b"{}"), stays=True)


def _status(random: Random, right: Right) -> Reply:
    status = random.choice(_STATUSES)
    return Reply("another status", http(status, _complaint(random), *_lines(random)))


def _failing(random: Random, right: Right) -> Reply:
    retry_after = b"Retry-After: " + random.choice(_NO_TIMES)
    lines = _lines(random) if random.random() < 0.5 else []
    content = http(random.choice(_FAILING), _complaint(random), retry_after, *lines)
    return Reply("server error", content)


def _limited(random: Random, right: Right) -> Reply:
    retry_after = b"Retry-After: " + random.choice((b"0", b"0.01", random.choice(_NO_TIMES)))
    return Reply("rate limited", http(429, _complaint(random), retry_after))


def _silent(random: Random, right: Right) -> Reply:
    return Reply("silence", None)


def _odd_headers(random: Random, right: Right) -> Reply:
    etag = b"ETag: " + right.etag.encode()
    return Reply("odd headers", http(200, right.body, *_lines(random), etag, *_lines(random)))


def _another_body(random: Random, right: Right) -> Reply:
    return Reply("another body", http(200, _body(random, right.body)))


def _cut(random: Random, right: Right) -> Reply:
    content = proper(right).content or b""
    return Reply("cut off", content[: random.randrange(len(content))])


def _flipped(random: Random, right: Right) -> Reply:
    content = bytearray(proper(right).content or b"")
    for _ in range(random.randint(1, 6)):
        content[random.randrange(len(content))] ^= 1 << random.randrange(8)
    return Reply("bits flipped", bytes(content))


def _chunked(random: Random, right: Right) -> Reply:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: %s\r\n\r\n"
    coding = random.choice(
        (b"chunked", b"chunked, chunked", b"gzip, chunked", b"\xff", b"identity")
    )
    size = random.choice(
        (b"%x" % len(right.body), b"ffffffffffffffff", b"-5", b"zz", b"", b"5;a=\xff")
    )
    tail = random.choice(
        (b"\r\n0\r\n\r\n", b"\r\n0\r\n", b"0", b"", b"\r\n0\r\nTrailer: \xff\r\n\r\n")
    )
    return Reply("chunks that are none", head % coding + size + b"\r\n" + right.body + tail)


def _encoded(random: Random, right: Right) -> Reply:
    packed = gzip.compress(right.body)
    body = random.choice(
        (packed[: len(packed) // 2], right.body, packed, gzip.compress(b"0" * _LARGE))
    )
    coding = random.choice((b"gzip", b"deflate", b"br", b"zstd", b"gzip, gzip", b"\xff"))
    return Reply("another encoding", http(200, body, b"Content-Encoding: " + coding))


def _wrong_length(random: Random, right: Right) -> Reply:
    length = random.choice((b"-1", b"1e3", b"9" * 30, b"\xff", b"3, 4", b"3", b"%d" % (2**31)))
    content = b"HTTP/1.1 200 OK\r\nContent-Length: " + length + b"\r\n\r\n" + right.body
    return Reply("a wrong length", content)


def _no_http(random: Random, right: Right) -> Reply:
    lines = (
        *(random.randbytes(random.randrange(300)), b"\x16\x03\x01\x02\x00\x01", b"SSH-2.0-x\r\n"),
        *(
            b"HTTP/1.1\r\n\r\n",
            b"HTTP/9.9 200 OK\r\n\r\n",
            b"HTTP/1.1 20000 OK\r\n\r\n",
            b"\r\n" * 99,
        ),
        *(
            b"HTTP/1.1 200 " + b"x" * 20_000 + b"\r\n\r\n",
            b"HTTP/1.1 -1 X\r\n\r\n",
            b"\x00" * 9_000,
        ),
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 5_000 + b"\r\n",
    )
    return Reply("no HTTP", random.choice(lines))


def _hung_up(random: Random, right: Right) -> Reply:
    return Reply("hung up", b"")


_REPLIES: tuple[Callable[[Random, Right], Reply], ...] = (
    *(_status, _status, _status, _status, _failing, _failing),
    *(_odd_headers, _odd_headers, _another_body, _another_body, _another_body, _flipped),
    *(_cut, _chunked, _encoded, _wrong_length, _no_http, _hung_up),
)


def _lines(random: Random) -> list[bytes]:
    return [random.choice(_LINES) for _ in range(random.choice((0, 1, 1, 3)))]


def _complaint(random: Random) -> bytes:
    """An error's body, with texts of any length and characters; or anything else."""
    if random.random() < 0.3:
        return _body(random, b"{}")
    text = random.choice(_WORDS) * random.choice((1, 40, 2_000))
    held = random.choice((text, None, 7, [text], {"key": text}))
    return json.dumps(
        {"code": held, "message": text, "contextId": text, "limit": {"key": held}, "status": held}
    ).encode()


def _body(random: Random, right: bytes) -> bytes:
    """Any bytes; JSON of another shape; the right ones with a member that is another."""
    named = random.choice(("id", "type", "state", "dispositionCode", "wrapUpCode", "metadata", "x"))
    held: object = random.choice(
        (
            None,
            7,
            1e400,
            "a\ud83d",
            "\u0000",
            [],
            {},
            {"id": 7},
            {"id": ""},
            {"startTime": 7},
            "chat",
        )
    )
    whole = {**json.loads(right), named: held}
    return random.choice(
        (
            random.randbytes(random.randrange(400)),
            json.dumps(whole).encode(),
            json.dumps(whole).encode(),
            b"[" * 30_000,
            b"",
            b"null",
            b"\xef\xbb\xbf" + right,
            right + b"x",
            right.decode().encode("utf-16"),
            b"<html>" + b"x" * random.choice((10, 5_000)) + b"\xff</html>",
            b'{"a":"' + b"x" * (_LARGE if random.randrange(50) == 0 else 50) + b'"}',
        )
    )
