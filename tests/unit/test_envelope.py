"""The contract's "Event in", rule by rule, and input that means harm."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.envelope import InteractionEvent, parse
from streams.errors import EnvelopeError

UPDATE = "purecloud:v2:interaction:update"

DETAIL: dict[str, Any] = {
    "interactionId": "11111111-2222-3333-4444-555555555555",
    "sequenceId": 7,
    "interactionType": "voice",
    "state": "completed",
}

ENVELOPE: dict[str, Any] = {
    "version": "0",
    "id": "e-1",
    "detail-type": UPDATE,
    "source": "aws.partner/genesys.com/cloud/org/suffix",
    "account": "123456789012",
    "time": "2025-12-12T15:15:07Z",
    "region": "eu-central-1",
    "resources": [],
    "detail": DETAIL,
}

BOTH_SHAPES = pytest.mark.parametrize("shape", ["enveloped", "flat"])


def body(shape: str = "enveloped", **fields: Any) -> bytes:
    """An event with these fields of the detail instead of the usual ones; None leaves one out."""
    detail = {name: value for name, value in (DETAIL | fields).items() if value is not None}
    return json.dumps(ENVELOPE | {"detail": detail} if shape == "enveloped" else detail).encode()


def around(**fields: Any) -> bytes:
    """An event with these fields of the envelope instead of the usual ones; None leaves one out."""
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    whole = {name: value for name, value in (ENVELOPE | named).items() if value is not None}
    return json.dumps(whole).encode()


def sequence(token: str) -> bytes:
    """A flat event whose sequenceId is this JSON, to the letter."""
    return b'{"interactionId":"i-1","sequenceId":%s}' % token.encode()


def event(text: bytes) -> InteractionEvent:
    parsed = parse(text)
    assert parsed is not None
    return parsed


def refusal(text: bytes) -> EnvelopeError:
    with pytest.raises(EnvelopeError) as caught:
        parse(text)
    assert "\n" not in str(caught.value)
    return caught.value


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


@pytest.mark.parametrize("name", ["interactionType", "state"])
@pytest.mark.parametrize("bad", [1, False, [], {}])
def test_type_and_state_must_be_strings(name: str, bad: Any) -> None:
    assert refusal(body(**{name: bad})).field == name


@pytest.mark.parametrize("name", ["id", "time", "source"])
def test_what_is_copied_from_the_envelope_must_be_a_string(name: str) -> None:
    assert refusal(around(**{name: 5})).field == name


@pytest.mark.parametrize(
    "hostile",
    [
        b"",
        b" ",
        b"not JSON",
        b"null",
        b"5",
        b'"text"',
        b"[]",
        b"[" + body() + b"]",
        body()[:-1],
        body() + b"x",
        body() + body(),
        b"\xef\xbb\xbf" + body(),
        body().decode().encode("utf-16"),
        b"\x00" * 1000,
        b'{"interactionId":"a","sequenceId":1,"x":"\xff"}',
        b'{"interactionId":"a","sequenceId":1,"x":"\x00"}',
        b'{"interactionId":"a","sequenceId":1,"x":"\\ud800"}',
        b'{"interactionId":"a","sequenceId":1,"x":NaN}',
        b'{"interactionId":"a","sequenceId":01}',
        b'{"interactionId":"a","sequenceId":' + b"9" * 5000 + b"}",
        b'{"interactionId":"a","sequenceId":1,"x":' + b"9" * 5000 + b"}",
        b'{"interactionId":"a","sequenceId":1,"x":1e999}',
        b"[" * 200_000,
        b'{"detail":' * 50_000,
        b'{"interactionId":"a","sequenceId":1,"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
    ids=lambda value: repr(value[:45]),
)
def test_hostile_bytes_are_refused_as_a_whole(hostile: bytes) -> None:
    assert refusal(hostile).field is None


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (around, "id"),
        (around, "time"),
        (around, "source"),
        (body, "interactionType"),
        (body, "state"),
    ],
)
def test_text_that_is_kept_has_a_limit(made: Callable[..., bytes], name: str) -> None:
    """It goes into outcomes and the table, whose topics take no records of any size."""
    assert event(made(**{name: "é" * 1024}))

    refused = refusal(made(**{name: "é" * 1025}))

    assert refused.field == name
    assert "at most 1024 characters" in str(refused)


def test_two_mebibytes_of_event_are_an_event() -> None:
    assert event(body(padding="x" * 2**21)) == event(body())


# JSON that looks like an event from afar, so that the search gets past the first check.
names = st.sampled_from([*ENVELOPE, *DETAIL, "detailType", "x"])
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=140)
    | st.sampled_from(
        [UPDATE, "voice", "completed", "7", 0, -1, 10**30, DETAIL, DETAIL | {"state": 1}]
    )
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=8),
    max_leaves=20,
)
# `json.dumps` writes a lone surrogate as an escape, which is JSON to some readers and not to us.
documents = (values | st.dictionaries(names, values)).map(lambda value: json.dumps(value).encode())


@given(
    st.binary()
    | documents
    | st.tuples(documents, st.integers(0), st.binary(max_size=3)).map(
        lambda parts: parts[0][: parts[1] % (len(parts[0]) + 1)] + parts[2]
    )
)
def test_whatever_comes_is_an_event_none_or_an_envelope_error(text: bytes) -> None:
    try:
        parsed = parse(text)
    except EnvelopeError as error:
        assert str(error)
        return
    if parsed is None:
        return
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", parsed.interaction_id)
    assert type(parsed.sequence_id) in (int, str)
    if isinstance(parsed.sequence_id, str):
        assert 1 <= len(parsed.sequence_id) <= 128
    else:
        assert parsed.order == parsed.sequence_id
    json.dumps([parsed.sequence_id, parsed.state, parsed.event_id]).encode()
    for text_field in (parsed.interaction_type, parsed.state, parsed.event_id, parsed.event_time):
        assert text_field is None or isinstance(text_field.encode(), bytes)


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", fullmatch=True), st.integers())
def test_every_good_event_is_read_in_both_shapes(interaction_id: str, number: int) -> None:
    for shape in ("enveloped", "flat"):
        for given_id in (number, str(number)):
            parsed = event(body(shape, interactionId=interaction_id, sequenceId=given_id))
            assert parsed.interaction_id == interaction_id
            assert (parsed.sequence_id, parsed.order) == (given_id, number)
