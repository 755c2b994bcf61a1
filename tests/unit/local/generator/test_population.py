"""The interactions that generator and simulator agree on."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from streams.core.envelope import INTERACTION_ID
from streams.local.generator.population import population
from streams.local.model import duration_ms

EVERYONE = population(1, 1_000)


def test_the_seed_decides_and_fewer_are_the_first_of_more() -> None:
    assert population(1, 1_000) == EVERYONE
    assert population(1, 100) == EVERYONE[:100]
    assert population(2, 100) != EVERYONE[:100]


def test_ids_are_unique_and_acceptable() -> None:
    events = [step.event_id for one in EVERYONE for step in one.steps]
    assert len({one.id for one in EVERYONE}) == len(EVERYONE)
    assert len(set(events)) == len(events)
    assert all(INTERACTION_ID.fullmatch(one.id) and one.truth["id"] == one.id for one in EVERYONE)


def test_about_eight_events_each_in_the_order_of_their_times() -> None:
    assert sum(len(one.steps) for one in EVERYONE) == pytest.approx(8_000, rel=0.05)
    for one in EVERYONE:
        assert one.steps[0].state == "queued"
        assert all(before.at_ms < after.at_ms for before, after in pairwise(one.steps))


def test_sequences_rise_with_time_where_they_are_numbers() -> None:
    kinds: Counter[str] = Counter()
    for one in EVERYONE:
        ids = [step.sequence_id for step in one.steps]
        assert len({str(sequence) for sequence in ids}) == len(ids)
        if str(ids[0]).isdecimal():
            numbers = [int(sequence) for sequence in ids]
            assert numbers == sorted(numbers)
        else:
            kinds["opaque"] += 1
        kinds["zero"] += ids[0] == 0
        kinds["strings"] += all(isinstance(sequence, str) for sequence in ids)
        kinds["gaps"] += isinstance(ids[0], int) and int(ids[-1]) - ids[0] >= len(ids)
    assert all(kinds[kind] > 5 for kind in ("opaque", "zero", "strings", "gaps"))


def test_every_channel_state_and_truth_is_there() -> None:
    assert {one.truth["type"] for one in EVERYONE} == {"voice", "chat", "email", "callback"}
    assert {step.state for one in EVERYONE for step in one.steps} == {
        "queued",
        "alerting",
        "connected",
        "hold",
        "after-call-work",
        "completed",
    }
    ended = [one for one in EVERYONE if any(step.state == "completed" for step in one.steps)]
    assert any("dispositionCode" in one.truth for one in ended)
    assert any("wrapUpCode" in one.truth for one in ended)
    assert any(one.truth["state"] != "completed" for one in ended)
    assert any(not one.truth["metadata"] and one.truth["timeline"] for one in ended)
    assert any(one.steps[-1].state == "after-call-work" for one in ended)
    assert any(step.interaction_type is None for one in EVERYONE for step in one.steps)


@pytest.mark.parametrize("edge", [29_999, 30_000])
def test_lengths_lie_on_both_edges_of_the_threshold(edge: int) -> None:
    lengths = [duration_ms(one.truth) for one in EVERYONE if one.truth["state"] == "completed"]
    assert lengths.count(edge) > 5
    assert min(lengths) < 29_999
    assert max(lengths) > 120_000


def test_the_length_the_api_gives_is_that_from_first_event_to_completed() -> None:
    compared = 0
    for one in EVERYONE:
        ends = [step.at_ms for step in one.steps if step.state == "completed"]
        if one.truth["state"] == "completed" and one.truth["timeline"]:
            assert duration_ms(one.truth) == ends[0] - one.steps[0].at_ms
            compared += 1
    assert compared > 900
