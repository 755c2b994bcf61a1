"""The schema of a conversation's event accepts what the parser accepts, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from streams.core.conversations.events import (
    DETAIL_TYPE_PREFIX,
    EventName,
    needed,
    parse_conversation_event,
)
from streams.core.envelope import UPDATE_DETAIL_TYPE
from streams.errors import EnvelopeError
from tests.support.examples import times

Schema = Callable[..., Draft202012Validator]

ABSENT = "-"
junk: st.SearchStrategy[Any] = st.sampled_from(
    [ABSENT, None, True, 0, 7, -1, "", "text", "x" * 129, "x" * 1025, [], {}, "../up"]
)
ids = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", fullmatch=True)
moments = st.integers(0, 253_402_300_799_999) | st.sampled_from(
    ["2025-12-12T15:15:07Z", "2025-12-12T15:15:07.657Z", "2025-12-12T16:15:07.6+01:00"]
)
texts: st.SearchStrategy[Any] = st.sampled_from([ABSENT, None, "text"]) | junk
names = st.sampled_from([f"{DETAIL_TYPE_PREFIX}{name}" for name in EventName])
detail_types: st.SearchStrategy[Any] = (
    names
    | names
    | st.sampled_from(
        [ABSENT, None, 5, "another", UPDATE_DETAIL_TYPE, f"{DETAIL_TYPE_PREFIX}user.start"]
    )
)


def members(**strategies: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with these members, those left out that are drawn as absent."""
    return st.fixed_dictionaries(strategies).map(
        lambda drawn: {name: value for name, value in drawn.items() if value != ABSENT}
    )


bodies = members(
    conversationId=ids | ids | junk,
    eventTime=moments | moments | junk,
    participantId=texts,
    sessionId=texts,
    mediaType=texts,
    wrapupCode=texts,
    userId=texts,
    queueId=texts,
    interactingDurationMs=junk,
    heldDurationMs=junk,
    outboundCampaignId=texts,
    ani=junk,
)
details = members(eventBody=bodies | bodies | bodies | junk, metadata=junk)


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    event = draw(
        members(
            id=texts,
            time=texts,
            source=texts,
            resources=junk,
            detail=details | details | details | junk,
            detailType=detail_types,
        )
    )
    dashed = draw(detail_types)
    if dashed != ABSENT:
        # With EventBridge's own spelling there the parser does not look at the other.
        event["detail-type"] = dashed
        if dashed is not None:
            event.pop("detailType", None)
    return event


@settings(max_examples=times(4))
@given(events())
def test_the_schema_accepts_what_the_parser_accepts(schema: Schema, event: dict[str, Any]) -> None:
    body = json.dumps(event).encode()
    try:
        accepted = parse_conversation_event(body) is not None
    except EnvelopeError:
        accepted = False
    assert schema("conversation-event").is_valid(event) == accepted
    if accepted:
        assert schema("conversation-event").is_valid(json.loads(needed(body)))
