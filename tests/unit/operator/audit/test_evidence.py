"""What is kept of the records, and what becomes of a disk that fails."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from streams.core.records import Decision, Reason, Source
from streams.errors import AuditError
from streams.operator.audit.evidence import BATCH, KEY_LENGTH, MOST_REDRIVES, Evidence, digest
from streams.wire.outcomes import Outcome, outcome_id
from streams.wire.retries import MOST_REDRIVEN
from tests.unit.operator.audit.history import (
    NOON,
    OUTCOME,
    TOPICS,
    History,
    audited,
    counted,
    found,
)


def test_more_than_a_batch_is_taken_whole() -> None:
    history = History()
    for _ in range(BATCH + 1):
        history.outcome(history.event("call-1"))
    history.commit_all()
    counts = counted(history)
    assert (counts["records"], counts["decided"]) == (BATCH + 1, BATCH + 1)


@pytest.mark.parametrize(
    ("one", "other"),
    [((None, b""), (b"", None)), ((b"", b""), (None, None)), ((b"a", b"b"), (b"ab", b""))],
)
def test_bytes_are_distinguished_from_their_absence_and_key_from_value(
    one: Any, other: Any
) -> None:
    assert digest(*one) != digest(*other)
    assert digest(*one) == digest(*one)


def test_an_id_of_a_megabyte_is_cut_and_fit_to_be_printed() -> None:
    source = Source(TOPICS.events, 0, 0)
    with Evidence(TOPICS) as evidence:
        long = "\x1b[31m" + "x" * 1_000_000
        fields = {"outcome_id": long, "interaction_id": long, "source": source}
        evidence.take_outcome(0, 0, NOON, _replaced(**fields))
        evidence.number_redrives(kept_all=True)
        ((_, _, own, id_, *_),) = evidence.ask("SELECT * FROM foreign_ids")
    assert len(own) == len(id_) == KEY_LENGTH
    assert own.isprintable()


def test_a_disk_that_fails_is_one_line_that_says_what_to_free() -> None:
    with Evidence(TOPICS) as evidence:
        list(evidence.ask("PRAGMA max_page_count = 1"))
        with pytest.raises(AuditError, match=r"database or disk is full.*TMPDIR"):
            for offset in range(100_000):
                evidence.take_event(0, offset, b"call-1", None, judged=True)


def test_a_query_that_fails_is_one_line_too() -> None:
    with Evidence(TOPICS) as evidence, pytest.raises(AuditError, match="temporary file"):
        list(evidence.ask("SELECT nothing"))


def test_of_a_record_only_redrives_that_were_seen_are_tried() -> None:
    """A number that any program may have written must not be counted up to."""
    history = History()
    one, other = (history.event("call-1") for _ in range(2))
    for place in (one, other):
        history.outcome(place)
    for number in (40, 2**62):
        history.copy(one, attempt=0, redriven=number)
        history.outcome(one, redriven=number)
    history.failed(other, redriven=MOST_REDRIVEN)
    history.commit_all()
    assert audited(history) == []
    assert counted(history)["redriven"] == 3

    history.outcome(other, redriven=39)
    assert found(history) == [("foreign-id", TOPICS.events, *other)]


def test_of_a_leg_each_redrive_since_one_that_was_seen_is_tried() -> None:
    """A conversation counts on from its own last number, whichever of its records comes back."""
    history = History()
    told = [history.event("conversation-1") for _ in range(2)]
    for place in told:
        history.outcome(place)
        for number in (1, 2**62):
            history.copy(place, attempt=0, redriven=number)
            history.outcome(
                place, redriven=number, decision=Decision.NOTED, reason=Reason.LOOK_PLANNED
            )
    for number in (0, 1, 2, 2**62, 2**62 + 1):
        history.leg(told[0], "agent-1", redriven=number)
    history.commit_all()
    assert audited(history) == []

    history.leg(told[0], "agent-1", redriven=2**61)
    assert found(history) == [("foreign-id", TOPICS.events, *told[0])]


def test_where_copies_are_gone_some_redrives_are_tried_unseen() -> None:
    source = Source(TOPICS.events, 0, 0)
    with Evidence(TOPICS) as evidence:
        for offset, number in enumerate((MOST_REDRIVES, MOST_REDRIVES + 1)):
            id_ = outcome_id(source, redriven=number)
            evidence.take_outcome(0, offset, NOON, _replaced(outcome_id=id_))
        evidence.number_redrives(kept_all=False)
        assert evidence.number("SELECT number FROM outcome") == MOST_REDRIVES
        assert evidence.number("SELECT count(*) FROM foreign_ids") == 1


def _replaced(**changes: Any) -> Outcome:
    return msgspec.structs.replace(OUTCOME, **changes)
