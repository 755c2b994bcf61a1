"""What the bridges take with ``GENESYS_API=conversations``, and what they store of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.bridge.intake import Accepted, Judge, Malformed, Skipped, judge_of
from streams.core.conversations.events import needed, parse_conversation_event
from tests.support.bridges import event as interaction_event
from tests.support.conversation_events import PREFIX, raw

NEEDED = judge_of("conversations", "needed")
ALL = judge_of("conversations", "all")

both = pytest.mark.parametrize("judge", [NEEDED, ALL], ids=["needed", "all"])


@both
@pytest.mark.parametrize("name", ["user.end", "customer.end", "acw", "wrapup", "outbound"])
def test_an_event_is_accepted_under_its_conversation(judge: Judge, name: str) -> None:
    accepted = judge(raw(name))
    assert isinstance(accepted, Accepted)
    assert accepted.interaction_id == "c-1"
    assert (accepted.event_id, accepted.interaction_type) == ("e-1", "voice")
    assert accepted.source == "aws.partner/genesys.com/cloud/org/suffix"


@both
@pytest.mark.parametrize("name", ["user.start", "acd.end", "voicemail.end", "attributes", ""])
def test_other_events_of_a_conversation_are_skipped(judge: Judge, name: str) -> None:
    assert judge(raw(name)) == Skipped()


@both
def test_an_event_of_the_other_dialect_is_skipped(judge: Judge) -> None:
    assert judge(interaction_event()) == Skipped()
    assert judge(raw(envelope={"detail-type": f"{PREFIX}user.end".replace("{id}", "c-1")})) == (
        Skipped()
    )


@pytest.mark.parametrize("keep", ["needed", "all"])
def test_with_interactions_an_event_of_a_conversation_is_skipped(keep: Any) -> None:
    judge = judge_of("interactions", keep)
    assert judge(raw()) == Skipped()
    body = b" " + interaction_event(note="kept")
    accepted = judge(body)
    assert isinstance(accepted, Accepted)
    assert accepted.value == body


def test_nothing_personal_is_stored_unless_all_is_asked_for() -> None:
    body = b" " + raw("acw", ani="tel:+12025550123", anything="private-anything") + b"\n"
    few, whole = NEEDED(body), ALL(body)
    assert isinstance(few, Accepted)
    assert isinstance(whole, Accepted)
    assert whole.value == body
    assert few.value == needed(body)
    assert b"private-" not in few.value
    assert b"tel:" not in few.value
    assert parse_conversation_event(few.value) == parse_conversation_event(body)


@both
@pytest.mark.parametrize(
    ("body", "field", "interaction_id"),
    [
        (b"", None, None),
        (b"\xff\xfe", None, None),
        (b"[1, 2]", None, None),
        (raw(conversationId=None), "conversationId", None),
        (raw(conversationId="../../oauth/token"), "conversationId", None),
        (raw(eventTime=None), "eventTime", "c-1"),
        (raw(eventTime="yesterday"), "eventTime", "c-1"),
        (raw(wrapupCode="w" * 129), "wrapupCode", "c-1"),
        (raw(envelope={"detail": {}}), "eventBody", None),
        (raw(envelope={"detail-type": None}), "detail-type", "c-1"),
        (b'{"interactionId": "i-1", "sequenceId": 1}', "detail-type", None),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_no_event_is_malformed_under_its_conversation(
    judge: Judge, body: bytes, field: str | None, interaction_id: str | None
) -> None:
    verdict = judge(body)
    assert isinstance(verdict, Malformed)
    assert (verdict.field, verdict.interaction_id) == (field, interaction_id)
    letter = verdict.dead_letter(body, 0.0)
    assert letter.value == body
    assert letter.key == (interaction_id.encode() if interaction_id else None)


values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.binary()
    | st.fixed_dictionaries(
        {"detail-type": st.sampled_from([f"{PREFIX}acw", f"{PREFIX}user.end"]) | values},
        optional={
            "id": values,
            "resources": values,
            "detail": values
            | st.fixed_dictionaries(
                {},
                optional={
                    "eventBody": values
                    | st.fixed_dictionaries(
                        {"conversationId": st.just("c-1") | values, "eventTime": values},
                        optional={"mediaType": values, "wrapupCode": values},
                    ),
                    "metadata": values,
                },
            ),
        },
    ).map(lambda value: json.dumps(value).encode())
)
def test_never_raises_and_stores_what_reads_the_same(body: bytes) -> None:
    few, whole = NEEDED(body), ALL(body)
    if not isinstance(few, Accepted):
        assert few == whole
        return
    assert isinstance(whole, Accepted)
    assert whole.value == body
    assert NEEDED(few.value) == few
