"""A conversation's record: until when it is kept, and what becomes of it in another log."""

from __future__ import annotations

import pytest

from streams.core.conversations.record import (
    ConversationRecord,
    Look,
    OpenLeg,
    Result,
    Waiting,
    decode_record,
    encode_record,
    of_life,
)
from streams.core.records import Leg


@pytest.mark.parametrize(
    "record",
    [
        ConversationRecord("c-1", look=Look(5)),
        ConversationRecord("c-1", open=(OpenLeg(Leg("p-1")),)),
        ConversationRecord("c-1", waiting=(Waiting(7),)),
    ],
)
def test_what_is_still_to_come(record: ConversationRecord) -> None:
    assert record.pending
    assert decode_record(encode_record(record)) == record


def test_what_is_over_is_not() -> None:
    assert not ConversationRecord("c-1", decided=("p-1",), last_offset=3).pending


def test_in_another_log_no_offset_counts_but_what_comes_back_does() -> None:
    results = (Result(3), Result(3, returned_at=1))
    record = ConversationRecord(
        "c-1", life="one", last_offset=3, look=Look(5), results=results, updated_at=9
    )
    moved = of_life(record, "two")
    assert (moved.last_offset, moved.decided_before, moved.look) == (None, 9, Look(5))
    assert moved.results == results[1:]
    assert of_life(record, "one") is record
