"""Order, duplicates and late events of the stream."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any

import pytest

from streams.core.envelope import parse
from streams.local.generator.population import population
from streams.local.generator.stream import stream

EVERYONE = population(1, 1_000)
EVENTS = sum(len(one.steps) for one in EVERYONE)
PLACE = {step.event_id: place for one in EVERYONE for place, step in enumerate(one.steps)}


def overtaken(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """First deliveries that come after a later event of their interaction."""
    furthest: dict[str, int] = defaultdict(lambda: -1)
    met: set[str] = set()
    late = []
    for event in events:
        interaction_id, place = event["detail"]["interactionId"], PLACE[event["id"]]
        if event["id"] not in met and place < furthest[interaction_id]:
            late.append(event)
        met.add(event["id"])
        furthest[interaction_id] = max(furthest[interaction_id], place)
    return late


def test_the_seed_decides() -> None:
    assert list(stream(EVERYONE, 1)) == list(stream(EVERYONE, 1))
    assert list(stream(EVERYONE, 1)) != list(stream(EVERYONE, 2))


def test_every_event_is_delivered_and_the_share_of_duplicates_twice() -> None:
    ids = Counter(event["id"] for event in stream(EVERYONE, 1))
    assert set(ids) == set(PLACE)
    assert set(ids.values()) == {1, 2}
    assert sum(ids.values()) - EVENTS == pytest.approx(0.10 * EVENTS, rel=0.1)


def test_a_duplicate_is_the_same_envelope_also_when_it_is_stamped_now() -> None:
    ticks = iter(range(1_700_000_000, 1_800_000_000))
    bodies: dict[str, set[str]] = defaultdict(set)
    for event in stream(EVERYONE, 1, duplicates=0.5, now=lambda: float(next(ticks))):
        bodies[event["id"]].add(json.dumps(event))
    assert all(len(body) == 1 for body in bodies.values())
    assert len({body for one in bodies.values() for body in one}) == EVENTS


def test_the_share_of_late_events_is_overtaken_completed_ones_too() -> None:
    late = overtaken(list(stream(EVERYONE, 1)))
    assert len(late) == pytest.approx(0.05 * EVENTS, rel=0.15)
    assert any(event["detail"]["state"] == "completed" for event in late)


def test_without_duplicates_and_late_ones_it_is_the_day_as_it_was() -> None:
    events = list(stream(EVERYONE, 1, duplicates=0, late=0))
    assert len(events) == EVENTS
    assert [event["time"] for event in events] == sorted(event["time"] for event in events)
    assert overtaken(events) == []


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_the_extremes_of_both_shares(share: float) -> None:
    events = list(stream(EVERYONE[:50], 1, duplicates=share, late=share))
    steps = sum(len(one.steps) for one in EVERYONE[:50])
    assert len(events) == steps * (1 + share)
    assert bool(overtaken(events)) == bool(share)


def test_interactions_interleave() -> None:
    ids = [event["detail"]["interactionId"] for event in stream(EVERYONE, 1)]
    changes = sum(one != other for one, other in pairwise(ids))
    assert changes > 0.9 * len(ids)


def test_every_event_is_one_that_the_bridge_accepts() -> None:
    for event in stream(EVERYONE, 1):
        parsed = parse(json.dumps(event).encode())
        assert parsed is not None
        assert parsed.interaction_id == event["detail"]["interactionId"]
        assert event["source"].startswith("aws.partner/genesys.com/")
