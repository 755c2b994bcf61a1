"""Turns an answer that is no success into an error of ours (design, When the API says no).

Pure: no I/O; the random generator is handed in.
"""

from __future__ import annotations

from random import Random
from typing import Any

from streams.errors import (
    ApiError,
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    RateLimited,
    ServerError,
    Unauthorized,
)
from streams.genesys.answers import CORRELATION_ID, Answer, complaint

# Seconds of pause after a 429 without a usable Retry-After, drawn at random from this range, so
# that workers do not all come back at once.
UNSAID_RETRY_AFTER = (1.0, 3.0)


def error_of(answer: Answer, *, what: str, changes: bool, scope: str, random: Random) -> ApiError:
    """The error for an answer whose status is not 2xx.

    ``what`` names the call (``GET interaction i-1``), ``changes`` is true if the call changes
    something (PATCH), ``scope`` is the OAuth scope that the call needs.
    """
    status = answer.status
    about = facts(answer)

    def message(meaning: str) -> str:
        return describe(what, answer, meaning)

    if status == 401:
        return Unauthorized(message("the token was refused, and so was a new one"), **about)
    if status == 403:
        return Forbidden(
            message(
                f"a right is missing: give the OAuth client the scope {scope}, here "
                "(GENESYS_CLOUD_SCOPES) and in Genesys Cloud, and its role the permissions named "
                "above for this interaction's division"
            ),
            **about,
        )
    if status == 404 or (status == 410 and changes):
        return NotFound(message("Genesys Cloud has no such interaction"), **about)
    if status in (409, 412):
        return Conflict(message("somebody else changed it in the meantime; left as is"), **about)
    if status == 429:
        seconds = answer.retry_after
        if seconds is None:
            seconds = random.uniform(*UNSAID_RETRY_AFTER)
        limit = complaint(answer).limit or "not named"
        meaning = f"rate limit used up (limit: {limit}); no calls for {seconds:.1f} s"
        return RateLimited(message(meaning), retry_after=seconds, **about)
    if not 200 <= status < 500:
        meaning = "Genesys Cloud failed; the same call may succeed later"
        if not 500 <= status < 600:
            meaning = "no final answer has this status, so it is not Genesys Cloud that speaks"
        wait = answer.retry_after or 0.0
        return ServerError(message(meaning), maybe_applied=changes, retry_after=wait, **about)
    if status < 400:
        meaning = "redirects are not followed; check GENESYS_CLOUD_BASE_URL"
        return BadRequest(message(meaning), **about)
    meaning = "Genesys Cloud will not take this request however often it is sent"
    return BadRequest(message(meaning), **about)


def describe(what: str, answer: Answer, meaning: str) -> str:
    """One line: the call, the status, the API's own words, the meaning, the id to quote."""
    said = complaint(answer)
    words = ": ".join(part for part in (said.code, said.message) if part)
    correlation_id = answer.correlation_id or said.context_id
    proxy = f" through the proxy {answer.proxy}" if answer.proxy else ""
    line = f"{what}: {answer.status}{proxy}{f' ({words})' if words else ''}; {meaning}"
    return f"{line} [{CORRELATION_ID} {correlation_id}]" if correlation_id else line


def facts(answer: Answer) -> dict[str, Any]:
    """``status``, ``code`` and ``correlation_id`` as an ApiError takes them."""
    said = complaint(answer)
    correlation_id = answer.correlation_id or said.context_id
    # HTTP allows any three digits, but an outcome promises a status from 100 to 599.
    status = answer.status if 100 <= answer.status <= 599 else None
    return {"status": status, "code": said.code, "correlation_id": correlation_id}
