"""Whatever SQS hands out becomes a message of ours, and no byte of the event is changed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.bridge.sqs.message import (
    COUNT_ATTRIBUTE,
    TRACE_ATTRIBUTE,
    QueueMessage,
    event_bytes,
    receive_count,
    traceparent,
)
from streams.telemetry.tracing import extract_context, inject_context

ROOT = "1-5759e988-bd862e3fe1be46a994272793"
PARENT = "53995c3f42cd8ad8"

# Also half a surrogate pair, which JSON can express and UTF-8 can not.
any_text = st.text(st.characters(codec=None))
any_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(any_text, inner),
    max_leaves=8,
)


def notification(message: object, **fields: object) -> str:
    return json.dumps(
        {"Type": "Notification", "TopicArn": "arn:aws:sns:x:1:t", "Message": message} | fields
    )


@given(
    st.dictionaries(
        st.sampled_from(["ReceiptHandle", "Body", "Attributes", "MessageId"]) | any_text,
        any_value | st.dictionaries(st.sampled_from([COUNT_ATTRIBUTE, TRACE_ATTRIBUTE]), any_value),
    )
)
def test_anything_is_read(raw: dict[str, Any]) -> None:
    message = QueueMessage.read(raw)
    if message is None:
        assert not isinstance(raw.get("ReceiptHandle"), str) or not raw["ReceiptHandle"]
        return
    assert message.receipt == raw["ReceiptHandle"]
    assert message.receive_count >= 1
    assert dict(message.headers) == {"sqs.receive-count": str(message.receive_count).encode()}


@given(any_text)
def test_a_body_is_the_event_byte_for_byte(body: str) -> None:
    raw = {"ReceiptHandle": "r", "Body": body}
    message = QueueMessage.read(raw)
    assert message is not None
    assert message.body.decode("utf-8", "surrogatepass") == body


@given(st.text())
def test_an_envelope_of_sns_is_taken_off(event: str) -> None:
    assert event_bytes(notification(event, Subject=None, MessageId="m")) == event.encode()


@pytest.mark.parametrize(
    "body",
    [
        notification({"not": "text"}),
        notification("x", Type="SubscriptionConfirmation"),
        notification("x", TopicArn=None),
        '{"Type": "Notification", "Message": "x"}',
        '{"Type": "Notification", "TopicArn": "a", "Message": "\\ud83d"}',
        "[" * 100_000,
        "[" + notification("x") + "]",
    ],
    ids=lambda body: body[:60],
)
def test_what_is_no_whole_envelope_stays_as_it_came(body: str) -> None:
    assert event_bytes(body) == body.encode()


@pytest.mark.parametrize(
    ("text", "count"),
    [("1", 1), ("17", 17), ("0", 1), ("-2", 1), ("", 1), (None, 1), (3, 1), ("9" * 99, 1)],
)
def test_the_receive_count(text: object, count: int) -> None:
    assert receive_count(text) == count


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (f"Root={ROOT};Parent={PARENT};Sampled=1", "01"),
        (f"Root={ROOT};Parent={PARENT};Sampled=0", "00"),
        (f"Root={ROOT};Parent={PARENT};Sampled=?", "01"),
        (f"Root={ROOT};Parent={PARENT}", "01"),
        (f"Sampled=1; Parent={PARENT.upper()} ; Root={ROOT};Lineage=a87bd80c:0;Self=x", "01"),
    ],
)
def test_x_ray_becomes_w3c(header: str, expected: str) -> None:
    made = traceparent(header)
    assert made == f"00-5759e988bd862e3fe1be46a994272793-{PARENT}-{expected}"


@pytest.mark.parametrize(
    "header",
    [
        None,
        b"Root=",
        "",
        f"Root={ROOT}",
        f"Root={ROOT};Parent=53995c3f",
        f"Root={ROOT[:-1]};Parent={PARENT}",
        f"Root=2{ROOT[1:]};Parent={PARENT}",
        f"Root={ROOT};Parent={PARENT};Lineage={'x' * 2000}",
    ],
)
def test_what_is_no_trace_begins_none(header: object) -> None:
    assert traceparent(header) is None


@given(any_text | st.from_regex(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16}"))
def test_a_trace_goes_on_or_a_new_one_begins(header: str) -> None:
    made = traceparent(header)
    assert made is None or len(made.encode()) == 55
    context = extract_context([("traceparent", made.encode())] if made else None)
    carried = dict(inject_context(context)).get("traceparent")
    # None too where an id is all zeros, which W3C does not take.
    assert carried is None or carried.decode() == made
