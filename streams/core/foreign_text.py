"""Text that others wrote, made fit to be kept, sent on and logged.

An API's error message, a header of a record or the name of a host may hold anything: megabytes,
control characters, bytes that are no text. It is cleaned here once, where it enters the program;
all later code can rely on it.
"""

from __future__ import annotations

# Stands for each character that can not be shown or encoded: a reader sees that one was there.
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

# At the end of a text that was cut; it is one of the characters allowed.
ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"

# How many times as much as the result may have is looked at: a character takes up to four bytes,
# and runs of white space shrink to one blank.
ROUGHLY = 8


def foreign_text(value: str | bytes, most: int) -> str:
    """One line of at most ``most`` characters, each of them printable.

    A run of white space becomes one blank. Characters that are not printable, and bytes that are
    not UTF-8, become U+FFFD. The result has at most ``4 * most`` bytes in UTF-8, and in JSON too:
    only quotation marks and backslashes get longer there, from one byte to two.
    """
    # Cut first, because the text may be megabytes long.
    value = value[: ROUGHLY * most]
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    text = " ".join(text.split())
    text = "".join(char if char.isprintable() else REPLACEMENT for char in text)
    return text if len(text) <= most else text[: most - 1] + ELLIPSIS
