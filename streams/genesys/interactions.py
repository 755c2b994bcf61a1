"""The ``interactions`` dialect: GET and PATCH of ``/api/v2/interactions/{id}`` (contract, HTTP)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

import msgspec
from yarl import URL

from streams.clock import epoch_ms
from streams.errors import BadRequest
from streams.genesys.answers import CORRELATION_ID, UNREADABLE, Answer
from streams.genesys.api import Interaction
from streams.genesys.transport import Request

ROUTE = "/api/v2/interactions/{id}"
READ_SCOPE = "interaction:read"
WRITE_SCOPE = "interaction:write"


class _Reference(msgspec.Struct):
    id: str | None = None


class _Body(msgspec.Struct, rename="camel"):
    """What decides must be of its type. What only the duration is computed from may be anything:
    a time that can't be read counts as none."""

    type: str
    state: str
    id: str | None = None
    disposition_code: _Reference | None = None
    wrap_up_code: _Reference | None = None
    metadata: Any = None
    timeline: Any = None


_decode_body = msgspec.json.Decoder(_Body).decode


def get_request(base: URL, interaction_id: str) -> Request:
    """Read one interaction."""
    return Request(
        method="GET",
        url=_url(base, interaction_id),
        route=ROUTE,
        what=f"GET interaction {interaction_id}",
        scope=READ_SCOPE,
    )


def patch_request(base: URL, interaction_id: str, code: str, etag: str | None) -> Request:
    """Set its disposition code, if it still is what the ETag stands for."""
    headers = {"Content-Type": "application/json"}
    if etag is not None:
        headers["If-Match"] = etag
    return Request(
        method="PATCH",
        url=_url(base, interaction_id),
        route=ROUTE,
        what=f"PATCH interaction {interaction_id}",
        scope=WRITE_SCOPE,
        changes=True,
        headers=headers,
        body=msgspec.json.encode({"dispositionCode": {"id": code}}),
    )


def _url(base: URL, interaction_id: str) -> URL:
    # Ids are checked when an event is read; quoted all the same, for this is where they could hurt.
    segment = quote(interaction_id, safe="")
    return base.joinpath("api", "v2", "interactions", segment, encoded=True)


def read_interaction(answer: Answer, interaction_id: str) -> Interaction:
    """The answer to a GET. Raises BadRequest when it is not the interaction that was asked for."""
    try:
        if answer.status != 200:
            raise msgspec.ValidationError("200 was promised")
        body = _decode_body(answer.body)
        if body.id not in (None, interaction_id):
            raise msgspec.ValidationError("it is another interaction")
    except UNREADABLE as error:
        raise BadRequest(
            f"GET interaction {interaction_id}: {answer.status} with a body that is not the "
            f"interaction ({error}); check GENESYS_CLOUD_BASE_URL and GENESYS_API",
            status=answer.status,
            correlation_id=answer.headers.get(CORRELATION_ID),
        ) from None
    return Interaction(
        id=interaction_id,
        type=body.type.lower(),
        state=body.state.lower(),
        disposition_code_id=_code(body.disposition_code),
        wrap_up_code_id=_code(body.wrap_up_code),
        duration_ms=duration_ms(body.metadata, body.timeline),
        etag=answer.headers.get("ETag"),
    )


def _code(reference: _Reference | None) -> str | None:
    return (reference.id or None) if reference is not None else None


def duration_ms(metadata: Any, timeline: Any) -> int:
    """Length of the interaction (design, Decide): ``metadata``'s start to end, else the timeline's
    earliest start to its latest end; 0 when neither can be read, or when it is negative."""
    entries = timeline if isinstance(timeline, list) else []
    for spans in ([metadata], entries):
        starts = _times(spans, "startTime")
        ends = _times(spans, "endTime")
        if starts and ends:
            return max(0, max(ends) - min(starts))
    return 0


def _times(spans: Iterable[Any], name: str) -> list[int]:
    texts = [span.get(name) for span in spans if isinstance(span, dict)]
    times = [epoch_ms(text) for text in texts if isinstance(text, str)]
    return [time for time in times if time is not None]
