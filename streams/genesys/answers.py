"""What Genesys Cloud answered, and which error of ours that is (design, When the API says no).

Pure: no I/O; the time and the dice are handed in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from random import Random
from typing import Any

import msgspec

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

CORRELATION_ID = "ININ-Correlation-Id"

# A 429 without a usable Retry-After: at random, so that workers do not come back all at once.
UNSAID_RETRY_AFTER = (1.0, 3.0)

# A day: the longest limit there is. Keeps a bogus header from closing the gate for ever.
LONGEST_RETRY_AFTER = 86_400.0

# Characters of the API's own words in an error: a proxy's whole error page is no message.
DETAIL_MAX_LENGTH = 300

# What decoding bytes that are not the JSON expected may raise.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer. ``headers`` ignores case; ``body`` may have been cut at the size limit."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def without(self, *secrets: str) -> Answer:
        """The same answer with the secrets blotted out, should the other side echo them."""
        body = self.body
        for secret in secrets:
            body = body.replace(secret.encode(), b"***")
        return replace(self, body=body)


@dataclass(frozen=True, slots=True)
class Complaint:
    """What an error body says: Genesys' ``code``, ``message``, ``contextId``, ``limit.key``; of
    the token endpoint ``error`` and ``error_description``. Each is None when it is not there."""

    code: str | None = None
    message: str | None = None
    context_id: str | None = None
    limit: str | None = None


def complaint(body: bytes) -> Complaint:
    """Read an error body. Bytes that are no such thing give a Complaint that says nothing."""
    try:
        said: Any = msgspec.json.decode(body)
    except UNREADABLE:
        said = None
    if not isinstance(said, dict):
        return Complaint()
    limit = said.get("limit")
    return Complaint(
        code=_text(said, "code", "error"),
        message=_text(said, "message", "error_description", "description"),
        context_id=_text(said, "contextId"),
        limit=_text(limit, "key") if isinstance(limit, dict) else None,
    )


def _text(said: dict[str, Any], *names: str) -> str | None:
    for name in names:
        value = said.get(name)
        if isinstance(value, str) and value:
            # One line: it ends up in log lines and Kafka headers.
            return " ".join(value.split())[:DETAIL_MAX_LENGTH]
    return None


def retry_after(header: str | None, now: float, random: Random) -> float:
    """Seconds to keep quiet after a 429, from a ``Retry-After`` in seconds or as an HTTP date.

    ``now`` is epoch seconds. A header that is missing, unreadable, or a date that has passed (our
    clock or theirs is wrong) gives 1 to 3 s at random.
    """
    seconds = _said_seconds(header or "", now)
    return random.uniform(*UNSAID_RETRY_AFTER) if seconds is None else seconds


def _said_seconds(header: str, now: float) -> float | None:
    header = header.strip()
    if _SECONDS.fullmatch(header):
        return min(float(header), LONGEST_RETRY_AFTER)
    try:
        seconds = parsedate_to_datetime(header).timestamp() - now
    except (ValueError, OverflowError):
        return None
    return min(seconds, LONGEST_RETRY_AFTER) if seconds > 0 else None


def error_of(
    answer: Answer, *, what: str, changes: bool, scope: str, now: float, random: Random
) -> ApiError:
    """The error that an answer other than 2xx is.

    ``what`` names the call (``GET interaction i-1``), ``changes`` is true of one that changes
    something (PATCH), ``scope`` is the OAuth scope it needs, ``now`` is epoch seconds.
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
        seconds = retry_after(answer.headers.get("Retry-After"), now, random)
        limit = complaint(answer.body).limit or "not named"
        meaning = f"rate limit used up (limit: {limit}); no calls for {seconds:.1f} s"
        return RateLimited(message(meaning), retry_after=seconds, **about)
    if status >= 500:
        meaning = "Genesys Cloud failed; the same call may succeed later"
        wait = _said_seconds(answer.headers.get("Retry-After", ""), now) or 0.0
        return ServerError(message(meaning), maybe_applied=changes, retry_after=wait, **about)
    if 300 <= status < 400:
        meaning = "redirects are not followed; check GENESYS_CLOUD_BASE_URL"
        return BadRequest(message(meaning), **about)
    meaning = "Genesys Cloud will not take this request however often it is sent"
    return BadRequest(message(meaning), **about)


def describe(what: str, answer: Answer, meaning: str) -> str:
    """One line: the call, the answer, the API's own words, what it means, the id to quote."""
    said = complaint(answer.body)
    words = ": ".join(part for part in (said.code, said.message) if part)
    correlation_id = answer.headers.get(CORRELATION_ID) or said.context_id
    line = f"{what}: {answer.status}{f' ({words})' if words else ''}; {meaning}"
    return f"{line} [{CORRELATION_ID} {correlation_id}]" if correlation_id else line


def facts(answer: Answer) -> dict[str, Any]:
    """``status``, ``code`` and ``correlation_id`` as an ApiError takes them."""
    said = complaint(answer.body)
    correlation_id = answer.headers.get(CORRELATION_ID) or said.context_id
    return {"status": answer.status, "code": said.code, "correlation_id": correlation_id}
