"""Garbage is of every kind, none of it is an event, and the seed decides."""

from __future__ import annotations

from streams.local.generator.population import population
from streams.local.generator.stream import stream
from tests.support.garbage import LARGEST_BYTES, garbage, kinds

EVENTS = list(stream(population(3, 20), 3))

# What the topic takes, and the storm's largest is below it.
TOPIC_BYTES = 1 << 20


def test_every_kind_is_there_and_as_often_as_any_other() -> None:
    names = [each.kind for each in garbage(3 * len(kinds(EVENTS)), EVENTS, 1)]
    assert {name: names.count(name) for name in kinds(EVENTS)} == dict.fromkeys(names, 3)


def test_the_seed_decides() -> None:
    assert garbage(60, EVENTS, 1) == garbage(60, EVENTS, 1)
    assert garbage(60, EVENTS, 1) != garbage(60, EVENTS, 2)


def test_it_is_small_and_large_and_in_the_way_of_events() -> None:
    some = garbage(400, EVENTS, 1)
    sizes = [len(each.value or b"") for each in some]
    assert min(sizes) == 0
    assert LARGEST_BYTES / 2 < max(sizes) < TOPIC_BYTES
    ids = {event["detail"]["interactionId"].encode() for event in EVENTS}
    keys = [each.key for each in some]
    assert None in keys
    assert sum(key in ids for key in keys) > len(some) / 10
    assert len({each.value for each in some}) > 200
