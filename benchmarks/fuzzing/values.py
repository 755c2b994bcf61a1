"""Values that are nearly events, drawn from a seed.

``tests/support/garbage.py`` has hypothesis find hard ones by the thousand; these are plain and
many. None of them names an interaction of the generator's, so what becomes of those is still the
model's to say.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

Event = Mapping[str, Any]

# Interactions that the near-misses name. Few enough that one gets many of them.
INTERACTIONS = 200

# A value of a record, its key and headers beside it, fits into a request of 1 MiB.
LARGEST_BYTES = 1_000_000

# Most are as short as events are; one in so many is anything up to the largest.
ONE_IN_LARGE = 400

_DEEPEST = 20_000

_SEQUENCES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, -0.0, 1.0, 1.5, 1e400, 2**63, -(2**63), 10**127, 10**128, 10**400),
    *("", "0", "-0", "007", "+1", " 1", "1 ", "1e3", "9" * 128, "9" * 129, "x" * 128, "x" * 129),
    *("\u0000", "\u001b[31m", "\u0085", "\u202e", "\u0661", "\U0001f600" * 128, [], {}, [1]),
)

_LEAVES: tuple[Any, ...] = (
    *_SEQUENCES,
    *("voice", "completed", "purecloud:v2:interaction:update", "../../users", "a\ud83d"),
    *("9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "2026-01-05", "T", "x" * 1_025),
)

_PIECES = (b"\x00", b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\n", b",", b"\\ud83d")


def interaction_id(number: int) -> str:
    """Of an interaction that only near-misses name."""
    return f"fuzz-{number}"


def value(random: Random, event: Event) -> tuple[str, bytes | None]:
    """A value, and its kind. ``event``: what it was made of, where it was made of one."""
    kind = random.choice(tuple(_KINDS))
    return kind, _KINDS[kind](random, _set_apart(random, event))


def _set_apart(random: Random, event: Event) -> dict[str, Any]:
    """The event as one of an interaction of ours."""
    named = interaction_id(random.randrange(INTERACTIONS))
    return {**event, "detail": {**event["detail"], "interactionId": named}}


def _encoded(body: object) -> bytes:
    return json.dumps(body).encode()


def _whole(random: Random, event: Event) -> bytes:
    return _encoded(event)


def _none(random: Random, event: Event) -> None:
    return None


def _bytes(random: Random, event: Event) -> bytes:
    return random.randbytes(_length(random))


def _cut(random: Random, event: Event) -> bytes:
    body = _encoded(event)
    return body[: random.randrange(len(body))]


def _flipped(random: Random, event: Event) -> bytes:
    body = bytearray(_encoded(event))
    for _ in range(random.randint(1, 8)):
        body[random.randrange(len(body))] ^= 1 << random.randrange(8)
    return bytes(body)


def _let_in(random: Random, event: Event) -> bytes:
    body = _encoded(event)
    at = random.randrange(len(body) + 1)
    return body[:at] + random.choice(_PIECES) + body[at:]


def _another(random: Random, event: Event) -> bytes:
    """One field of the event, or of its detail, is another."""
    return _encoded(_with(random, event, random.choice(_LEAVES)))


def _missing(random: Random, event: Event) -> bytes:
    name = random.choice([*event, *event["detail"]])
    detail = {key: held for key, held in event["detail"].items() if key != name}
    return _encoded({key: held for key, held in {**event, "detail": detail}.items() if key != name})


def _sequence(random: Random, event: Event) -> bytes:
    detail = {**event["detail"], "sequenceId": random.choice(_SEQUENCES)}
    return _encoded({**event, "detail": detail})


def _long(random: Random, event: Event) -> bytes:
    """A text of up to 1 MiB, in a field that is read or in one that is not."""
    text = random.choice(("x", '"', "\u0000", "\U0001f600")) * _length(random)
    return _encoded(_with(random, event, text))[:LARGEST_BYTES]


def _nested(random: Random, event: Event) -> bytes:
    depth = random.choice((10, 600, 2_000)) if random.randrange(100) else _DEEPEST
    opened, closed = random.choice(((b"[", b"]"), (b'{"detail":', b"}")))
    inner = opened * depth + b"1" + closed * depth
    if random.random() < 0.5:
        return inner
    return _encoded({**event, "more": "<here>"}).replace(b'"<here>"', inner)


def _twice(random: Random, event: Event) -> bytes:
    """A key that is there twice, the second time with another value."""
    name = random.choice([*event, *event["detail"]])
    again = f"{json.dumps(name)}:{json.dumps(random.choice(_LEAVES))}".encode()
    body = _encoded(event)
    at = random.choice([place + 1 for place, byte in enumerate(body) if byte == ord("{")])
    return body[:at] + again + b"," + body[at:]


def _encoding(random: Random, event: Event) -> bytes:
    return _encoded(event).decode().encode(random.choice(("utf-16", "utf-32", "utf-8-sig")))


def _with(random: Random, event: Event, held: object) -> dict[str, Any]:
    if random.random() < 0.5:
        return {**event, random.choice([*event, "more"]): held}
    names = [name for name in event["detail"] if name != "interactionId"]
    return {**event, "detail": {**event["detail"], random.choice([*names, "more"]): held}}


def _length(random: Random) -> int:
    if random.randrange(ONE_IN_LARGE) == 0:
        return random.randrange(LARGEST_BYTES)
    return random.choice((0, 1, random.randrange(100), random.randrange(3_000)))


_KINDS: dict[str, Callable[[Random, Event], bytes | None]] = {
    "an event": _whole,
    "no value": _none,
    "random bytes": _bytes,
    "cut off": _cut,
    "bits flipped": _flipped,
    "bytes let in": _let_in,
    "one field another": _another,
    "one field missing": _missing,
    "another sequence": _sequence,
    "a long text": _long,
    "nested deeply": _nested,
    "a key twice": _twice,
    "another encoding": _encoding,
}
