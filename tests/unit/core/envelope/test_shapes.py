"""The contract's "Event in": envelope, detail and detail type."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streams.core.envelope import InteractionEvent, parse, readable_interaction_id
from tests.support.envelopes import (
    BOTH_SHAPES,
    DETAIL,
    ENVELOPE,
    UPDATE,
    around,
    body,
    event,
    refusal,
)


class TestShapes:
    def test_an_enveloped_event(self) -> None:
        assert event(body()) == InteractionEvent(
            interaction_id=DETAIL["interactionId"],
            sequence_id=7,
            order=7,
            interaction_type="voice",
            state="completed",
            event_id="e-1",
            event_time="2025-12-12T15:15:07Z",
            source="aws.partner/genesys.com/cloud/org/suffix",
        )

    def test_a_body_without_detail_whose_top_level_has_the_fields(self) -> None:
        parsed = event(json.dumps(DETAIL | {"id": "e-2", "time": "2025-12-12T15:15:08Z"}).encode())
        assert parsed.interaction_id == DETAIL["interactionId"]
        assert (parsed.sequence_id, parsed.interaction_type, parsed.state) == (
            7,
            "voice",
            "completed",
        )
        assert (parsed.event_id, parsed.event_time) == ("e-2", "2025-12-12T15:15:08Z")

    def test_a_flat_body_may_name_its_detail_type(self) -> None:
        assert event(json.dumps(DETAIL | {"detail-type": UPDATE}).encode()).order == 7

    def test_the_detail_wins_over_the_top_level(self) -> None:
        parsed = event(around(interactionId="other", sequenceId=9, state="queued"))
        assert parsed == event(body())

    def test_the_top_level_does_not_fill_in_what_the_detail_lacks(self) -> None:
        assert refusal(around(detail={"sequenceId": 1}, interactionId="i")).field == "interactionId"

    @BOTH_SHAPES
    def test_more_fields_are_let_be(self, shape: str) -> None:
        assert event(body(shape, queue={"id": [1, None, 2.5]}, extra="x")) == event(body(shape))

    @BOTH_SHAPES
    def test_only_the_two_ids_are_required(self, shape: str) -> None:
        parsed = event(body(shape, interactionType=None, state=None))
        assert (parsed.interaction_type, parsed.state) == (None, None)

    def test_the_envelope_needs_no_more_than_its_detail_type(self) -> None:
        parsed = event(json.dumps({"detail-type": UPDATE, "detail": DETAIL}).encode())
        assert (parsed.event_id, parsed.event_time, parsed.source) == (None, None, None)

    def test_type_and_state_are_lowered(self) -> None:
        parsed = event(body(interactionType="VOICE", state="Completed"))
        assert (parsed.interaction_type, parsed.state) == ("voice", "completed")


class TestDetailType:
    @pytest.mark.parametrize("name", ["detail-type", "detailType"])
    def test_is_known_by_either_name(self, name: str) -> None:
        whole = {key: value for key, value in ENVELOPE.items() if key != "detail-type"}
        assert parse(json.dumps(whole | {name: UPDATE}).encode()) == event(body())
        assert parse(json.dumps(whole | {name: "another"}).encode()) is None

    @pytest.mark.parametrize(
        "other",
        [
            "",
            "v2.detail.events.conversation.{id}.user.end",
            UPDATE.upper(),
            f"{UPDATE}d",
            f" {UPDATE}",
        ],
    )
    def test_another_one_is_none_of_our_business(self, other: str) -> None:
        assert parse(around(detail_type=other)) is None
        assert parse(around(detail_type=other, detail="not even an object")) is None

    def test_must_be_a_string(self) -> None:
        assert refusal(around(detail_type=5)).field == "detail-type"

    def test_a_detail_without_one_is_of_no_known_kind(self) -> None:
        assert refusal(around(detail_type=None)).field == "detail-type"

    @pytest.mark.parametrize("detail", [None, "absent"])
    def test_one_without_detail_has_nothing_to_say(self, detail: str | None) -> None:
        whole = ENVELOPE | {"detail": None}
        if detail == "absent":
            del whole["detail"]
        assert refusal(json.dumps(whole).encode()).field == "detail"

    @pytest.mark.parametrize("detail", [[], "text", 5, True])
    def test_a_detail_that_is_no_object_is_wrong(self, detail: Any) -> None:
        assert refusal(around(detail=detail)).field == "detail"


@pytest.mark.parametrize("name", ["interactionType", "state"])
@pytest.mark.parametrize("bad", [1, False, [], {}])
def test_type_and_state_must_be_strings(name: str, bad: Any) -> None:
    assert refusal(body(**{name: bad})).field == name


@pytest.mark.parametrize("name", ["id", "time", "source"])
def test_what_is_copied_from_the_envelope_must_be_a_string(name: str) -> None:
    assert refusal(around(**{name: 5})).field == name


def test_of_a_name_that_is_there_twice_the_last_one_counts() -> None:
    twice = b'{"interactionId":"a","sequenceId":1,"interactionId":"b","sequenceId":"2"}'
    assert (event(twice).interaction_id, event(twice).order) == ("b", 2)
    assert readable_interaction_id(twice) == "b"
