"""What the simulated API knows and counts."""

from __future__ import annotations

import json

from streams.local.simulator.route import Route
from streams.local.simulator.store import Store


def test_a_disposition_changes_body_and_etag_and_is_counted() -> None:
    store = Store([{"id": "a", "type": "voice"}])
    before = store.find("a")
    assert before is not None
    etag, body = before.etag, before.body
    store.apply("a", "code-1")
    after = store.find("a")
    assert after is not None
    assert after.etag != etag
    assert after.body != body
    assert json.loads(after.body) == {
        "id": "a",
        "type": "voice",
        "dispositionCode": {"id": "code-1"},
    }
    assert store.counters("a").patches_applied == store.patches_applied == 1


def test_the_same_code_set_twice_counts_twice() -> None:
    store = Store([{"id": "a"}])
    store.apply("a", "code-1")
    store.apply("a", "code-1")
    assert store.counters("a").patches_applied == 2


def test_requests_are_counted_by_route_also_for_unknown_interactions() -> None:
    store = Store()
    assert [store.count(Route.GET, "x"), store.count(Route.GET, "x")] == [1, 2]
    assert store.count(Route.PATCH, "x") == 1
    assert store.counted() == {"x": {"gets": 2, "patchesReceived": 1, "patchesApplied": 0}}


def test_registering_again_changes_the_interaction_and_its_etag() -> None:
    store = Store([{"id": "a", "state": "connected"}])
    known = store.find("a")
    assert known is not None
    before = known.etag
    store.register([{"id": "a", "state": "completed"}])
    assert known.truth["state"] == "completed"
    assert known.etag != before


def test_reset_restores_what_was_registered_and_never_reuses_an_etag() -> None:
    store = Store([{"id": "a"}])
    known = store.find("a")
    assert known is not None
    store.apply("a", "code-1")
    patched = known.etag
    store.reset()
    assert known.truth == {"id": "a"}
    assert known.etag not in ('"1"', patched)
    assert store.counted() == {}
    assert store.patches_applied == 0
