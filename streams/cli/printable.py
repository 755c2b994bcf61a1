"""What comes from outside, made fit for a terminal."""

from __future__ import annotations


def printable(value: object) -> str:
    """Text from outside may not move the cursor, colour the terminal or break the line."""
    if value is None:
        return "-"
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode()
        for char in str(value)
    )
