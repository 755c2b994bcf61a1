"""Input that means harm: what is no JSON, what is nested or long, and text without bytes."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from streams.core.envelope import DEEPEST, TEXT_MAX_LENGTH, InteractionEvent, parse
from tests.support.envelopes import around, body, event, refusal, sequence, unread


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
