"""How long the simulated API takes."""

from __future__ import annotations

import math
from random import Random

import msgspec


class Latency(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Log-normal around ``median_ms``. ``spread`` is the sigma; 0 makes the time fixed. With a
    spread of 0.5 one answer in a hundred takes three times the median."""

    median_ms: float = 0.0
    spread: float = 0.0

    def __post_init__(self) -> None:
        if self.median_ms < 0 or self.spread < 0:
            raise ValueError("medianMs and spread must be at least 0")

    def seconds(self, random: Random) -> float:
        if self.spread == 0:
            return self.median_ms / 1000
        return self.median_ms / 1000 * math.exp(random.gauss(0, self.spread))
