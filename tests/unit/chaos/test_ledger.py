"""What the ledger makes of records: each promise that it watches, broken once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.chaos.ledger import GENERATION, Answer, Finished, InteractionLedger, digest
from tests.chaos.poison import HEADER
from tests.support.oracle import Record


def source(
    offset: int, interaction_id: str = "i-1", *, event_id: str = "", partition: int = 0
) -> Record:
    event = {
        "id": event_id or f"e-{offset}",
        "detail-type": "any",
        "detail": {"interactionId": interaction_id, "sequenceId": offset, "state": "connected"},
    }
    return Record(partition, offset, interaction_id.encode(), json.dumps(event).encode(), ())


def outcome(at: int, source_offset: int, generation: bytes | None = b"1", **changed: Any) -> Record:
    value = {
        "outcomeId": f"o-{source_offset}",
        "final": True,
        "interactionId": "i-1",
        "decision": "ineligible",
        "reason": "interaction-not-completed",
        "basis": "event",
        "recovered": False,
        "source": {"topic": "events", "partition": 0, "offset": source_offset},
        **changed,
    }
    headers = () if generation is None else ((GENERATION, generation),)
    return Record(0, at, b"i-1", json.dumps(value).encode(), headers)


@pytest.fixture
def ledger() -> InteractionLedger:
    return InteractionLedger(fenced=True)


def test_finished_knows_the_lowest_that_is_open() -> None:
    finished = Finished()
    for offset in (1, 2, 4):
        finished.add((0, offset))
    assert finished.lowest_open(0) == 0
    finished.add((0, 0))
    assert finished.lowest_open(0) == 3
    finished.add((0, 1))
    assert finished.lowest_open(0) == 3
    assert finished.lowest_open(1) == 0
    assert finished.unfinished_below(0, 5) == 1
    assert finished.unfinished_below(0, 8) == 4


def test_a_committed_offset_may_be_at_the_lowest_open_record_and_not_past_it(
    ledger: InteractionLedger,
) -> None:
    for offset in (0, 1, 3):
        ledger.take_outcome(outcome(offset, offset))
    assert ledger.past_unfinished({0: 2}) == {}
    assert ledger.past_unfinished({0: 0, 1: 0}) == {}
    assert list(ledger.past_unfinished({0: 4})) == [(0, 2)]
    assert "2 has no outcome (1 records passed)" in ledger.past_unfinished({0: 4})[(0, 2)]
    assert list(ledger.past_unfinished({3: 1})) == [(3, 0)]


def test_an_outcome_published_again_is_counted_and_no_fault(ledger: InteractionLedger) -> None:
    ledger.take_outcome(outcome(0, 0))
    ledger.take_outcome(outcome(1, 0))
    assert ledger.repeated == 1
    assert not ledger.differing
    assert ledger.published[(0, 0)] == Answer(
        "o-0", "ineligible", "interaction-not-completed", "event"
    )


@pytest.mark.parametrize(
    "changed", [{"decision": "duplicate"}, {"reason": "other"}, {"outcomeId": "o-x"}]
)
def test_an_outcome_published_differently_is_kept(
    ledger: InteractionLedger, changed: dict[str, Any]
) -> None:
    ledger.take_outcome(outcome(0, 0))
    ledger.take_outcome(outcome(1, 0, **changed))
    assert {len(answers) for answers in ledger.differing.values()} == {2}


def returned(at: int, offset: int, attempt: int) -> Record:
    headers = {"partition": 0, "offset": offset}
    named = [(f"retry.source.{name}", str(value).encode()) for name, value in headers.items()]
    return Record(0, at, b"", b"", (*named, ("retry.attempt", str(attempt).encode())))


def test_a_deferral_finishes_its_record_and_decides_nothing(ledger: InteractionLedger) -> None:
    ledger.take_outcome(outcome(0, 0, final=False))
    assert ledger.published == {}
    assert len(ledger.put_off_ids) == 1
    assert ledger.past_unfinished({0: 1}) == {}


@pytest.mark.parametrize("then", [{}, {"final": False, "outcomeId": "o-0#2"}])
def test_a_record_that_comes_back_is_finished_by_the_next_answer(
    ledger: InteractionLedger, then: dict[str, Any]
) -> None:
    ledger.take_outcome(outcome(0, 0, final=False, outcomeId="o-0#1"))
    ledger.take_return(returned(5, 0, 1))
    assert ledger.past_returning({0: 5}) == {}
    assert list(ledger.past_returning({0: 6})) == [(0, 5)]

    ledger.take_outcome(outcome(1, 0, **then))

    assert ledger.past_returning({0: 6}) == {}


def test_the_order_is_that_of_the_first_outcomes(ledger: InteractionLedger) -> None:
    for at, offset in enumerate((0, 2, 0, 2)):
        ledger.take_outcome(outcome(at, offset))
    assert ledger.out_of_order == []
    ledger.take_outcome(outcome(4, 1, interactionId="i-2"))
    assert ledger.out_of_order == []
    ledger.take_outcome(outcome(5, 1 + 0, interactionId="i-2"))
    ledger.take_outcome(outcome(6, 3, interactionId="i-3"))
    ledger.take_outcome(outcome(7, 4, interactionId="i-1"))
    assert ledger.out_of_order == []


def test_an_outcome_first_published_after_that_of_a_later_record_is_out_of_order(
    ledger: InteractionLedger,
) -> None:
    ledger.take_outcome(outcome(0, 5))
    ledger.take_outcome(outcome(1, 3))
    assert ledger.out_of_order == ["i-1: 0/3 published after 5"]


def test_generations_may_stay_and_grow_and_never_go_back(ledger: InteractionLedger) -> None:
    for at, generation in enumerate((b"3", b"3", b"12")):
        ledger.take_outcome(outcome(at, at, generation))
    assert ledger.generations.violations == []
    ledger.take_outcome(outcome(3, 3, b"4"))
    assert ledger.generations.violations == ["outcomes/0/3: generation 4 wrote after 12"]


def test_generations_are_those_of_a_source_partition(ledger: InteractionLedger) -> None:
    ledger.take_outcome(outcome(0, 0, b"9"))
    elsewhere = {"topic": "events", "partition": 4, "offset": 0}
    ledger.take_outcome(outcome(1, 0, b"2", source=elsewhere))
    ledger.take_change(Record(0, 0, b"i-1", b"{}", ((GENERATION, b"2"),)))
    assert ledger.generations.violations == []
    ledger.take_change(Record(0, 1, b"i-1", b"{}", ((GENERATION, b"1"),)))
    assert ledger.generations.violations == ["changelog/0/1: generation 1 wrote after 2"]


@pytest.mark.parametrize("generation", [None, b"", b"-1", b"one"])
def test_a_record_that_does_not_name_its_generation_is_a_fault(
    ledger: InteractionLedger, generation: bytes | None
) -> None:
    ledger.take_outcome(outcome(0, 0, generation))
    (fault,) = ledger.generations.violations
    assert "worker.generation" in fault


def test_a_program_without_a_fence_is_not_asked_for_generations() -> None:
    ledger = InteractionLedger(fenced=False)
    ledger.take_outcome(outcome(0, 0, None))
    assert ledger.generations.violations == []


def test_events_and_poison_differ_by_their_header(ledger: InteractionLedger) -> None:
    ledger.take_source(source(0))
    ledger.take_source(source(1, event_id="e-0"))
    bad = Record(0, 2, None, b"\xff", ((HEADER, b"no JSON"),))
    ledger.take_source(bad)
    assert ledger.records == 3
    assert ledger.stored == {"e-0": 2}
    assert ledger.poison == {(0, 2): ("no JSON", digest(bad))}
    assert ledger.events[(0, 0)].interaction_id == "i-1"


def test_a_dead_letter_is_filed_under_its_source(ledger: InteractionLedger) -> None:
    headers = (("dlq.source.partition", b"3"), ("dlq.source.offset", b"17"))
    letter = Record(0, 0, b"k", b"v", headers)
    ledger.take_letter(letter)
    ledger.take_letter(Record(0, 1, b"k", b"of the bridge", ()))
    assert ledger.letters == {(3, 17): digest(letter)}


def test_bytes_that_are_absent_are_not_those_that_are_empty() -> None:
    pairs = [(None, None), (None, b""), (b"", None), (b"", b""), (b"a", b"b"), (b"ab", b"")]
    assert len({digest(Record(0, 0, key, value, ())) for key, value in pairs}) == len(pairs)
