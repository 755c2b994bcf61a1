"""What is kept of the records, and what becomes of a disk that fails."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from streams.core.records import Source
from streams.errors import AuditError
from streams.operator.audit.evidence import BATCH, KEY_LENGTH, Evidence, digest
from streams.wire.outcomes import Outcome
from tests.unit.operator.audit.history import NOON, OUTCOME, TOPICS, History, counted


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


def _replaced(**changes: Any) -> Outcome:
    return msgspec.structs.replace(OUTCOME, **changes)
