"""An HTTP answer, made into values of ours the moment it arrives.

A header may hold any bytes, a body too. Here they become an ``Answer``: each value checked, bounded
and printable, or None. Behind it nothing handles the text of a header, and what is kept of a body
has passed ``Answer.text``.

Pure: no I/O; the time is handed in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn

from streams.core.foreign_text import foreign_text
from streams.core.retry_policy import LONGEST_RETRY_AFTER
from streams.genesys.blotting import Blotter
from streams.genesys.budget import Quota, quota_of

CORRELATION_ID = "ININ-Correlation-Id"

# Characters of the API's own words in an error: a proxy's whole error page is no message.
DETAIL_MAX_LENGTH = 300

# Characters of an id to quote to Genesys support (contract, outcome), and of an error's code. Each
# is in every outcome; Genesys' own are a UUID and some words.
CORRELATION_ID_MAX_LENGTH = 64
CODE_MAX_LENGTH = 128

# Characters of an entity-tag: it goes back as a header, and servers refuse long ones.
ETAG_MAX_LENGTH = 256

# What reading bytes that are no legal JSON may raise.
UNREADABLE = (ValueError, RecursionError)

_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)

# Characters of a header that are looked at for a date; a date needs 40.
_DATE_MAX_LENGTH = 64

# A strong entity-tag (RFC 9110, 8.8.3) in ASCII: other bytes might not go back as they came.
_STRONG_ETAG = re.compile(r'"[!#-~]*"', re.ASCII)

_PLAIN = frozenset({"", "identity"})


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer.

    ``body`` may have been cut at the size limit; what is kept of it passes ``text``. ``etag``: one
    that may go back in ``If-Match``. ``retry_after``: seconds. ``compression``: the coding that
    the body came in, though none was asked for, or empty. ``proxy``: what it came through, in
    words, or empty.
    """

    status: int
    body: bytes = field(default=b"", repr=False)
    correlation_id: str | None = None
    etag: str | None = None
    retry_after: float | None = None
    quota: Quota | None = None
    compression: str = ""
    proxy: str = ""
    blotter: Blotter = field(default_factory=Blotter, repr=False, compare=False)

    @classmethod
    def received(
        cls,
        status: int,
        headers: Mapping[str, str],
        body: bytes,
        *,
        now: float,
        blotter: Blotter | None = None,
        proxy: str = "",
    ) -> Answer:
        """An answer as it came. ``headers`` ignores case; ``now`` is epoch seconds; ``blotter``
        knows the credentials that the other side was sent."""
        blotter = blotter or Blotter()
        correlation_id = blotter.text(headers.get(CORRELATION_ID, ""), CORRELATION_ID_MAX_LENGTH)
        compression = blotter.text(headers.get("Content-Encoding", ""), CODE_MAX_LENGTH).lower()
        compression = "" if compression in _PLAIN else compression
        return cls(
            status=status,
            body=body,
            correlation_id=correlation_id or None,
            etag=None if compression else _etag(headers.get("ETag", "")),
            retry_after=_seconds(headers.get("Retry-After", ""), now),
            quota=quota_of(headers),
            compression=compression,
            proxy=proxy,
            blotter=blotter,
        )

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def text(self, value: str, most: int) -> str:
        """A text of this answer, fit to be kept: no secret, one printable line, not too long."""
        return self.blotter.text(value, most)

    def json(self) -> Any:
        """The body as JSON. Raises what UNREADABLE names."""
        return legal_json(self.body)


def _etag(header: str) -> str | None:
    """The entity-tag if it may go into ``If-Match``. A weak one may not: it never matches there
    (RFC 9110, 13.1.1). Neither may one that a compressing proxy has changed, which is why that of
    a compressed answer does not get here: the API would not know it."""
    valid = len(header) <= ETAG_MAX_LENGTH and _STRONG_ETAG.fullmatch(header)
    return header if valid else None


def _seconds(header: str, now: float) -> float | None:
    """A ``Retry-After``, in seconds or as an HTTP date, as seconds from ``now``. None when it is
    missing, unreadable, or a date that has passed: our clock or theirs is wrong."""
    header = header.strip()
    if _SECONDS.fullmatch(header):
        return min(float(header), LONGEST_RETRY_AFTER)
    try:
        seconds = parsedate_to_datetime(foreign_text(header, _DATE_MAX_LENGTH)).timestamp() - now
    except (ValueError, OverflowError):
        return None
    return min(seconds, LONGEST_RETRY_AFTER) if seconds > 0 else None


def legal_json(body: bytes) -> Any:
    """Legal JSON (RFC 8259) is read, also where msgspec is stricter: a lone surrogate in a string
    and a number of any size are legal, and mostly in a field that nobody reads. Numbers become
    floats, for an int of thousands of digits is an error to Python. Raises what UNREADABLE names.
    """
    return json.loads(body.decode("utf-8-sig"), parse_int=float, parse_constant=_no_number)


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


@dataclass(frozen=True, slots=True)
class Complaint:
    """What an error body says: Genesys' ``code``, ``message``, ``contextId``, ``limit.key``; of
    the token endpoint ``error`` and ``error_description``. Each is None when it is not there."""

    code: str | None = None
    message: str | None = None
    context_id: str | None = None
    limit: str | None = None


def complaint(answer: Answer) -> Complaint:
    """Read an error body. Bytes that are no such thing give a Complaint that says nothing."""
    try:
        said = answer.json()
    except UNREADABLE:
        said = None
    if not isinstance(said, dict):
        return Complaint()

    def text(where: Any, most: int, *names: str) -> str | None:
        found = [where.get(name) for name in names] if isinstance(where, dict) else []
        texts = (answer.text(each, most) for each in found if isinstance(each, str))
        return next((each for each in texts if each), None)

    return Complaint(
        code=text(said, CODE_MAX_LENGTH, "code", "error"),
        message=text(said, DETAIL_MAX_LENGTH, "message", "error_description", "description"),
        context_id=text(said, CORRELATION_ID_MAX_LENGTH, "contextId"),
        limit=text(said.get("limit"), CODE_MAX_LENGTH, "key"),
    )
