"""The look-up shows an interaction's, or a conversation's, record with every time in one form."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from msgspec.json import encode as json_of

from streams.core.conversations.record import ConversationRecord, Look, OpenLeg, Sent, Told
from streams.core.records import (
    Basis,
    Decision,
    Deferred,
    InteractionRecord,
    Leg,
    PutOff,
    Reason,
    Seen,
    Verdict,
    encode_record,
)
from streams.kafka.declaration import declared_directory
from streams.worker.state.shown import TIMES, encode_shown

TEXTS = [
    (declared_directory() / "schemas" / f"{each}-record.schema.json").read_text()
    for each in ("interaction", "conversation")
]
SCHEMAS = [json.loads(each) for each in TEXTS]

AT_MS, AT = 1_765_552_507_657, "2025-12-12T15:15:07.657Z"

DEFERRED = Verdict(
    Decision.DEFERRED,
    Reason.NOT_YET_VISIBLE,
    Basis.API,
    decided_at=AT,
    duration_ms=AT_MS,
    put_off=PutOff(1, AT_MS, looks=1, visible_by=AT_MS),
)
RECORD = InteractionRecord(
    interaction_id="i-1",
    seen=Seen(((1, AT_MS),)),
    verdict=DEFERRED,
    last_offset=AT_MS,
    deferred=(Deferred(AT_MS, DEFERRED),),
    decided_before=AT_MS,
    first_seen_at=AT_MS,
    updated_at=AT_MS,
)


def test_every_time_is_rfc_3339_and_every_other_number_stays() -> None:
    put_off = {"attempt": 1, "notBefore": AT, "looks": 1, "visibleBy": AT}
    verdict = {
        "decision": "deferred",
        "reason": "not-yet-visible",
        "basis": "api",
        "durationMs": AT_MS,
        "decidedAt": AT,
        "putOff": put_off,
    }
    assert json.loads(encode_shown(RECORD)) == {
        "schemaVersion": 1,
        "interactionId": "i-1",
        "seen": {"ranges": [[1, AT_MS]]},
        "verdict": verdict,
        "lastOffset": AT_MS,
        "deferred": [{"offset": AT_MS, "verdict": verdict}],
        "toldBefore": AT,
        "firstSeenAt": AT,
        "updatedAt": AT,
    }


def test_but_for_its_times_it_is_the_tables_record() -> None:
    bare = InteractionRecord(interaction_id="i-1", seen=Seen(((1, 10**30),)), life="l", events=3)
    assert encode_shown(bare) == encode_record(bare)


def test_a_conversations_times_are_shown_alike() -> None:
    leg = OpenLeg(Leg("p-1"), next_at=AT_MS, sent=Sent("code", AT_MS, accepted_at=AT_MS))
    known = ConversationRecord(
        conversation_id="c-1",
        told=(Told("p-1", ended_at=AT_MS, talked_ms=AT_MS, acw_at=AT_MS),),
        look=Look(AT_MS, visible_by=AT_MS),
        open=(leg,),
        over_since=AT_MS,
        last_offset=AT_MS,
    )
    sent = {"code": "code", "at": AT, "acceptedAt": AT}
    assert json.loads(encode_shown(known)) == {
        "schemaVersion": 1,
        "conversationId": "c-1",
        "lastOffset": AT_MS,
        "told": [{"participantId": "p-1", "endedAt": AT, "talkedMs": AT_MS, "acwAt": AT}],
        "look": {"at": AT, "visibleBy": AT},
        "open": [{"leg": json.loads(json_of(leg.leg)), "nextAt": AT, "sent": sent}],
        "overSince": AT,
    }


@pytest.mark.parametrize("name", sorted(TIMES))
def test_a_schema_has_each_of_these_fields_as_a_number(name: str) -> None:
    kinds = [each["type"] for schema in SCHEMAS for each in found(schema, name) if "type" in each]
    assert [each for each in kinds if "integer" in each]


def test_no_time_of_a_conversation_is_left_out() -> None:
    mentioned = re.findall(r'"(\w+)": {[^{}]*"type": (?:"integer"|\["integer", "null"\])', TEXTS[1])
    times = {each for each in mentioned if re.search(r"^at$|At$|By$|Before$|Since$", each)}
    assert {"nextAt", "acwAt", "overSince"} < times
    assert times - {"returnedAt"} <= TIMES  # an offset


def found(schema: Any, name: str) -> list[Any]:
    """The schemas of this property, wherever it is."""
    if isinstance(schema, list):
        return [each for part in schema for each in found(part, name)]
    if not isinstance(schema, dict):
        return []
    own = [schema["properties"][name]] if name in schema.get("properties", {}) else []
    return own + [each for part in schema.values() for each in found(part, name)]
