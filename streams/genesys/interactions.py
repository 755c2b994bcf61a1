"""The ``interactions`` dialect: GET and PATCH of ``/api/v2/interactions/{id}`` (contract, HTTP)."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any
from urllib.parse import quote

import msgspec
from yarl import URL

from streams.core.foreign_text import REPLACEMENT, foreign_text
from streams.core.interaction import Interaction
from streams.errors import ApiError, BadRequest
from streams.genesys.answers import CODE_MAX_LENGTH, DETAIL_MAX_LENGTH, UNREADABLE, Answer
from streams.genesys.status_errors import error_of
from streams.genesys.transport import Request
from streams.timestamps import epoch_ms

ROUTE = "/api/v2/interactions/{id}"
READ_SCOPE = "interaction:read"
WRITE_SCOPE = "interaction:write"

# Characters of a type or a state. Those that the rules know are shorter; others are only shown.
WORD_MAX_LENGTH = 64


class Interactions:
    """The Dialect named ``interactions``."""

    name = "interactions"

    def get_request(self, base: URL, interaction_id: str) -> Request:
        """The request that reads one interaction."""
        return Request(
            method="GET",
            url=_url(base, interaction_id),
            route=ROUTE,
            what=f"GET interaction {interaction_id}",
            scope=READ_SCOPE,
        )

    def patch_request(self, base: URL, interaction_id: str, code: str, etag: str | None) -> Request:
        """The request that sets the disposition code, if the interaction still matches the ETag."""
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

    def read_interaction(self, answer: Answer, interaction_id: str) -> Interaction:
        """Read the answer to a GET. Raises BadRequest if it is not the interaction asked for.

        The fields that decide (type, state, the two codes) must be of their types. The fields with
        the times may hold anything: a time that can not be read counts as missing. Other fields are
        not read.
        """
        try:
            if answer.status != 200:
                raise ValueError("200 was promised")
            body = answer.json()
            if not isinstance(body, dict):
                raise ValueError("an object was promised")
            if body.get("id") not in (None, interaction_id):
                raise ValueError("it is another interaction")
            metadata, timeline = body.get("metadata"), body.get("timeline")
            return Interaction(
                id=interaction_id,
                type=_word(answer, body, "type"),
                state=_word(answer, body, "state"),
                disposition_code_id=_code(answer, body, "dispositionCode"),
                wrap_up_code_id=_code(answer, body, "wrapUpCode"),
                duration_ms=duration_ms(metadata, timeline),
                etag=answer.etag,
                ended=has_ended(metadata, timeline),
            )
        except UNREADABLE as error:
            raise BadRequest(
                f"GET interaction {interaction_id}: {_not_the_interaction(answer, error)}; "
                "check GENESYS_CLOUD_BASE_URL, GENESYS_API and the proxies on the way",
                status=answer.status,
                correlation_id=answer.correlation_id,
            ) from None

    def error_of(self, request: Request, answer: Answer, random: Random) -> ApiError:
        """The error for an answer that is no success."""
        return error_of(
            answer,
            what=request.what,
            changes=request.changes,
            scope=request.scope,
            random=random,
        )


def _url(base: URL, interaction_id: str) -> URL:
    # Ids are checked when an event is read. They are quoted all the same: a wrong one could do harm
    # here.
    segment = quote(interaction_id, safe="")
    return base.joinpath("api", "v2", "interactions", segment, encoded=True)


def _not_the_interaction(answer: Answer, error: Exception) -> str:
    why = foreign_text(str(error), DETAIL_MAX_LENGTH)
    if answer.compression:
        why += f"; it came compressed, {answer.compression}, though identity was asked for"
    return f"{answer.status} with a body that is not the interaction ({why})"


def _word(answer: Answer, body: dict[str, Any], name: str) -> str:
    """The type or the state, in lower case. Raises ValueError if it is not text."""
    word = body.get(name)
    if not isinstance(word, str):
        raise ValueError(f"{name} must be text")
    return answer.text(word.lower(), WORD_MAX_LENGTH)


def _code(answer: Answer, body: dict[str, Any], name: str) -> str | None:
    """The id of a code that is set, or None. An id without printable characters is not left empty,
    because the code is set. Raises ValueError for another type."""
    reference = body.get(name)
    code = reference.get("id") if isinstance(reference, dict) else None
    if not isinstance(reference, dict | None) or not isinstance(code, str | None):
        raise ValueError(f"{name} must be an object whose id is text")
    return (answer.text(code, CODE_MAX_LENGTH) or REPLACEMENT) if code else None


def duration_ms(metadata: Any, timeline: Any) -> int:
    """Length of the interaction (design, Decide): from ``metadata``'s start to its end, else from
    the timeline's earliest start to its latest end; 0 if neither can be read, or if it is
    negative."""
    for spans in _spans(metadata, timeline):
        starts = _times(spans, "startTime")
        ends = _times(spans, "endTime")
        if starts and ends:
            return max(0, max(ends) - min(starts))
    return 0


def has_ended(metadata: Any, timeline: Any) -> bool:
    """Whether the metadata or the timeline has an end time that can be read."""
    return any(_times(spans, "endTime") for spans in _spans(metadata, timeline))


def _spans(metadata: Any, timeline: Any) -> tuple[list[Any], list[Any]]:
    return [metadata], timeline if isinstance(timeline, list) else []


def _times(spans: Iterable[Any], name: str) -> list[int]:
    texts = [span.get(name) for span in spans if isinstance(span, dict)]
    times = [epoch_ms(text) for text in texts if isinstance(text, str)]
    return [time for time in times if time is not None]
