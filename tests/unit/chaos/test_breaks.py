"""What breaks around a storm: the seed's alone, each way one trouble at a time."""

from __future__ import annotations

from collections import defaultdict

import pytest

from tests.chaos.breaks import ANY_BROKER, ANY_WORKER, Break, Broken, draw_breaks
from tests.chaos.schedule import Weather

SEEDS = range(20)
WEATHER = Weather()

_SELVES = {Break.CLOCK_BACK, Break.CLOCK_FORWARD, Break.SLOW_DISK, Break.FAILING_DISK}


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_seed_breaks_the_same(seed: int) -> None:
    assert draw_breaks(seed, 300, WEATHER) == draw_breaks(seed, 300, WEATHER)
    assert draw_breaks(seed, 300, WEATHER) != draw_breaks(seed + 1, 300, WEATHER)


@pytest.mark.parametrize("seed", SEEDS)
def test_half_an_hour_has_each_on_each_kind_of_way(seed: int) -> None:
    breaks = draw_breaks(seed, 1800, WEATHER)
    times = [each.at for each in breaks]
    assert times == sorted(times)
    assert times[-1] < 1800
    assert {each.what for each in breaks} == set(Break)
    ways = {each.kind.partition(":")[0] for each in breaks if each.what not in _SELVES}
    assert ways == {
        "worker to broker",
        "worker to API",
        "bridge to broker",
        "sender to bridge",
        "broker to broker",
        "anyone to broker",
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_a_way_is_whole_before_it_breaks_again(seed: int) -> None:
    free_from: dict[str, float] = defaultdict(float)
    for each in draw_breaks(seed, 1800, WEATHER):
        if each.what in _SELVES:
            continue
        way = each.kind.partition(":")[0]
        assert each.at > free_from[way]
        free_from[way] = each.at + each.seconds


@pytest.mark.parametrize("seed", SEEDS)
def test_a_worker_is_cut_off_for_less_and_for_longer_than_its_session(seed: int) -> None:
    lasting = [
        each.seconds
        for each in draw_breaks(seed, 1800, WEATHER)
        if each.what is Break.CUT
        and each.source.startswith(ANY_WORKER)
        and each.target == ANY_BROKER
    ]
    assert min(lasting) < WEATHER.session_seconds < max(lasting)


def test_it_reads_as_a_line_of_a_log_and_as_one_of_the_report() -> None:
    cut = Broken(12.34, Break.CUT, "worker 2", "broker 1", 1.0)
    assert str(cut) == "   12.3 s  worker 2 to broker 1: cut (0), 1.0 s"
    assert cut.kind == "worker to broker: cut"
    clock = Broken(1, Break.CLOCK_BACK, "worker 2", "worker 2", 1.0, 30)
    assert str(clock) == "    1.0 s  worker 2: clock set back (30), 1.0 s"
    assert clock.kind == "worker: clock set back"
