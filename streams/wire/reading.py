"""Parses the value of a record in ``events``, or says why it can not. Pure.

Any program that may write to a topic can put any record there, and so may a later version of this
one. A value that can not be read gives an ``Unreadable`` instead of an exception, so that the
caller can report it and read on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from streams.core.foreign_text import foreign_text
from streams.errors import EnvelopeError

# Characters of the decoder's own error message, which may quote the record.
WHY_LENGTH = 300


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A value that can not be read. ``why``: one printable line of bounded length."""

    why: str


NO_VALUE = Unreadable("it has no value")


E = TypeVar("E")


def read_event(value: bytes | None, parse: Callable[[bytes], E | None]) -> E | Unreadable | None:
    """Read one event of the dialect that ``parse`` knows. None for an event of another detail-type:
    it is not handled there. Never raises."""
    if value is None:
        return NO_VALUE
    try:
        return parse(value)
    except EnvelopeError as exc:
        return Unreadable(foreign_text(str(exc), WHY_LENGTH))
