"""Makes text from outside fit for a terminal and for the programs that read our output.

Everything that a command prints of a record goes through one of these functions. Whoever wrote the
record, its text must not move the cursor, colour the terminal, reverse the line or break it.
"""

from __future__ import annotations

from streams.core.foreign_text import ELLIPSIS

# Limit for a cell of a table and for a name in a sentence. Interaction ids and topic names are
# shorter; another producer's record may have a megabyte in their place.
CELL_LENGTH = 256


def printable(value: object, most: int | None = None) -> str:
    """One line. Characters that can not be printed are escaped as Python does it, so that they can
    be shown.

    ``most``: cut to that many characters, the last of which is then an ellipsis.
    """
    if value is None:
        return "-"
    text = str(value)
    # Cut first: it is not worth escaping a megabyte of which only some characters are kept.
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
    """Valid JSON on one line, without a control character; it still reads as the same value.

    Between the values the only characters of this kind are white space, which becomes blanks. The
    others (DEL, U+0080 to U+009F, U+2028 and those that reverse the line) can only be in strings,
    where they are escaped.
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
