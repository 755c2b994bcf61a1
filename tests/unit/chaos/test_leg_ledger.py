"""What the ledger makes of records of conversations, where that is not as of interactions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.chaos.ledger import GENERATION
from tests.chaos.leg_ledger import LegLedger
from tests.support.conversation_events import raw
from tests.support.oracle import Record

LEG = {"participantId": "p-1"}


@pytest.fixture
def ledger() -> LegLedger:
    return LegLedger(fenced=True)


def outcome(source_offset: int, generation: bytes = b"1", **changed: Any) -> Record:
    value = {
        "outcomeId": f"o-{source_offset}",
        "final": True,
        "interactionId": "c-1",
        "decision": "noted",
        "reason": "look-joined",
        "basis": "cache",
        "recovered": False,
        "source": {"topic": "events", "partition": 0, "offset": source_offset},
        "leg": None,
        **changed,
    }
    return Record(0, 0, b"c-1", json.dumps(value).encode(), ((GENERATION, generation),))


def copy(at: int, offset: int) -> Record:
    headers = (
        ("retry.source.partition", b"0"),
        ("retry.source.offset", str(offset).encode()),
        ("retry.attempt", b"1"),
    )
    return Record(0, at, b"", b"", headers)


def test_an_event_is_kept_with_what_makes_it_the_same_as_another(ledger: LegLedger) -> None:
    for offset, (event_id, at_ms) in enumerate((("e-1", 5), ("e-1", 6), ("e-2", 5), ("e-3", 7))):
        value = raw("acw", {"id": event_id}, eventTime=at_ms)
        ledger.take_source(Record(0, offset, b"", value, ()))
    first, *others = (set(each.identities) for each in ledger.events.values())
    assert [bool(first & each) for each in others] == [True, True, False]
    assert ledger.stored == {"e-1": 2, "e-2": 1, "e-3": 1}
    event = ledger.events[0, 0]
    assert (event.name, event.conversation_id, event.medium) == ("acw", "c-1", "voice")


def test_a_record_is_finished_once_its_copy_waits_for_the_look(ledger: LegLedger) -> None:
    assert list(ledger.past_unfinished({0: 1})) == [(0, 0)]
    ledger.take_return(copy(0, 0))
    assert ledger.past_unfinished({0: 1}) == {}
    assert list(ledger.past_unfinished({0: 2})) == [(0, 1)]


def test_the_outcome_of_a_leg_finishes_no_record(ledger: LegLedger) -> None:
    ledger.take_outcome(outcome(0, leg=LEG))
    assert list(ledger.past_unfinished({0: 1})) == [(0, 0)]
    assert ledger.published == {}
    assert ledger.told == 1
    assert ledger.decisions == {"leg noted/look-joined": 1}


def test_a_copy_may_be_passed_once_its_record_is_told_or_another_copy_waits(
    ledger: LegLedger,
) -> None:
    ledger.take_return(copy(3, 0))
    assert list(ledger.past_returning({0: 4})) == [(0, 3)]
    ledger.take_return(copy(7, 0))
    assert ledger.past_returning({0: 4}) == {}
    assert list(ledger.past_returning({0: 8})) == [(0, 7)]
    ledger.take_outcome(outcome(0, reason="look-planned"))
    assert ledger.past_returning({0: 8}) == {}


def test_a_deferral_of_a_leg_is_counted_once_and_decides_nothing(ledger: LegLedger) -> None:
    for _ in range(2):
        ledger.take_outcome(outcome(0, leg=LEG, final=False, outcomeId="o#1"))
    assert ledger.legs == {}
    assert ledger.put_off_ids == {"o#1"}


def test_a_leg_published_again_is_counted_and_one_that_differs_is_kept(ledger: LegLedger) -> None:
    for _ in range(2):
        ledger.take_outcome(outcome(0, leg=LEG, recovered=True))
    assert ledger.repeated == 1
    assert ledger.recovered == {("c-1", "p-1")}
    assert not ledger.differing_legs
    ledger.take_outcome(outcome(4, leg=LEG))
    assert {len(answers) for answers in ledger.differing_legs.values()} == {2}
    assert ledger.decided_by == {("c-1", "p-1"): (0, 0)}


def test_who_waited_for_a_look_is_told_after_later_records(ledger: LegLedger) -> None:
    ledger.take_outcome(outcome(5))
    ledger.take_outcome(outcome(3, reason="look-planned"))
    assert ledger.out_of_order == []
    ledger.take_outcome(outcome(4))
    assert ledger.out_of_order == ["c-1: 0/4 published after 5"]


def test_generations_of_legs_are_watched_too(ledger: LegLedger) -> None:
    ledger.take_outcome(outcome(0, b"3", leg=LEG))
    ledger.take_outcome(outcome(1, b"2", leg=LEG))
    assert ledger.generations.violations == ["outcomes/0/0: generation 2 wrote after 3"]
