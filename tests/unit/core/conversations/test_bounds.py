"""Whatever enters a conversation's record, Kafka takes what it becomes.

A record that Kafka refuses for its size can not be written by any later try either, and its worker
would end at every start. What Kafka takes is said beside the bound of an interaction's record.
"""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from streams.core.calls import MOST_CALLS
from streams.core.conversations.arrival import arrive
from streams.core.conversations.conversation import Communication, Conversation, Participant
from streams.core.conversations.events import ConversationEvent, EventName
from streams.core.conversations.inquiry import Inquiry
from streams.core.conversations.policy import WrapUpPolicy
from streams.core.conversations.record import (
    MOST_DECIDED,
    MOST_DECIDED_AT_ONCE,
    MOST_OPEN,
    MOST_RESULTS,
    MOST_SEEN,
    MOST_TOLD,
    MOST_WAITING,
    ConversationRecord,
    Delivery,
    Look,
    Waiting,
    decode_record,
    encode_record,
)
from streams.core.conversations.steps import Conclude, Fetch, Write
from streams.errors import ApiTimeout, Forbidden
from tests.support.longest import longest_call

# A quarter of what Kafka takes is left for what is added in the years to come.
MOST_RECORD_BYTES = 768 * 1024

POLICY = WrapUpPolicy("c" * 128, campaigns="set")
LONG = 2**50
FILLERS = ['"', "\\", "\N{REPLACEMENT CHARACTER}", "\N{OPEN MAILBOX WITH RAISED FLAG}", "\x01"]


def long_id(number: int) -> str:
    return f"{number:05}".ljust(128, "p")


def event(number: int, filler: str) -> ConversationEvent:
    return ConversationEvent(
        "c" * 128,
        EventName.ACW,
        LONG + number,
        long_id(number),
        filler * 128,
        "voice",
        filler * 128,
        campaign=True,
        event_id=f"{number}{filler * 1000}",
        user_id="u" * 128,
        queue_id="q" * 128,
        talked_ms=LONG,
    )


def agent(number: int, **fields: Any) -> Participant:
    call = Communication(long_id(number), "voice", "terminated", LONG - 60_000, LONG)
    values: dict[str, Any] = {
        "id": long_id(number),
        "purpose": "agent",
        "user_id": "u" * 128,
        "queue_id": "q" * 128,
        "connected_at": LONG - 60_000,
        "ended_at": LONG,
        "wrapup_required": True,
        "communications": (call,),
    }
    return Participant(**values | fields)


def looked(
    record: ConversationRecord, number: int, legs: tuple[Participant, ...], error: Exception
) -> ConversationRecord:
    """The record after one look, in which every code that is sent meets this error, and which
    another owner makes than any before: nobody knows what it has published."""
    record = replace(record, look=Look(0))
    delivery = Delivery(LONG, LONG + number, owner=f"{number:064}")
    inquiry = Inquiry(record, delivery, 2 * LONG, POLICY)
    while not isinstance(step := inquiry.step, Conclude):
        if isinstance(step, Fetch) and legs:
            inquiry.fetched(Conversation("c" * 128, LONG, legs), 2 * LONG)
            continue
        if isinstance(step, Write):
            inquiry.intends(2 * LONG)
        assert isinstance(error, ApiTimeout | Forbidden)
        inquiry.failed(error, 2 * LONG, 3 * LONG, longest_call())
    after, _ = inquiry.conclude(2 * LONG, made=[longest_call()] * MOST_CALLS)
    assert after is not None
    return after


def fullest(filler: str) -> ConversationRecord:
    record = ConversationRecord("c" * 128, life="l" * 64)
    for number in range(MOST_SEEN):
        delivery = Delivery(number, owner="w")
        record, _ = arrive(record, event(number, filler), delivery, LONG, policy=POLICY)
    refused = Forbidden(filler * 2_000, status=403, code=filler * 200, correlation_id=filler * 99)
    waiting = tuple(Waiting(LONG + number, 1) for number in range(MOST_WAITING))
    record = looked(replace(record, waiting=waiting), 0, (), refused)
    legs = tuple(agent(10_000 + number) for number in range(2 * MOST_DECIDED))
    for number in range(1, (MOST_DECIDED - MOST_OPEN) // MOST_DECIDED_AT_ONCE + 1):
        record = looked(record, number, legs, refused)
    unanswered = ApiTimeout("no answer", maybe_applied=True)
    under_way = tuple(agent(90_000 + number) for number in range(MOST_OPEN))
    for number in range(MOST_OPEN):
        record = replace(
            looked(record, 0, under_way[: number + 1], unanswered), results=record.results
        )
    return record


@pytest.mark.parametrize("filler", FILLERS, ids=ascii)
def test_the_fullest_record_is_accepted_by_kafka(filler: str) -> None:
    record = fullest(filler)
    assert len(record.seen) == MOST_SEEN
    assert len(record.told) == MOST_TOLD
    assert len(record.open) == MOST_OPEN
    assert len(record.decided) == MOST_DECIDED - MOST_OPEN
    assert len(record.results) == MOST_RESULTS
    assert all(each.legs and len(each.calls) == MOST_CALLS for each in record.results)
    assert all(each.sent is not None and each.sent.call is not None for each in record.open)
    assert len(record.waiting) == MOST_WAITING
    assert all(each.verdict is not None for each in record.waiting)
    encoded = encode_record(record)
    assert len(encoded) < MOST_RECORD_BYTES
    assert decode_record(encoded) == record


def test_no_more_legs_are_taken_up_than_are_remembered() -> None:
    """One that was forgotten would get a second verdict."""
    record = ConversationRecord("c-1")
    legs = tuple(agent(number, connected_at=None, communications=()) for number in range(600))
    for number in range(40):
        record = looked(record, number, legs, Forbidden("no"))
    assert len(record.decided) == len(set(record.decided)) == MOST_DECIDED
    assert record.look is None
