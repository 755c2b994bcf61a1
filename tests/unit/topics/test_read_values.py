"""The event schema accepts what the parser accepts, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from streams.core.envelope import UPDATE_DETAIL_TYPE, parse
from streams.errors import EnvelopeError
from tests.support.examples import times

Schema = Callable[..., Draft202012Validator]

ids = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", fullmatch=True)
numbers = st.integers(-(10**127) + 1, 10**128 - 1)
opaques = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=128)

ABSENT = "-"
junk: st.SearchStrategy[Any] = st.sampled_from(
    [ABSENT, None, True, 0, 7, "", "007", "abc", "x" * 129, [], {}, "../up"]
)


def members(**strategies: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with these members, those left out that are drawn as absent."""
    return st.fixed_dictionaries(strategies).map(
        lambda drawn: {name: value for name, value in drawn.items() if value != ABSENT}
    )


changes = members(
    interactionId=ids | ids | junk,
    sequenceId=numbers | opaques | junk,
    interactionType=st.just("voice") | junk,
    state=st.just("completed") | junk,
    more=junk,
)
texts_or_not: st.SearchStrategy[Any] = st.sampled_from(
    [ABSENT, ABSENT, None, "text", "text", 5, {}]
)
detail_types = st.sampled_from([ABSENT, None, UPDATE_DETAIL_TYPE, UPDATE_DETAIL_TYPE, "another", 5])


@st.composite
def events(draw: st.DrawFn) -> object:
    envelope: dict[str, Any] = draw(
        members(
            id=texts_or_not,
            time=texts_or_not,
            source=texts_or_not,
            version=junk,
            detail=st.just(ABSENT) | changes | junk,
            detailType=detail_types,
        )
    )
    dashed = draw(detail_types)
    if dashed != ABSENT:
        # With EventBridge's own spelling there the parser does not look at the other.
        envelope["detail-type"] = dashed
        if dashed is not None:
            envelope.pop("detailType", None)
    if not isinstance(envelope.get("detail"), dict) or draw(st.booleans()):
        envelope = draw(changes) | envelope
    return envelope


@settings(max_examples=times(4))
@given(events())
def test_the_event_schema_accepts_what_the_parser_accepts(schema: Schema, event: object) -> None:
    try:
        accepted = parse(json.dumps(event).encode()) is not None
    except EnvelopeError:
        accepted = False
    assert schema("event").is_valid(event) == accepted
