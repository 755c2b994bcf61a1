"""How long an answer takes."""

from __future__ import annotations

from random import Random
from statistics import median

import pytest

from streams.local.simulator.latency import Latency


def test_without_spread_it_is_fixed() -> None:
    assert Latency(100).seconds(Random(1)) == 0.1


def test_with_spread_the_median_holds_and_the_seed_repeats_it() -> None:
    latency, random, again = Latency(100, 0.5), Random(1), Random(1)
    drawn = [latency.seconds(random) for _ in range(4_000)]
    assert [latency.seconds(again) for _ in range(10)] == drawn[:10]
    assert median(drawn) == pytest.approx(0.1, rel=0.05)
    assert sum(one > 0.3 for one in drawn) == pytest.approx(56, abs=30)
