"""What comes from outside, made fit for a terminal."""

from __future__ import annotations

_ELLIPSIS = "…"


def printable(value: object, most: int | None = None) -> str:
    """Text from outside may not move the cursor, colour the terminal or break the line.

    ``most``: cut to so many characters; an ellipsis, which is one of them, says so.
    """
    if value is None:
        return "-"
    text = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode()
        for char in str(value)
    )
    return text if most is None or len(text) <= most else text[: most - 1] + _ELLIPSIS
