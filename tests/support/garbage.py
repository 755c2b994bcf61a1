"""Garbage of every kind that hypothesis finds: records that are no event, whatever they look like.

What an event is, ``streams.core.envelope`` says and its own tests hold against the contract. Here
is what it refuses, in bulk, for runs that look at what becomes of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from random import Random
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from streams.core.envelope import UPDATE_DETAIL_TYPE, parse
from streams.errors import EnvelopeError
from tests.chaos.poison import poison

Value = bytes | None
Values = st.SearchStrategy[Value]

# As large as it gets: the topic takes 1 MiB, and the dead letter has more headers.
LARGEST_BYTES = 900 * 1024

# Different ones of a kind; more are these again. Drawing them is what takes the time.
OF_A_KIND = 200

# Deeper than any reader goes.
DEEPEST = 200_000

# All that a round of the storm's has.
STORMY = 18


@dataclass(frozen=True, slots=True)
class Garbage:
    """A record that is no event. ``kind``: how it came about."""

    kind: str
    key: bytes | None
    value: Value


def garbage(number: int, events: Sequence[Mapping[str, Any]], of: int) -> list[Garbage]:
    """So many records, each kind as often as any other, shuffled; the same for the same seed
    ``of``. ``events``: what the mutilated ones once were, and whose keys some of them have."""
    named = kinds(events)
    each = -(-number // len(named))
    keys = _keys(events)
    made = [
        Garbage(kind, key, value)
        for kind, values in named.items()
        for key, value in islice(
            cycle(_drawn(st.tuples(keys, values.filter(_is_none)), min(each, OF_A_KIND), of)), each
        )
    ]
    Random(f"garbage {of}").shuffle(made)
    return made[:number]


def kinds(events: Sequence[Mapping[str, Any]]) -> dict[str, Values]:
    """A strategy for the values of each kind. Among what they give is an event now and then."""
    bodies = st.sampled_from(events).map(_encoded)
    return {
        "random bytes": st.binary(max_size=2_000),
        "no value": st.none(),
        "empty": st.just(b""),
        "text": st.text(max_size=1_000).map(_utf8),
        "JSON of another shape": _json.map(_encoded),
        "JSON nested deeply": _deep(),
        "huge numbers": _huge_numbers(events),
        "one field another": _mutated(events),
        "one field missing": _reduced(events),
        "other detail-type": st.tuples(st.sampled_from(events), st.text(max_size=100)).map(
            lambda drawn: _encoded({**drawn[0], "detail-type": drawn[1]})
        ),
        "cut off": _cut(bodies),
        "bits flipped": _flipped(bodies),
        "bytes let in": _inserted(bodies, st.binary(min_size=1, max_size=4)),
        "NULs let in": _inserted(bodies, st.integers(1, 100).map(bytes)),
        "invalid UTF-8": _inserted(
            bodies,
            st.sampled_from([b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80"]),
        ),
        "another encoding": st.tuples(bodies, st.sampled_from(["utf-16", "utf-32", "utf-7"])).map(
            lambda drawn: b"+" + drawn[0].decode().encode(drawn[1])
        ),
        "two in one": st.tuples(bodies, st.sampled_from([b"", b"\n", b",", b"\x00"]), bodies).map(
            b"".join
        ),
        "large": _large(bodies),
        "the storm's": st.sampled_from([each.value for each in islice(poison(0), STORMY)]),
    }


def _drawn(strategy: st.SearchStrategy[Any], number: int, of: int) -> list[Any]:
    """So many values, or fewer of a strategy that has no more."""
    found: list[Any] = []

    @seed(of)
    @settings(
        max_examples=number,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        deadline=None,
    )
    @given(strategy)
    def draw(value: Any) -> None:
        found.append(value)

    draw()
    return found


def _is_none(value: Value) -> bool:
    """Whether it is no event that this program handles."""
    try:
        return parse(value or b"") is None
    except EnvelopeError:
        return True


def _keys(events: Sequence[Mapping[str, Any]]) -> st.SearchStrategy[bytes | None]:
    """Half of them are in the way of a real interaction's events."""
    ids = [event["detail"]["interactionId"].encode() for event in events]
    others = st.none() | st.binary(max_size=64) | st.text(max_size=200).map(_utf8)
    return st.sampled_from(ids) | others


# JSON that looks like an event from afar, so that it gets past a first look.
_names = st.sampled_from(
    ["detail", "detail-type", "detailType", "interactionId", "sequenceId", "state", "id", "time"]
)
_leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=140)
    | st.sampled_from([UPDATE_DETAIL_TYPE, "voice", "completed", "7", 0, -1, 10**30, "../../users"])
)
_json = st.recursive(
    _leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(_names | st.text(max_size=8), inner, max_size=8)
    ),
    max_leaves=20,
)


def _deep() -> Values:
    opened = st.sampled_from([(b"[", b"]"), (b'{"detail":', b"}"), (b'[{"a":', b"}]")])
    return st.tuples(opened, st.integers(1, DEEPEST), st.booleans()).map(
        lambda drawn: _cut_to(
            drawn[0][0] * drawn[1] + (b"1" + drawn[0][1] * drawn[1] if drawn[2] else b"")
        )
    )


def _huge_numbers(events: Sequence[Mapping[str, Any]]) -> Values:
    digits = st.tuples(st.sampled_from("123456789"), st.integers(129, 100_000)).map(
        lambda drawn: drawn[0] * drawn[1]
    )
    exponents = st.integers(309, 10**9).map(lambda power: f"1e{power}")
    tokens = st.tuples(st.sampled_from(["", "-"]), digits | exponents | st.just("1e-400"))
    return st.tuples(st.sampled_from(events), tokens).map(
        lambda drawn: _with_sequence(drawn[0], "".join(drawn[1]))
    )


def _with_sequence(event: Mapping[str, Any], token: str) -> bytes:
    """The event with this JSON, to the letter, as its sequence id."""
    marked = {**event, "detail": {**event["detail"], "sequenceId": "<here>"}}
    return _encoded(marked).replace(b'"<here>"', token.encode())


def _mutated(events: Sequence[Mapping[str, Any]]) -> Values:
    def set_one(event: Mapping[str, Any], name: str, value: Any) -> bytes:
        if name in event:
            return _encoded({**event, name: value})
        return _encoded({**event, "detail": {**event["detail"], name: value}})

    return st.builds(set_one, st.sampled_from(events), _read_names(events), _json)


def _reduced(events: Sequence[Mapping[str, Any]]) -> Values:
    def without(event: Mapping[str, Any], name: str) -> bytes:
        detail = {key: value for key, value in event["detail"].items() if key != name}
        whole = {**event, "detail": detail}
        return _encoded({key: value for key, value in whole.items() if key != name})

    return st.builds(without, st.sampled_from(events), _read_names(events))


def _read_names(events: Sequence[Mapping[str, Any]]) -> st.SearchStrategy[str]:
    """Every field of an event and of its detail."""
    return st.sampled_from(sorted(events[0].keys() | events[0]["detail"].keys()))


def _cut(bodies: st.SearchStrategy[bytes]) -> Values:
    return st.tuples(bodies, st.floats(0, 1, exclude_max=True)).map(
        lambda drawn: drawn[0][: int(len(drawn[0]) * drawn[1])]
    )


def _flipped(bodies: st.SearchStrategy[bytes]) -> Values:
    def flip(body: bytes, bits: Sequence[int]) -> bytes:
        changed = bytearray(body)
        for bit in bits:
            at = bit % (len(changed) * 8)
            changed[at // 8] ^= 1 << at % 8
        return bytes(changed)

    return st.builds(flip, bodies, st.lists(st.integers(0, 2**14), min_size=1, max_size=8))


def _inserted(bodies: st.SearchStrategy[bytes], what: st.SearchStrategy[bytes]) -> Values:
    def insert(body: bytes, at: float, piece: bytes) -> bytes:
        place = int(len(body) * at)
        return body[:place] + piece + body[place:]

    return st.builds(insert, bodies, st.floats(0, 1), what)


def _large(bodies: st.SearchStrategy[bytes]) -> Values:
    """Up to LARGEST_BYTES of one pattern, of an event without end, or of a text in JSON."""

    def grow(size: int, pattern: bytes, before: bytes) -> bytes:
        return before + pattern * ((size - len(before)) // len(pattern))

    sizes = st.integers(10_000, LARGEST_BYTES)
    patterns = st.binary(min_size=1, max_size=64)
    openings = bodies.map(lambda body: body[:-1] + b',"padding":"')
    return (
        st.builds(grow, sizes, patterns, st.just(b""))
        | st.builds(grow, sizes, patterns, openings)
        | sizes.map(lambda size: b'"' + b"x" * (size - 2) + b'"')
    )


def _cut_to(value: bytes) -> bytes:
    return value[:LARGEST_BYTES]


def _utf8(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def _encoded(value: object) -> bytes:
    return json.dumps(value).encode()
