"""A look whose copy Kafka does not accept in ``retries``: nothing would ever bring it about."""

from __future__ import annotations

from msgspec.structs import replace

from streams.core.conversations.record import (
    ConversationRecord,
    Delivery,
    Result,
    with_result,
)
from streams.core.records import Verdict


def uncarried(
    record: ConversationRecord, delivery: Delivery, verdict: Verdict, now_ms: int
) -> tuple[ConversationRecord, Result]:
    """The record without that look, so that the next event plans one, and what to publish:
    ``verdict``, if the source record has none yet. Others that wait come back by themselves."""
    own = record.waiter(delivery.offset, delivery.redriven)
    result = Result(
        delivery.offset,
        delivery.returned_at,
        delivery.redriven,
        delivery.owner,
        verdict if own is not None else None,
    )
    others = tuple(each for each in record.waiting if each is not own)
    return with_result(replace(record, look=None, waiting=others), result, now_ms), result
