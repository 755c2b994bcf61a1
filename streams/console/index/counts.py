"""What was decided in a minute or an hour, and how long it took. Pure.

Lengths of time are kept as a histogram whose bins grow by a tenth, so a percentile is right to
within five percent, and an hour takes a few hundred bytes however much was decided in it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from streams.wire.outcomes import Outcome

MINUTE_MS, HOUR_MS = 60_000, 3_600_000

# Each bin is a tenth longer than the one before: 100 bins from 1 ms to 4 h, 150 to 18 d.
_GROWTH = math.log(1.1)


class Bucket(msgspec.Struct, array_like=True):
    """``decided``: how many outcomes by ``decision reason``. ``took``, ``waited``: from being taken
    up, and from the event's own time, to the decision: how many of each bin."""

    decided: dict[str, int] = {}
    took: dict[int, int] = {}
    waited: dict[int, int] = {}

    def add(self, outcome: Outcome) -> None:
        name = f"{outcome.decision} {outcome.reason}"
        self.decided[name] = self.decided.get(name, 0) + 1
        if outcome.final:
            for bins, ms in ((self.took, outcome.latency_ms), (self.waited, outcome.end_to_end_ms)):
                number = bin_of(ms)
                bins[number] = bins.get(number, 0) + 1


encode_bucket = msgspec.msgpack.Encoder().encode
decode_bucket = msgspec.msgpack.Decoder(Bucket).decode


def bin_of(ms: float) -> int:
    """0 for less than a millisecond, and for less than no time, which clocks that differ give."""
    return 0 if not 1 <= ms < math.inf else 1 + int(math.log(ms) / _GROWTH)


def percentiles(bins: Mapping[int, int], of: Sequence[float]) -> list[float | None]:
    """The length of time that this share of them took at most, in milliseconds; None without
    any."""
    total = sum(bins.values())
    if not total:
        return [None] * len(of)
    found: list[float | None] = []
    for share in of:
        left = math.ceil(share * total)
        for number in sorted(bins):
            left -= bins[number]
            if left <= 0:
                found.append(0.5 if number == 0 else math.exp((number - 0.5) * _GROWTH))
                break
    return found


def together(buckets: Iterable[Bucket]) -> Bucket:
    """All of them as one."""
    decided, took, waited = Counter[str](), Counter[int](), Counter[int]()
    for each in buckets:
        decided.update(each.decided)
        took.update(each.took)
        waited.update(each.waited)
    return Bucket(dict(decided), dict(took), dict(waited))
