"""The storm's schedule: the seed's alone, and never more than the promises allow for."""

from __future__ import annotations

import pytest

from tests.chaos.schedule import (
    BROKER_FAULTS,
    KILLS,
    Fault,
    Strike,
    Weather,
    draw,
)

SEEDS = range(20)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_seed_gives_the_same_storm(seed: int) -> None:
    assert draw(seed, 300) == draw(seed, 300)
    assert draw(seed, 300) != draw(seed + 1, 300)


def test_a_longer_storm_begins_as_the_shorter_one_does() -> None:
    short = draw(7, 60)
    assert draw(7, 600)[: len(short)] == short


@pytest.mark.parametrize("seed", SEEDS)
def test_it_is_in_order_and_ends_in_time(seed: int) -> None:
    times = [each.at for each in draw(seed, 300)]
    assert times == sorted(times)
    assert times[-1] < 300


@pytest.mark.parametrize("seed", SEEDS)
def test_half_an_hour_has_every_fault_and_fifty_kills(seed: int) -> None:
    strikes = draw(seed, 1800)
    assert {each.fault for each in strikes} == set(Fault)
    assert sum(each.fault in KILLS for each in strikes) >= 50


@pytest.mark.parametrize("seed", SEEDS)
def test_brokers_are_struck_one_after_the_other(seed: int) -> None:
    free_from = 0.0
    for each in draw(seed, 1800):
        if each.fault in BROKER_FAULTS:
            assert each.at >= free_from
            free_from = each.at + each.seconds + Weather().broker_pause[0]


@pytest.mark.parametrize("seed", SEEDS)
def test_workers_stay_between_fewest_and_most_and_only_those_there_are_struck(seed: int) -> None:
    weather = Weather()
    present = set(range(1, weather.workers + 1))
    for each in draw(seed, 1800):
        if not str(each.fault).startswith("worker"):
            continue
        if each.fault is Fault.ADD:
            assert each.target not in present
            present.add(each.target)
        else:
            assert each.target in present
        if each.fault is Fault.REMOVE:
            present.remove(each.target)
        assert weather.fewest <= len(present) <= weather.most


@pytest.mark.parametrize("seed", SEEDS)
def test_nobody_is_struck_while_down_or_frozen(seed: int) -> None:
    free_from: dict[int, float] = {}
    for each in draw(seed, 1800):
        if str(each.fault).startswith("worker"):
            assert each.at >= free_from.get(each.target, 0.0)
            free_from[each.target] = each.at + each.seconds


def test_freezes_are_clearly_shorter_or_longer_than_the_session() -> None:
    session = Weather().session_seconds
    lasting: dict[Fault, list[float]] = {Fault.BLINK: [], Fault.FREEZE: []}
    for each in draw(3, 1800):
        lasting.get(each.fault, []).append(each.seconds)
    assert max(lasting[Fault.BLINK]) < 0.7 * session
    assert min(lasting[Fault.FREEZE]) > 1.2 * session


def test_a_strike_reads_as_a_line_of_a_log() -> None:
    assert str(Strike(12.34, Fault.KILL, 2, 1.0)) == "   12.3 s  worker kill -9 2, 1.0 s"
