"""Spans as a trace store has them, and a trace as a text that a test can be held against."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

# OTLP's own numbers: STATUS_CODE_ERROR of a span's status.
_ERROR = 2

# Jaeger's own remarks, such as that a record's span is longer than that of its event.
_ADDED = "@jaeger@"

# What every service of ours is called, before its own name.
OURS = "genesys-streams-"


@dataclass(frozen=True)
class Span:
    """One span. ``failed``: its status is an error. ``started``: in nanoseconds. ``about``: all of
    it as the store gave it."""

    trace_id: str
    span_id: str
    parent_id: str
    service: str
    name: str
    kind: int
    started: int
    failed: bool
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]
    about: Json


def spans_of(answer: Json) -> Iterator[Span]:
    """The spans in traces as OTLP's JSON has them."""
    for group in answer["resourceSpans"]:
        resource = attributes_of(group["resource"])
        for scope in group["scopeSpans"]:
            for each in scope["spans"]:
                yield Span(
                    trace_id=each["traceId"],
                    span_id=each["spanId"],
                    parent_id=each.get("parentSpanId", ""),
                    service=resource["service.name"],
                    name=each["name"],
                    kind=each["kind"],
                    started=int(each["startTimeUnixNano"]),
                    failed=each.get("status", {}).get("code") == _ERROR,
                    attributes=attributes_of(each),
                    resource=resource,
                    about=each,
                )


def attributes_of(about: Json) -> dict[str, Any]:
    """Those that were sent. OTLP's JSON has the type of a value beside it, and whole numbers as
    text."""
    return {
        each["key"]: _value(each["value"])
        for each in about.get("attributes", ())
        if not each["key"].startswith(_ADDED)
    }


def _value(typed: Json) -> Any:
    ((kind, value),) = typed.items()
    return int(value) if kind == "intValue" else value


def text_of(trace: Iterable[Span], prefix: str) -> str:
    """A trace as a text: each span on a line of its own below its parent, in the order in which
    they began. ``prefix``: that of the topics, which is left out.

    A span whose parent is not there begins a line with the parent's id.
    """
    spans = sorted(trace, key=lambda span: span.started)
    there = {span.span_id for span in spans}
    below: defaultdict[str, list[Span]] = defaultdict(list)
    for span in spans:
        below[span.parent_id if span.parent_id in there else ""].append(span)

    def lines(parent: str, depth: int) -> Iterator[str]:
        for span in below[parent]:
            yield "  " * depth + _line(span, there).replace(prefix, "")
            yield from lines(span.span_id, depth + 1)

    return "\n".join(lines("", 0))


def _line(span: Span, there: set[str]) -> str:
    above = span.parent_id if span.parent_id not in there else ""
    status = span.attributes.get("http.response.status_code", "")
    words = [
        f"below {above}:" if above else "",
        f"{span.service.removeprefix(OURS)}:",
        span.name,
        str(status),
        "failed" if span.failed else "",
    ]
    return " ".join(filter(None, words))
