"""Text that others wrote, made fit to be kept, sent on and logged.

An API's error message, a header of a record or the name of a host may hold anything: megabytes,
control characters, bytes that are no text. It becomes one of our own strings here, once, where it
enters; behind that nobody has to ask again.
"""

from __future__ import annotations

# In place of what can not be shown or encoded. A reader sees that something was there.
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

# At the end of a text that was cut; it is one of the characters allowed.
ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"


def foreign_text(value: str | bytes, most: int) -> str:
    """One line of at most ``most`` characters, each of them printable.

    White space becomes one blank. What is not printable, and bytes that are not UTF-8, become
    U+FFFD. The result encodes to at most ``4 * most`` bytes of UTF-8, and JSON needs no more than
    that for it but for quotation marks and backslashes, which it writes as two bytes.
    """
    # Cut before it is looked at: the rest may be megabytes. A run of white space counts as one
    # character later, so a little more than the result needs is kept.
    value = value[: 8 * most]
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    text = " ".join(text.split())
    text = "".join(char if char.isprintable() else REPLACEMENT for char in text)
    return text if len(text) <= most else text[: most - 1] + ELLIPSIS
