"""A conversation as the API shows it, made into plain values."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from streams.core.conversations.conversation import (
    Communication,
    Conversation,
    Participant,
    WrapUp,
)
from streams.core.foreign_text import REPLACEMENT
from streams.errors import BadRequest
from streams.genesys.answers import CODE_MAX_LENGTH, Answer
from streams.genesys.conversation_reading import ID_MAX_LENGTH, MEDIA
from streams.genesys.conversations import Conversations
from streams.timestamps import epoch_ms
from tests.support.conversations import agent, conversation

DIALECT = Conversations("participant", keep_end_time=True)


def read(body: Any, status: int = 200, **headers: str) -> Conversation:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = Answer.received(status, CIMultiDict(named), content, now=0)
    return DIALECT.read_conversation(answer, "c-1")


def leg(**more: Any) -> Participant:
    (participant,) = read(conversation(agent(**more))).participants
    return participant


def test_the_whole_conversation() -> None:
    wrap_up = {"code": "ININ-WRAP-UP-TIMEOUT", "notes": "", "durationSeconds": 60}
    call = {"id": "call-1", "state": "Terminated", "connectedTime": "2026-03-02T09:00:25Z"}
    reading = read(
        conversation(
            agent(calls=[call | {"wrapup": wrap_up}], wrapup=wrap_up),
            startTime="2026-03-02T09:00:00Z",
            endTime="2026-03-02T09:03:20.100Z",
        )
    )
    timeout = WrapUp("ININ-WRAP-UP-TIMEOUT", provisional=False)
    assert reading == Conversation(
        id="c-1",
        ended_at=1_772_442_200_100,
        campaign=False,
        participants=(
            Participant(
                id="p-1",
                purpose="agent",
                user_id="u-1",
                queue_id="q-1",
                connected_at=1_772_442_025_000,
                ended_at=1_772_442_200_100,
                wrapup_required=True,
                wrapup_prompt="timeout",
                wrapup_timeout_ms=120_000,
                acw_started_at=1_772_442_200_100,
                acw_ended_at=None,
                wrap_up=timeout,
                communications=(
                    Communication(
                        "call-1", "voice", "terminated", 1_772_442_025_000, None, timeout
                    ),
                ),
            ),
        ),
    )


@pytest.mark.parametrize(("name", "medium"), MEDIA.items())
def test_every_list_of_communications_is_read(name: str, medium: str) -> None:
    of_the_medium = {"calls": None, name: [{"id": "x", "state": "connected"}]}
    participant = leg(**of_the_medium)
    assert [(each.medium, each.state) for each in participant.communications] == [
        (medium, "connected")
    ]


def test_what_is_not_there_is_none() -> None:
    reading = read({"id": "c-1", "participants": [{"id": "p-1"}]})
    (participant,) = reading.participants
    assert not participant.wrapup_required
    assert participant.communications == ()
    assert (participant.purpose, participant.user_id, participant.wrap_up) == ("", None, None)


@pytest.mark.parametrize(
    ("wrap_up", "expected"),
    [
        (None, None),
        ({}, None),
        ({"code": ""}, None),
        ({"code": None, "notes": "x"}, None),
        ({"code": "c"}, WrapUp("c", provisional=False)),
        ({"code": "c", "provisional": True}, WrapUp("c", provisional=True)),
        ({"provisional": True}, WrapUp(None, provisional=True)),
        ({"code": " \n"}, WrapUp(REPLACEMENT, provisional=False)),
    ],
)
def test_a_wrap_up(wrap_up: Any, expected: WrapUp | None) -> None:
    assert leg(wrapup=wrap_up).wrap_up == expected


@pytest.mark.parametrize(
    "where",
    [
        {"outboundCampaignId": "k-1"},
        {"participants": [agent(outboundCampaignId="k-1")]},
        {"participants": [agent(calls=[{"outboundCampaignId": "k-1"}])]},
        {"participants": [agent(attributes={"dialerCampaignId": "k-1"})]},
    ],
)
def test_a_campaign_is_found_wherever_it_shows(where: dict[str, Any]) -> None:
    assert read(conversation() | where).campaign
    assert not read(conversation()).campaign


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "c-2"},
        {"id": None},
        {"participants": None},
        {"participants": {}},
        {"participants": ["p-1"]},
        {"participants": [{}]},
        {"participants": [agent(id=5)]},
        {"participants": [agent(id="p" * (ID_MAX_LENGTH + 1))]},
        {"participants": [agent(id="p\n1")]},
        {"participants": [agent(purpose=["agent"])]},
        {"participants": [agent(wrapupRequired="true")]},
        {"participants": [agent(wrapup="x")]},
        {"participants": [agent(wrapup={"code": 5})]},
        {"participants": [agent(wrapup={"code": "x", "provisional": 1})]},
        {"participants": [agent(calls={})]},
        {"participants": [agent(calls=[None])]},
        {"participants": [agent(calls=[{"state": 1}])]},
    ],
    ids=repr,
)
def test_what_decides_must_be_of_its_type(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match=r"not the conversation .*GENESYS_API"):
        read(conversation() | wrong)


def test_a_get_promises_200() -> None:
    with pytest.raises(BadRequest):
        read(conversation(), status=202)


def test_a_compressed_body_that_is_not_read_is_named() -> None:
    with pytest.raises(BadRequest, match="compressed, br, though identity was asked for"):
        read(b"\x1b\x00", Content_Encoding="br")


@pytest.mark.parametrize("value", ["soon", None, True, [], {}, float("1e400")])
def test_a_time_that_can_not_be_read_is_none(value: Any) -> None:
    body = json.dumps(conversation(agent(startAcwTime=value, wrapupTimeoutMs=value)))
    (participant,) = read(body.replace("Infinity", "1e400").encode()).participants
    assert (participant.acw_started_at, participant.wrapup_timeout_ms) == (None, None)


@pytest.mark.parametrize(("value", "expected"), [(-5, 0), (0, 0), (1e300, 315_360_000_000)])
def test_a_time_out_beyond_sense_is_bounded(value: float, expected: int) -> None:
    assert leg(wrapupTimeoutMs=value).wrapup_timeout_ms == expected


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
fields = st.sampled_from([*agent(), *MEDIA, "wrapup", "attributes", "endAcwTime"])


@given(st.dictionaries(fields, json_values, min_size=1))
def test_any_participant_is_read_or_a_bad_request(wrong: dict[str, Any]) -> None:
    try:
        participant = leg(**wrong)
    except BadRequest:
        return
    assert participant.id is None or 0 < len(participant.id) <= ID_MAX_LENGTH
    assert participant.purpose is not None
    assert participant.purpose.isprintable()


any_text = st.text(st.characters(codec="utf-8"))


@given(any_text, st.integers(1, 200))
def test_what_is_kept_is_bounded_and_printable(code: str, n: int) -> None:
    wrap_up = leg(wrapup={"code": code * n}).wrap_up
    assert (wrap_up is None) == (code == "")
    if wrap_up is not None:
        assert wrap_up.code is not None
        assert wrap_up.code.isprintable()
        assert len(wrap_up.code) <= CODE_MAX_LENGTH


def test_times_are_in_milliseconds() -> None:
    assert leg(endAcwTime="2026-03-02T10:05:20.123+01:00").acw_ended_at == epoch_ms(
        "2026-03-02T09:05:20.123Z"
    )
