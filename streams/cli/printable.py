"""What comes from outside, made fit for a terminal and for the programs that read our output.

Everything that a command prints of a record goes through one of these: a text may not move the
cursor, colour the terminal, turn the line around or break it, whoever wrote the record.
"""

from __future__ import annotations

from streams.core.foreign_text import ELLIPSIS

# Of any cell of a table and any name in a sentence. An interaction's id and a topic's name are
# shorter; what a record of somebody else's has in their place may be a megabyte.
CELL_LENGTH = 256


def printable(value: object, most: int | None = None) -> str:
    """One line. What can not be printed is escaped as Python does it, so that it can be told.

    ``most``: cut to so many characters; an ellipsis, which is one of them, says so.
    """
    if value is None:
        return "-"
    text = str(value)
    # Cut first: a megabyte of which some characters are kept is not worth escaping.
    shown = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode()
        for char in text[:most]
    )
    if most is None or max(len(shown), len(text)) <= most:
        return shown
    return shown[: most - 1] + ELLIPSIS


def text_of(content: bytes | None) -> str | None:
    """A key or a value as text; the bytes that are not UTF-8 are escaped. None stays None."""
    return None if content is None else content.decode(errors="backslashreplace")


def json_line(encoded: bytes) -> bytes:
    """JSON, valid as it is, on one line without a control character; it reads as the same value.

    Between the values the only characters of this kind are white space, which becomes blanks. The
    others, DEL and U+0080 to U+009F and U+2028 and those that turn the line around, can only be in
    strings, where they are escaped.
    """
    text = encoded.decode().strip()
    if not text.isprintable():
        text = "".join(char if char.isprintable() else _escaped(char) for char in text)
    return text.encode()


def _escaped(char: str) -> str:
    if char in "\t\n\r":
        return " "
    units = char.encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
