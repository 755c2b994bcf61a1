"""Which events of a conversation are taken, what is read of them, and what is kept."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.conversations.events import (
    ConversationEvent,
    EventName,
    needed,
    parse_conversation_event,
    readable_conversation_id,
)
from streams.errors import EnvelopeError
from tests.support.conversation_events import BODY, raw


def taken(body: bytes) -> ConversationEvent:
    event = parse_conversation_event(body)
    assert event is not None
    return event


def refusal(body: bytes) -> EnvelopeError:
    with pytest.raises(EnvelopeError) as caught:
        parse_conversation_event(body)
    return caught.value


def test_an_event_is_read() -> None:
    assert taken(raw("acw")) == ConversationEvent(
        conversation_id="c-1",
        name=EventName.ACW,
        event_time=1_765_552_507_657,
        participant_id="p-1",
        session_id="s-1",
        medium="voice",
        wrapup_code="code-7",
        campaign=False,
        event_id="e-1",
        occurred="2025-12-12T15:15:07Z",
        source="aws.partner/genesys.com/cloud/org/suffix",
        user_id="u-1",
        queue_id="q-1",
        talked_ms=60_500,
    )


@pytest.mark.parametrize("parts", [(None, 1), ("1", 1), (True, 1), (-1, 1), (1, 2**80)])
def test_how_long_an_agent_talked_is_all_told_or_unknown(parts: tuple[Any, Any]) -> None:
    interacting, held = parts
    assert taken(raw(interactingDurationMs=interacting, heldDurationMs=held)).talked_ms is None
    assert taken(raw(interactingDurationMs=7, heldDurationMs=None)).talked_ms == 7
    assert taken(raw(interactingDurationMs=7, heldDurationMs="long")).talked_ms == 7


@pytest.mark.parametrize("name", ["user.end", "customer.end", "acw", "wrapup", "outbound"])
def test_what_is_taken(name: str) -> None:
    assert taken(raw(name)).name == name


@pytest.mark.parametrize("name", ["user.start", "acd.end", "voicemail.end", "", "user.end.x"])
def test_every_other_event_is_skipped(name: str) -> None:
    assert parse_conversation_event(raw(name)) is None


@pytest.mark.parametrize(
    "detail_type",
    [
        "purecloud:v2:interaction:update",
        "v2.detail.events.conversation.c-1.user.end",
        "user.end",
    ],
)
def test_other_detail_types_are_skipped(detail_type: str) -> None:
    assert parse_conversation_event(raw(envelope={"detail-type": detail_type})) is None


def test_a_campaign_is_told_by_its_event_or_by_its_id() -> None:
    assert taken(raw("outbound")).campaign
    assert taken(raw("user.end", outboundCampaignId="campaign-1")).campaign
    assert not taken(raw("user.end")).campaign


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"conversationId": None}, "conversationId"),
        ({"conversationId": "../other"}, "conversationId"),
        ({"conversationId": 7}, "conversationId"),
        ({"eventTime": None}, "eventTime"),
        ({"eventTime": True}, "eventTime"),
        ({"eventTime": -1}, "eventTime"),
        ({"eventTime": 10**400}, "eventTime"),
        ({"eventTime": 253_402_300_800_000}, "eventTime"),
        ({"eventTime": "yesterday"}, "eventTime"),
        ({"eventTime": [1]}, "eventTime"),
        ({"participantId": 7}, "participantId"),
        ({"participantId": "p" * 129}, "participantId"),
        ({"wrapupCode": "w" * 129}, "wrapupCode"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], field: str) -> None:
    assert refusal(raw(**fields)).field == field


@pytest.mark.parametrize(
    ("envelope", "field"),
    [
        ({"detail": None}, "detail"),
        ({"detail": 7}, "detail"),
        ({"detail": {}}, "eventBody"),
        ({"detail": {"eventBody": []}}, "eventBody"),
        ({"detail-type": None}, "detail-type"),
        ({"detail-type": 7}, "detail-type"),
        ({"id": 7}, "id"),
    ],
)
def test_a_wrong_envelope_is_named(envelope: dict[str, Any], field: str) -> None:
    assert refusal(raw(envelope=envelope)).field == field


def test_the_conversation_of_what_is_no_event() -> None:
    assert readable_conversation_id(raw(eventTime=None)) == "c-1"
    assert readable_conversation_id(b"[]") is None


class TestTheSameEvent:
    def same(self, one: bytes, other: bytes) -> bool:
        return bool(set(taken(one).identities) & set(taken(other).identities))

    def test_has_the_same_id(self) -> None:
        assert self.same(raw(), raw(eventTime=5, participantId="p-2"))

    def test_or_the_same_content(self) -> None:
        again = {"id": "e-2"}
        assert self.same(raw(), raw(envelope=again, wrapupNotes="other"))
        assert self.same(raw(), raw(envelope=again, eventTime="2025-12-12T15:15:07.657Z"))
        assert self.same(raw(envelope={"id": None}), raw(envelope={"id": None}))

    @pytest.mark.parametrize("field", ["participantId", "sessionId", "conversationId"])
    def test_is_another_one_for_another_field(self, field: str) -> None:
        assert not self.same(raw(), raw(envelope={"id": "e-2"}, **{field: "other"}))

    def test_is_another_one_by_name_and_time(self) -> None:
        assert not self.same(raw(), raw("acw", envelope={"id": "e-2"}))
        assert not self.same(raw(), raw(envelope={"id": "e-2"}, eventTime=1))

    def test_a_missing_field_is_not_the_next_one(self) -> None:
        one = raw(envelope={"id": "e-2"}, participantId=None, sessionId="x")
        assert not self.same(one, raw(participantId="x", sessionId=None))


texts = st.text(st.characters(codec=None), max_size=40)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
secrets = st.text("abcdefghijklmnopqrstuvwxyz", min_size=12, max_size=20).map("secret-{}".format)
PERSONAL = [
    *("ani", "dnis", "addressTo", "addressFrom", "callbackUserName", "callbackNumbers"),
    *("subject", "wrapupNotes", "attributes", "externalContactId", "name", "anything"),
    # Numbers, where they are what they should be.
    *("interactingDurationMs", "heldDurationMs"),
]


class TestWhatIsNeeded:
    @given(
        st.sampled_from(list(EventName)),
        st.dictionaries(st.sampled_from(PERSONAL), secrets | st.lists(secrets), max_size=6),
        st.dictionaries(st.sampled_from([*PERSONAL, "metadata", "x"]), secrets, max_size=3),
        values,
    )
    def test_nothing_personal_is_kept_and_nothing_that_is_read_is_lost(
        self, name: EventName, personal: dict[str, Any], around: dict[str, Any], more: Any
    ) -> None:
        whole = json.loads(raw(name, more=more, **personal))
        whole["detail"] |= around
        whole |= {"x": around, **around, "resources": [around, "arn:rule"]}
        body = json.dumps(whole).encode()
        kept = needed(body)
        assert b"secret-" not in kept
        assert b"private-" not in kept
        assert b"tel:" not in kept
        assert parse_conversation_event(kept) == parse_conversation_event(body)
        assert needed(kept) == kept

    def test_the_envelope_is_kept_and_of_the_body_what_is_read(self) -> None:
        around = {"replay-name": "again", "resources": ["arn:rule"]}
        detail = {
            "topicName": "v2.detail.events.conversation.c-1.acw",
            "version": "2",
            "metadata": {"CorrelationId": "correlation-1", "user": "private-user"},
            "timestamp": "2025-12-12T15:15:08Z",
        }
        whole = json.loads(raw("acw", envelope=around, outboundCampaignId="campaign-1"))
        whole["detail"] |= detail
        kept = json.loads(needed(json.dumps(whole).encode()))
        body = {
            "eventTime": 1_765_552_507_657,
            "conversationId": "c-1",
            "participantId": "p-1",
            "sessionId": "s-1",
            "mediaType": "VOICE",
            "userId": "u-1",
            "queueId": "q-1",
            "interactingDurationMs": 60_000,
            "heldDurationMs": 500,
            "wrapupCode": "code-7",
            "outboundCampaignId": "campaign-1",
        }
        metadata = {"CorrelationId": "correlation-1"}
        assert kept == whole | {"detail": detail | {"metadata": metadata, "eventBody": body}}

    @given(st.dictionaries(st.sampled_from([*BODY, "outboundCampaignId"]), values | texts))
    def test_whatever_is_taken_reads_the_same(self, fields: dict[str, Any]) -> None:
        body = raw("acw", **fields)
        try:
            event = parse_conversation_event(body)
        except EnvelopeError:
            return
        assert parse_conversation_event(needed(body)) == event


@given(st.binary() | values.map(lambda value: json.dumps(value).encode()))
def test_whatever_comes_is_an_event_none_or_an_envelope_error(body: bytes) -> None:
    named = readable_conversation_id(body)
    try:
        event = parse_conversation_event(body)
    except EnvelopeError as error:
        assert 0 < len(str(error)) <= 200
        assert str(error).isprintable()
        return
    assert event is None or event.conversation_id == named
