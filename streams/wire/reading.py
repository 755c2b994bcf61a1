"""The value of a record in ``events`` into what it says, or why not. Pure.

Anybody who may write to a topic can put any record there, and a later version of this program may.
What can not be read is a value like any other, so that whoever reads the topic tells of it and goes
on.
"""

from __future__ import annotations

from dataclasses import dataclass

from streams.core.envelope import InteractionEvent, parse
from streams.core.foreign_text import foreign_text
from streams.errors import EnvelopeError

# Characters of what the decoder says is wrong; it quotes the record.
WHY_LENGTH = 300


@dataclass(frozen=True, slots=True)
class Unreadable:
    """``why``: one printable line of bounded length."""

    why: str


NO_VALUE = Unreadable("it has no value")


def read_event(value: bytes | None) -> InteractionEvent | Unreadable | None:
    """None: an event of another detail-type, which is none of our business. Never raises."""
    if value is None:
        return NO_VALUE
    try:
        return parse(value)
    except EnvelopeError as exc:
        return Unreadable(foreign_text(str(exc), WHY_LENGTH))
