"""Values of the table that are no records: kept, and named once in a sweep (promise 14)."""

from __future__ import annotations

import logging

from streams.core.foreign_text import foreign_text

log = logging.getLogger(__name__)

# Characters of a key, and of the decoder's words, that a line shows. Both may hold as much as
# whoever wrote into the changelog pleased: a megabyte would make the line useless.
SHOWN_LENGTH = 200


class UnreadableValues:
    """Those that one sweep of a partition has met."""

    def __init__(self) -> None:
        self._count = 0
        self._first = b""
        self._why = ""

    def met(self, key: bytes, fault: Exception) -> None:
        """The value of ``key`` can not be decoded, for this reason."""
        self._count += 1
        if self._count == 1:
            self._first, self._why = key, repr(fault)

    def report(self, changelog: str, partition: int) -> None:
        """Log them, if there are any: one line, however many there are."""
        if self._count == 0:
            return
        log.error(
            "values in the table are no records: they are kept, and whatever comes for them fails",
            extra={
                "changelog": changelog,
                "partition": partition,
                "count": self._count,
                "first": foreign_text(self._first, SHOWN_LENGTH),
                "error": foreign_text(self._why, SHOWN_LENGTH),
            },
        )
