"""Reads what SQS hands out into our own values. Plain functions: no sockets, no Kafka, no clock."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import msgspec

from streams.kafka.message import Headers

# How often SQS had handed the message out when this record was made of it; above 1 the same event
# may be in the topic already.
RECEIVE_COUNT = "sqs.receive-count"

# The system attributes that are asked for with each message.
COUNT_ATTRIBUTE: Final = "ApproximateReceiveCount"
TRACE_ATTRIBUTE: Final = "AWSTraceHeader"

# SQS's count is a 32-bit number. Any other text there is taken for a first time.
_COUNT = re.compile(r"[0-9]{1,10}")

# X-Ray's header has some 75 characters, and some more with the lineage that Lambda adds.
_LONGEST_TRACE = 1024
_ROOT = re.compile(r"1-([0-9a-f]{8})-([0-9a-f]{24})")
_PARENT = re.compile(r"[0-9a-f]{16}")


class _Notification(msgspec.Struct):
    """What SNS writes around a message, unless its subscription has raw delivery."""

    kind: str = msgspec.field(name="Type")
    topic: str = msgspec.field(name="TopicArn")
    message: str = msgspec.field(name="Message")


_NOTIFICATION = msgspec.json.Decoder(_Notification)


@dataclass(frozen=True, slots=True)
class QueueMessage:
    """One message in our hands. ``receipt`` is what it is deleted and hidden by: another one each
    time that SQS hands it out. ``body`` is the event alone. ``traceparent``: W3C, None when the
    message has no trace that can go on."""

    receipt: str
    body: bytes
    receive_count: int = 1
    traceparent: str | None = None

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> Self | None:
        """A message of an answer to ReceiveMessage. Never raises. None when it has no receipt:
        nothing can be done with it."""
        receipt = raw.get("ReceiptHandle")
        if not isinstance(receipt, str) or not receipt:
            return None
        body, attributes = raw.get("Body"), raw.get("Attributes")
        if not isinstance(attributes, Mapping):
            attributes = {}
        return cls(
            receipt,
            event_bytes(body if isinstance(body, str) else ""),
            receive_count(attributes.get(COUNT_ATTRIBUTE)),
            traceparent(attributes.get(TRACE_ATTRIBUTE)),
        )

    @property
    def headers(self) -> Headers:
        """What its record in Kafka has beside the headers of every record."""
        return [(RECEIVE_COUNT, str(self.receive_count).encode())]


def event_bytes(body: str) -> bytes:
    """The event in a message's body: the body itself or, where SNS has put it into an envelope, the
    message in there.

    Half a surrogate pair becomes bytes that are not UTF-8, and so no event: nothing is replaced,
    because a dead letter has the bytes as they came.
    """
    own = body.encode("utf-8", "surrogatepass")
    try:
        notification = _NOTIFICATION.decode(own)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return own
    if notification.kind != "Notification":
        return own
    return notification.message.encode("utf-8", "surrogatepass")


def receive_count(text: object) -> int:
    """How often the message was handed out, this time included."""
    if not isinstance(text, str) or not _COUNT.fullmatch(text):
        return 1
    return max(1, int(text))


def traceparent(header: object) -> str | None:
    """X-Ray's ``Root=1-…;Parent=…;Sampled=1`` as W3C's ``traceparent``.

    None without a parent: W3C knows no trace without the span that it comes from. A trace whose
    sampling is not decided yet (``Sampled=?``, or nothing) counts as sampled.
    """
    if not isinstance(header, str) or len(header) > _LONGEST_TRACE:
        return None
    fields = {}
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        fields[name.lower()] = value.strip().lower()
    root = _ROOT.fullmatch(fields.get("root", ""))
    parent = _PARENT.fullmatch(fields.get("parent", ""))
    if root is None or parent is None:
        return None
    sampled = "00" if fields.get("sampled") == "0" else "01"
    return f"00-{root[1]}{root[2]}-{parent[0]}-{sampled}"
