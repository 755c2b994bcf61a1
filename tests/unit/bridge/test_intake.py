from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.bridge.intake import Accepted, Malformed, Skipped, judge_interaction
from streams.core.envelope import UPDATE_DETAIL_TYPE


def event(**detail: Any) -> bytes:
    fields = {"interactionId": "i-1", "sequenceId": 1, "interactionType": "voice"} | detail
    return json.dumps({"detail-type": UPDATE_DETAIL_TYPE, "id": "e", "detail": fields}).encode()


class TestJudge:
    def test_an_event_is_accepted(self) -> None:
        verdict = judge_interaction(event())
        assert isinstance(verdict, Accepted)
        assert verdict.value == event()
        assert verdict.interaction_id == "i-1"

    def test_another_detail_type_is_skipped_whatever_its_detail(self) -> None:
        assert judge_interaction(b'{"detail-type": "v2.detail.events.x", "detail": 7}') == Skipped()

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            (b"", None),
            (b"not json", None),
            (b"\xff\xfe", None),
            (b"\x00" * 16, None),
            (b"[" * 500_000, None),
            (b"[1, 2]", None),
            (b"null", None),
            (event(interactionId="../../oauth/token"), "interactionId"),
            (event(interactionId=""), "interactionId"),
            (event(interactionId="a" * 10_000), "interactionId"),
            (event(interactionId="a\x00b"), "interactionId"),
            (event(interactionId=None), "interactionId"),
            (event(interactionId=7), "interactionId"),
            (event(sequenceId=None), "sequenceId"),
            (event(sequenceId=True), "sequenceId"),
            (event(sequenceId=1.5), "sequenceId"),
            (event(sequenceId=""), "sequenceId"),
            (event(sequenceId="9" * 129), "sequenceId"),
            (event(sequenceId=int("9" * 4000)), "sequenceId"),
            (event().replace(b": 1,", b": 1e3,"), "sequenceId"),
        ],
        ids=lambda value: repr(value)[:40],
    )
    def test_what_is_no_event_is_malformed_in_a_field_or_as_a_whole(
        self, body: bytes, field: str | None
    ) -> None:
        verdict = judge_interaction(body)
        assert isinstance(verdict, Malformed)
        assert verdict.field == field
        assert verdict.error

    @pytest.mark.parametrize("sequence_id", [0, -1, "007", "a b", "x" * 128, 10**40])
    def test_unusual_sequence_ids_that_are_allowed(self, sequence_id: int | str) -> None:
        assert isinstance(judge_interaction(event(sequenceId=sequence_id)), Accepted)

    @given(
        st.binary()
        | st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
            lambda inner: (
                st.lists(inner)
                | st.dictionaries(
                    st.sampled_from(["detail", "detail-type", "interactionId", "sequenceId", "id"]),
                    inner | st.just(UPDATE_DETAIL_TYPE),
                )
            ),
        ).map(lambda value: json.dumps(value).encode())
    )
    def test_never_raises(self, body: bytes) -> None:
        assert isinstance(judge_interaction(body), Accepted | Skipped | Malformed)


@pytest.mark.parametrize(
    ("wrong", "interaction_id"),
    [
        ({"sequenceId": None}, "call-17"),
        ({"sequenceId": 1.5}, "call-17"),
        ({"state": 7}, "call-17"),
        ({"interactionType": "x" * 2000}, "call-17"),
        ({"interactionId": "../call-17"}, None),
        ({"interactionId": None}, None),
    ],
)
def test_what_is_refused_of_an_interaction_is_under_its_key(
    wrong: dict[str, Any], interaction_id: str | None
) -> None:
    verdict = judge_interaction(event(**{"interactionId": "call-17"} | wrong))
    assert isinstance(verdict, Malformed)
    assert verdict.interaction_id == interaction_id
    key = verdict.dead_letter(b"bytes", 0.0).key
    assert key == (interaction_id.encode() if interaction_id is not None else None)


def test_a_dead_letter_has_the_bytes_untouched_and_the_contracts_headers() -> None:
    letter = Malformed("not JSON", None).dead_letter(b"\x00raw", 1765552507.657)
    assert (letter.key, letter.value) == (None, b"\x00raw")
    assert dict(letter.headers()) == {
        "dlq.schema-version": b"1",
        "dlq.reason": b"malformed-event",
        "dlq.message": b"not JSON",
        "dlq.stage": b"bridge",
        "dlq.attempts": b"1",
        "dlq.failed-at": b"2025-12-12T15:15:07.657Z",
    }
