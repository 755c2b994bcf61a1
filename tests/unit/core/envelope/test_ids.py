"""The contract's "Event in": interactionId and sequenceId."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streams.core.envelope import readable_interaction_id
from tests.support.envelopes import BOTH_SHAPES, DETAIL, around, body, event, refusal, sequence


class TestInteractionId:
    @BOTH_SHAPES
    @pytest.mark.parametrize("good", ["a", "0", "A-b_c.d", "x" * 128, "a..", "0-"])
    def test_is_let_through(self, shape: str, good: str) -> None:
        assert event(body(shape, interactionId=good)).interaction_id == good

    @BOTH_SHAPES
    @pytest.mark.parametrize(
        "bad",
        [
            "",
            ".",
            "..",
            "../../oauth/token",
            "-a",
            "_a",
            "a/b",
            "a%2fb",
            "a?b",
            "a#b",
            "a b",
            "a\n",
            "a\x00",
            "\x00",
            "é",
            "\u0665",
            "x" * 129,
            "x" * 10_000,
        ],
    )
    def test_that_could_leave_its_path_segment_is_refused(self, shape: str, bad: str) -> None:
        assert refusal(body(shape, interactionId=bad)).field == "interactionId"

    @pytest.mark.parametrize("bad", [5, True, [], {}, ["a"]])
    def test_must_be_a_string(self, bad: Any) -> None:
        assert refusal(body(interactionId=bad)).field == "interactionId"

    @BOTH_SHAPES
    def test_is_required(self, shape: str) -> None:
        assert refusal(body(shape, interactionId=None)).field == "interactionId"
        assert refusal(b'{"interactionId":null,"sequenceId":1}').field == "interactionId"


class TestSequenceId:
    @pytest.mark.parametrize(
        ("token", "number"),
        [
            ("0", 0),
            ("-0", 0),
            ("-3", -3),
            (str(2**63), 2**63),
            ("9" * 128, 10**128 - 1),
        ],
    )
    def test_an_integer_is_its_own_order(self, token: str, number: int) -> None:
        parsed = event(sequence(token))
        assert (parsed.sequence_id, parsed.order, parsed.identity) == (number, number, number)

    @pytest.mark.parametrize(
        ("text", "number"), [("0", 0), ("007", 7), ("-5", -5), ("9" * 128, 10**128 - 1)]
    )
    def test_a_decimal_string_is_compared_as_its_number(self, text: str, number: int) -> None:
        parsed = event(sequence(f'"{text}"'))
        assert (parsed.sequence_id, parsed.order, parsed.identity) == (text, number, number)

    @pytest.mark.parametrize(
        "text", ["a", "7a", "+7", "1e3", "1.0", " 7", "7 ", "7\n", "-", "\u0667", "\x00", "é" * 128]
    )
    def test_any_other_string_serves_dedup_alone(self, text: str) -> None:
        parsed = event(sequence(json.dumps(text)))
        assert (parsed.sequence_id, parsed.order, parsed.identity) == (text, None, text)

    @pytest.mark.parametrize(
        "token",
        [
            '""',
            '"' + "a" * 129 + '"',
            '"' + "7" * 129 + '"',
            "9" * 129,
            "-" + "9" * 128,
            "9" * 5000,
            "1e999",
            "-1.5e-3",
            "1E3",
            r'"a\ud83d"',
            r'"\udc00"',
            "1e3",
            "1.0",
            "0.5",
            "true",
            "false",
            "[]",
            "[1]",
            "{}",
        ],
    )
    def test_anything_else_is_refused(self, token: str) -> None:
        assert refusal(sequence(token)).field == "sequenceId"

    @BOTH_SHAPES
    def test_is_required(self, shape: str) -> None:
        assert refusal(body(shape, sequenceId=None)).field == "sequenceId"
        assert str(refusal(sequence("null"))) == "sequenceId is missing"


class TestTheInteractionOfWhatIsNoEvent:
    """An operator who looks for a call finds what was refused of it."""

    @BOTH_SHAPES
    @pytest.mark.parametrize(
        "wrong",
        [
            {"sequenceId": None},
            {"sequenceId": True},
            {"sequenceId": 1.5},
            {"sequenceId": ""},
            {"sequenceId": "9" * 129},
            {"sequenceId": "\ud83d"},
            {"sequenceId": {"interactionId": "other"}},
            {"state": 7},
            {"state": "x" * 1025},
            {"interactionType": ["voice"]},
        ],
        ids=repr,
    )
    def test_is_read_whatever_else_is_wrong(self, shape: str, wrong: dict[str, Any]) -> None:
        spoilt = body(shape, interactionId="call-17", **wrong)
        assert refusal(spoilt).field == next(iter(wrong))
        assert readable_interaction_id(spoilt) == "call-17"

    @pytest.mark.parametrize(
        "wrong",
        [
            {"id": 5},
            {"time": "x" * 1025},
            {"source": []},
            {"detail_type": None},
            {"detail_type": 5},
        ],
        ids=repr,
    )
    def test_is_read_when_its_envelope_is_wrong(self, wrong: dict[str, Any]) -> None:
        spoilt = around(detail=DETAIL | {"interactionId": "call-17"}, **wrong)
        refusal(spoilt)
        assert readable_interaction_id(spoilt) == "call-17"

    @pytest.mark.parametrize(
        "spoilt",
        [
            b"",
            b"null",
            b"[]",
            b'"call-17"',
            b'[{"interactionId":"call-17"}]',
            b'{"interactionId":"call-17"',
            b'{"interactionId":"call-17","x":NaN}',
            b'{"interactionId":"call-17","x":"\xff"}',
            b'{"interactionId":"call-17","x":' + b"[" * 501 + b"]" * 501 + b"}",
            b'\xef\xbb\xbf{"interactionId":"call-17"}',
            b'{"interactionId":null}',
            b'{"interactionId":17}',
            b'{"interactionId":"../call-17"}',
            b'{"interactionId":"call-17\\n"}',
            b'{"interactionId":"call-17\\ud83d"}',
            b'{"other":{"interactionId":"call-17"}}',
            # Where a detail is, the top level has not the interaction's fields.
            b'{"interactionId":"call-17","detail":{"sequenceId":1}}',
            b'{"interactionId":"call-17","detail":[]}',
        ],
        ids=lambda value: repr(value[:45]),
    )
    def test_is_unknown_where_there_is_none_that_is_valid(self, spoilt: bytes) -> None:
        refusal(spoilt)
        assert readable_interaction_id(spoilt) is None
