"""The contract's "Event in", rule by rule, and input that means harm."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.envelope import (
    DEEPEST,
    TEXT_MAX_LENGTH,
    InteractionEvent,
    parse,
    readable_interaction_id,
)
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
    assert_is_one_short_line(str(caught.value))
    return caught.value


def assert_is_one_short_line(message: str) -> None:
    assert 0 < len(message) <= 200
    assert message.isprintable()


def unread(token: bytes) -> bytes:
    """A good event with this JSON in members that nobody reads, above and in the detail."""
    return b'{"detail-type":"%s","x":%s,"detail":{"interactionId":"i-1","sequenceId":7,"x":%s}}' % (
        UPDATE.encode(),
        token,
        token,
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
        b'{"interactionId":"a","sequenceId":1,"x":NaN}',
        b'{"interactionId":"a","sequenceId":01}',
        b'{"interactionId":"a","sequenceId":1,"x":-Infinity}',
        b'{"interactionId":"a","sequenceId":1,"x":"\\u00g0"}',
        b'{"interactionId":"a","sequenceId":1,"x":"\\q"}',
        b'{"interactionId":"a","sequenceId":1,"x":"\xed\xa0\xbd"}',
        b'{"interactionId":"a","sequenceId":1,"x":1.}',
        b'{"interactionId":"a","sequenceId":1,"x":[1,]}',
        b'{"interactionId":"a","sequenceId":1,}',
        b"[" * 200_000,
        b'{"detail":' * 50_000,
        b'{"interactionId":"a","sequenceId":1,"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
    ids=lambda value: repr(value[:45]),
)
def test_hostile_bytes_are_refused_as_a_whole(hostile: bytes) -> None:
    assert refusal(hostile).field is None


@pytest.mark.parametrize(
    "token",
    [
        rb'"a\ud83d"',
        rb'"\udc00\ud83d"',
        rb'{"\ud800":[{"\udfff":"\ud800"}]}',
        rb'"\u0000\b\/\uFFFF"',
        b"1e999",
        b"-1e-999",
        b"9" * 5000,
        b"-" + b"9" * 100_000,
        b"0." + b"1" * 100_000,
        b'{"a":1,"a":2,"":null}',
        b"[" * 400 + b"]" * 400,
        b'"' + b"[" * 10_000 + b'"',
        b'"' + rb"\"{[" * 10_000 + b'"',
        b"[" + b"[]," * 10_000 + b"{}]",
        b'" \xc2\x85\xe2\x80\xa8\x7f"',
    ],
    ids=lambda token: repr(token[:20]),
)
def test_what_nobody_reads_is_not_judged_as_long_as_it_is_json(token: bytes) -> None:
    assert event(unread(token)) == event(unread(b"0"))
    assert (
        parse(b'{"detail-type":%s}' % token if token[:1] == b'"' else b'{"detailType":""}') is None
    )


@pytest.mark.parametrize("within", [b"[%s]", b'{"x":%s}', b'["}",{"\\"":%s}]'])
def test_nesting_has_a_limit_of_its_own_whatever_the_stack(within: bytes) -> None:
    def nested(levels: int) -> bytes:
        opening, closing = within.split(b"%s")
        each = 2 if within[:2] == b'["' else 1
        times = (levels - 1) // each
        return b'{"interactionId":"i","sequenceId":1,"x":' + (
            opening * times + b"1" + closing * times + b"}"
        )

    def at_the_end_of_a_stack(frames: int) -> InteractionEvent:
        return event(nested(DEEPEST)) if frames == 0 else at_the_end_of_a_stack(frames - 1)

    # A stack of its own, so that it is as deep as it says.
    found: list[InteractionEvent] = []
    thread = threading.Thread(target=lambda: found.append(at_the_end_of_a_stack(300)))
    thread.start()
    thread.join()
    assert found == [event(nested(1))]
    for levels in (DEEPEST + 2, 900, 5000, 100_000):
        assert "nested more than 500 levels deep" in str(refusal(nested(levels)))


def test_of_a_name_that_is_there_twice_the_last_one_counts() -> None:
    twice = b'{"interactionId":"a","sequenceId":1,"interactionId":"b","sequenceId":"2"}'
    assert (event(twice).interaction_id, event(twice).order) == ("b", 2)
    assert readable_interaction_id(twice) == "b"


class TestTextThatCannotBeEncoded:
    """Half a surrogate pair is legal JSON, and UTF-8 has no bytes for it."""

    @pytest.mark.parametrize("name", ["id", "time", "source"])
    def test_is_replaced_in_what_is_kept_of_the_envelope(self, name: str) -> None:
        parsed = event(around(**{name: "a\ud83d\udc00\ud83d"}))
        kept = {"id": parsed.event_id, "time": parsed.event_time, "source": parsed.source}
        # The first two are a pair, and so a character.
        assert kept[name] == "a\U0001f400\ufffd"

    def test_is_replaced_in_type_and_state(self) -> None:
        parsed = event(body(interactionType="VOICE\ud83d", state="\udc00"))
        assert (parsed.interaction_type, parsed.state) == ("voice\ufffd", "\ufffd")

    def test_what_can_be_encoded_is_kept_as_received(self) -> None:
        odd = " a  b\x00\n\x1b[31m\u2028\x85 "
        assert event(around(id=odd)).event_id == odd

    def test_two_sequence_ids_never_become_one(self) -> None:
        """Replaced, the second would be the first one's duplicate, and its event lost."""
        for half in ("\\ud83d", "\\ud83e"):
            assert refusal(sequence(f'"{half}"')).field == "sequenceId"

    def test_makes_no_interaction_id(self) -> None:
        assert refusal(body(interactionId="a\ud83d")).field == "interactionId"


@pytest.mark.parametrize("name", ["interactionType", "state"])
def test_text_that_grows_when_it_is_lowered_is_bounded_all_the_same(name: str) -> None:
    parsed = event(body(**{name: "\u0130" * TEXT_MAX_LENGTH}))
    lowered = parsed.state if name == "state" else parsed.interaction_type
    assert lowered is not None
    assert len(lowered) == TEXT_MAX_LENGTH


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


# Any text that JSON can write, one half of a surrogate pair and what grows when lowered included.
# As often as any other: hypothesis alone would draw them once in a thousand.
odd_characters = st.sampled_from(["\u0130", "\ud83d", "\udc00", "\x00", " ", "\x85"])
texts = st.lists(odd_characters | st.characters(codec=None), max_size=140).map("".join)
long_texts = st.builds(lambda text, times: text * times, texts, st.sampled_from([1, 9, 300]))

# JSON that looks like an event from afar, so that the search gets past the first check.
names = st.sampled_from([*ENVELOPE, *DETAIL, "detailType", "x"]) | texts
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**140), 10**140)
    | st.floats(allow_nan=False, allow_infinity=False)
    | long_texts
    | st.sampled_from(
        [UPDATE, "voice", "completed", "7", 0, -1, 10**30, DETAIL, DETAIL | {"state": 1}]
    )
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=8),
    max_leaves=20,
)
details = st.fixed_dictionaries(
    {
        "interactionId": st.just("i-1") | leaves,
        "sequenceId": st.integers() | texts | leaves,
    },
    optional={"interactionType": long_texts, "state": long_texts, "x": values},
)
events = st.fixed_dictionaries(
    {"detail-type": st.just(UPDATE) | leaves, "detail": details | leaves},
    optional={"id": long_texts, "time": long_texts, "source": long_texts | leaves, "x": values},
)
documents = (values | details | events | st.dictionaries(names, values)).flatmap(
    lambda value: st.sampled_from(
        [
            json.dumps(value).encode(),
            json.dumps(value, indent=1, separators=(" , ", " :\t")).encode(),
        ]
    )
)


def assert_is_bounded_and_can_be_sent_on(parsed: InteractionEvent) -> None:
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", parsed.interaction_id)
    assert type(parsed.sequence_id) in (int, str)
    assert 1 <= len(str(parsed.sequence_id)) <= 128
    assert parsed.order is None or type(parsed.order) is int
    if isinstance(parsed.sequence_id, int):
        assert parsed.order == parsed.sequence_id
    kept = (
        parsed.interaction_type,
        parsed.state,
        parsed.event_id,
        parsed.event_time,
        parsed.source,
    )
    for text in kept:
        assert text is None or (type(text) is str and len(text) <= TEXT_MAX_LENGTH)
    msgspec.json.encode([parsed.sequence_id, *kept])


@given(
    st.binary()
    | documents
    | st.tuples(documents, st.integers(0), st.binary(max_size=3)).map(
        lambda parts: parts[0][: parts[1] % (len(parts[0]) + 1)] + parts[2]
    )
)
def test_whatever_comes_is_an_event_none_or_an_envelope_error(text: bytes) -> None:
    named = readable_interaction_id(text)
    try:
        parsed = parse(text)
    except EnvelopeError as error:
        assert_is_one_short_line(str(error))
        return
    if parsed is not None:
        assert_is_bounded_and_can_be_sent_on(parsed)
        assert parsed.interaction_id == named


kept_texts = st.fixed_dictionaries(
    dict.fromkeys(["interactionType", "state", "id", "time", "source"], long_texts)
)


@given(kept_texts)
def test_what_is_kept_of_an_event_is_bounded_and_can_be_sent_on(kept: dict[str, str]) -> None:
    # Two halves that belong together are one character once JSON was read.
    kept = json.loads(json.dumps(kept))
    flat = {"interactionId": "i-1", "sequenceId": 1} | kept
    if any(len(text) > TEXT_MAX_LENGTH for text in kept.values()):
        assert len(kept[str(refusal(json.dumps(flat).encode()).field)]) > TEXT_MAX_LENGTH
        return
    parsed = event(json.dumps(flat).encode())
    assert_is_bounded_and_can_be_sent_on(parsed)
    for name, text in (("id", parsed.event_id), ("source", parsed.source)):
        assert text == kept[name] or "\ufffd" in str(text)


@given(documents)
def test_no_json_is_refused_as_none(text: bytes) -> None:
    try:
        parse(text)
    except EnvelopeError as error:
        assert "not JSON" not in str(error)
        assert error.field is not None or not isinstance(json.loads(text), dict)


@given(values)
def test_no_json_in_an_unread_field_changes_what_is_read(value: Any) -> None:
    assert event(unread(json.dumps(value).encode())) == event(unread(b"0"))


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", fullmatch=True), st.integers())
def test_every_good_event_is_read_in_both_shapes(interaction_id: str, number: int) -> None:
    for shape in ("enveloped", "flat"):
        for given_id in (number, str(number)):
            parsed = event(body(shape, interactionId=interaction_id, sequenceId=given_id))
            assert parsed.interaction_id == interaction_id
            assert (parsed.sequence_id, parsed.order) == (given_id, number)
