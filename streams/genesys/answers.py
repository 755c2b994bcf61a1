"""An HTTP answer, checked as soon as it arrives.

Headers and body may hold any bytes. Here they become an ``Answer``: each value is checked, bounded
and printable, or None. No later code handles the text of a header, and each text that is kept of a
body has passed ``Answer.text``.

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

# Characters of the API's own message in an error, so that a proxy's whole error page is not kept.
DETAIL_MAX_LENGTH = 300

# Characters of an id to quote to Genesys support (contract, outcome), and of an error's code. Both
# go into outcomes. Genesys' own values are a UUID and a few words.
CORRELATION_ID_MAX_LENGTH = 64
CODE_MAX_LENGTH = 128

# Characters of an entity-tag: it goes back as a header, and servers refuse long ones.
ETAG_MAX_LENGTH = 256

# The errors that may be raised when bytes are not legal JSON.
UNREADABLE = (ValueError, RecursionError)

_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)

# Characters of a header that are read as a date; a date needs no more than 40.
_DATE_MAX_LENGTH = 64

# A strong entity-tag (RFC 9110, 8.8.3) in ASCII: other bytes might not go back as they came.
_STRONG_ETAG = re.compile(r'"[!#-~]*"', re.ASCII)

_PLAIN = frozenset({"", "identity"})


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer.

    ``body`` may have been cut at the size limit; each text that is kept of it must pass ``text``.
    ``etag``: an entity-tag that may go back in ``If-Match``. ``retry_after``: seconds.
    ``date``: the sender's clock as it wrote it, unread. ``compression``: the body's coding if it
    has one, though none was asked for; else empty.
    ``proxy``: the proxy it came through, in words, or empty. ``measured``: HTTP said how long the
    body is; else it ended with its connection.
    """

    status: int
    body: bytes = field(default=b"", repr=False)
    correlation_id: str | None = None
    etag: str | None = None
    retry_after: float | None = None
    quota: Quota | None = None
    date: str = field(default="", repr=False)
    compression: str = ""
    proxy: str = ""
    measured: bool = True
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
        """Make an Answer of what was received. ``headers`` must ignore case; ``now`` is epoch
        seconds; ``blotter`` knows the credentials that the other side was sent."""
        blotter = blotter or Blotter()
        correlation_id = blotter.text(headers.get(CORRELATION_ID, ""), CORRELATION_ID_MAX_LENGTH)
        compression = blotter.text(headers.get("Content-Encoding", ""), CODE_MAX_LENGTH).lower()
        compression = "" if compression in _PLAIN else compression
        date = headers.get("Date", "")[:_DATE_MAX_LENGTH]
        chunked = "chunked" in headers.get("Transfer-Encoding", "").lower()
        return cls(
            status=status,
            body=body,
            correlation_id=correlation_id or None,
            etag=None if compression else _etag(headers.get("ETag", "")),
            retry_after=_seconds(headers.get("Retry-After", ""), date, now),
            quota=quota_of(headers),
            date=date,
            compression=compression,
            proxy=proxy,
            measured=chunked or "Content-Length" in headers,
            blotter=blotter,
        )

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def may_be_cut(self) -> bool:
        """Whether the body is not legal JSON and may have been cut on the way: HTTP did not say how
        long it is, so one that was cut short looks like a whole one."""
        if self.measured:
            return False
        try:
            self.json()
        except UNREADABLE:
            return True
        return False

    def text(self, value: str, most: int) -> str:
        """A text of this answer, fit to be kept: no secret, one printable line, not too long."""
        return self.blotter.text(value, most)

    def clock_ahead(self, now: float) -> float | None:
        """Seconds that a clock of ours, which says ``now``, is ahead of the sender's, whole seconds
        and the time on the way aside; None when the sender wrote no time that can be read."""
        date = _date(self.date)
        return None if date is None else now - date

    def json(self) -> Any:
        """The body as JSON. Raises one of UNREADABLE when it is not legal JSON."""
        return legal_json(self.body)


def _etag(header: str) -> str | None:
    """The entity-tag if it may go into ``If-Match``, else None. A weak entity-tag never matches
    there (RFC 9110, 13.1.1). The caller drops that of a compressed answer: a proxy that compresses
    changes it, and the API would not know it."""
    valid = len(header) <= ETAG_MAX_LENGTH and _STRONG_ETAG.fullmatch(header)
    return header if valid else None


def _seconds(header: str, sent: str, now: float) -> float | None:
    """A ``Retry-After``, in seconds or as an HTTP date, as seconds from now. None when it is
    missing, unreadable, or a date that has passed.

    A date is held against ``sent``, the answer's own ``Date``, because the same clock has written
    both: if ours is an hour behind, five seconds would become an hour of quiet. Where that can not
    be read it is held against ``now``, our clock in epoch seconds.
    """
    header = header.strip()
    if _SECONDS.fullmatch(header):
        return min(float(header), LONGEST_RETRY_AFTER)
    date, theirs = _date(header), _date(sent)
    since = now if theirs is None else theirs
    if date is None or date <= since:
        return None
    return min(date - since, LONGEST_RETRY_AFTER)


def _date(header: str) -> float | None:
    """An HTTP date as epoch seconds; None when it is missing or can not be read."""
    try:
        return parsedate_to_datetime(foreign_text(header, _DATE_MAX_LENGTH)).timestamp()
    except (ValueError, OverflowError):
        return None


def legal_json(body: bytes) -> Any:
    """Read any legal JSON (RFC 8259); msgspec is stricter.

    A lone surrogate in a string and a number of any size are legal, and are mostly in a field that
    nobody reads. Numbers become floats, because Python refuses to read an int of thousands of
    digits. Raises one of UNREADABLE when the bytes are not legal JSON.
    """
    return json.loads(body.decode("utf-8-sig"), parse_int=float, parse_constant=_no_number)


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


@dataclass(frozen=True, slots=True)
class Complaint:
    """The fields of an error body: Genesys' ``code``, ``message``, ``contextId``, ``limit.key``, or
    the token endpoint's ``error`` and ``error_description``. A missing field is None."""

    code: str | None = None
    message: str | None = None
    context_id: str | None = None
    limit: str | None = None


def complaint(answer: Answer) -> Complaint:
    """Read an error body. Bytes that are not an error body give a Complaint without any field."""
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
