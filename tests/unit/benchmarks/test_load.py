from __future__ import annotations

from collections import Counter, defaultdict

import pytest

from benchmarks.suite.load import Load, calls, mixed, no_calls, truth
from streams.core.envelope import InteractionEvent, parse


def read(value: bytes) -> InteractionEvent:
    event = parse(value)
    assert event is not None
    return event


@pytest.mark.parametrize(
    ("load", "events", "gets", "patches"),
    [
        (no_calls(10), 80, 0, 0),
        (no_calls(10, quiet=1), 10, 0, 0),
        (calls(10), 10, 10, 0),
        (calls(10, patch=True), 10, 10, 10),
        (mixed(50, quiet=8), 450, 50, 0),
        (mixed(10, quiet=0), 10, 10, 0),
    ],
)
def test_as_many_events_and_calls_as_it_says(
    load: Load, events: int, gets: int, patches: int
) -> None:
    sent = [(key, read(value)) for key, value in load.messages("run")]
    assert all(key.decode() == each.interaction_id for key, each in sent)
    assert len(sent) == load.events == events
    assert sum(each.state == "completed" for _, each in sent) == load.gets == gets
    assert load.patches == patches


@pytest.mark.parametrize("load", [no_calls(20), calls(20), mixed(50, quiet=3)])
def test_the_events_of_an_interaction_come_in_order_and_end_with_the_call(load: Load) -> None:
    sequences: dict[bytes, list[int]] = defaultdict(list)
    states = {}
    for key, value in load.messages("run"):
        event = read(value)
        sequences[key].append(int(event.sequence_id))
        states[key] = event.state
    assert set(map(tuple, sequences.values())) == {tuple(range(load.quiet + load.call))}
    assert set(states.values()) == {"completed" if load.call else "connected"}


def test_no_two_events_of_one_interaction_are_near_each_other() -> None:
    keys = [key for key, _ in no_calls(20).messages("run")]
    assert all(len(set(keys[at : at + 20])) == 20 for at in range(0, len(keys), 20))


def test_calls_come_beside_events_without_one() -> None:
    """Not all at the end: more than half of the last three quarters has both."""
    states = [read(value).state for _, value in mixed(1_000, quiet=8).messages("run")]
    chunks = [Counter(states[at : at + 450]) for at in range(0, len(states), 450)]
    assert sum(len(each) == 2 for each in chunks) > len(chunks) / 2


def test_another_run_has_other_interactions() -> None:
    assert set(calls(5).ids("one")).isdisjoint(calls(5).ids("other"))


def test_the_api_shows_a_call_that_would_get_a_code() -> None:
    shown = truth("id")
    assert (shown["id"], shown["state"], shown["dispositionCode"]) == ("id", "completed", None)
