from __future__ import annotations

import click
import pytest

from benchmarks.suite.backlog import Sample, growth
from benchmarks.suite.cluster import Stamped, missing
from benchmarks.suite.contest import Conditions
from benchmarks.suite.cpu import interpolated
from benchmarks.suite.scenario import turns
from benchmarks.suite.trials import after_first_wave, percentile


def outcomes(*at: tuple[int, int]) -> list[Stamped]:
    return [Stamped(partition, offset, 0.0, b"") for partition, offset in at]


def test_each_event_with_one_outcome_is_right() -> None:
    assert missing({0: 2, 1: 1, 2: 0}, outcomes((0, 1), (1, 0), (0, 0))) == (0, 0)


def test_lost_and_repeated_outcomes_do_not_make_up_for_each_other() -> None:
    assert missing({0: 3}, outcomes((0, 0), (0, 0), (0, 1))) == (1, 1)


def test_an_event_that_was_put_off_has_no_final_outcome() -> None:
    put_off = Stamped(0, 1, 0.0, b"", final=False)
    assert missing({0: 2}, [*outcomes((0, 0)), put_off]) == (1, 1)
    assert missing({0: 2}, [*outcomes((0, 0)), put_off, *outcomes((0, 1))]) == (0, 1)


@pytest.mark.parametrize("at", [(0, 3), (1, 0)])
def test_an_outcome_of_no_event_is_an_error(at: tuple[int, int]) -> None:
    with pytest.raises(click.ClickException, match="record that there is not"):
        missing({0: 3}, outcomes(at))


def test_what_is_possible_is_slots_over_the_time_of_a_record() -> None:
    assert Conditions(latency_ms=100, in_flight=20).possible(1) == 200
    assert Conditions(latency_ms=100, in_flight=20, processes=2).possible(2) == 200


def test_the_first_wave_counts_for_nothing() -> None:
    """A hundred at once each tenth of a second are a thousand a second, from the first wave on."""
    at = [Stamped(0, n, 0.1 * (1 + n // 100), b"") for n in range(1_000)]
    steady = after_first_wave(at, 100)
    assert (len(steady) - 1) / (steady[-1].at - steady[0].at) == pytest.approx(1_000)


def test_too_few_outcomes_for_a_rate_are_an_error() -> None:
    with pytest.raises(click.ClickException, match="too few"):
        after_first_wave(outcomes(*((0, n) for n in range(199))), 100)


@pytest.mark.parametrize(("percent", "value"), [(50, 50), (99, 99), (100, 100), (0, 1)])
def test_percentiles(percent: float, value: float) -> None:
    assert percentile([float(n) for n in range(100, 0, -1)], percent) == value


def test_another_contender_begins_each_round() -> None:
    assert [turns(["a", "b", "c"], number)[0] for number in range(4)] == ["a", "b", "c", "a"]
    assert turns(["a", "b", "c"], 1) == ["b", "c", "a"]


def test_memory_grows_against_the_second_eighth() -> None:
    """What comes before is the start, and what comes between is forgotten."""
    sizes = {50: 10, 130: 90, 200: 110, 240: 100, 250: 120, 900: 150, 1_000: 130}
    samples = [Sample(float(at), size, at) for at, size in sizes.items()]
    assert growth(samples, 1_000) == 1.5


def test_memory_that_was_not_seen_early_is_an_error() -> None:
    with pytest.raises(click.ClickException, match="too few"):
        growth([Sample(1.0, 100, 900)], 1_000)


@pytest.mark.parametrize(("at", "value"), [(0, 10), (1, 10), (1.5, 15), (2, 20), (9, 20)])
def test_cpu_time_between_two_looks(at: float, value: float) -> None:
    assert interpolated([1.0, 2.0], [10.0, 20.0], at) == value
