"""Which error of ours an answer is (design, When the API says no).

Pure: no I/O; the dice are handed in.
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

# A 429 without a usable Retry-After: at random, so that workers do not come back all at once.
UNSAID_RETRY_AFTER = (1.0, 3.0)


def error_of(answer: Answer, *, what: str, changes: bool, scope: str, random: Random) -> ApiError:
    """The error that an answer other than 2xx is.

    ``what`` names the call (``GET interaction i-1``), ``changes`` is true of one that changes
    something (PATCH), ``scope`` is the OAuth scope it needs.
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
    """One line: the call, the answer, the API's own words, what it means, the id to quote."""
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
    # Three digits are all that HTTP asks for; an outcome promises a status that there is.
    status = answer.status if 100 <= answer.status <= 599 else None
    return {"status": status, "code": said.code, "correlation_id": correlation_id}
