"""Credentials kept out of every text that the other side wrote.

Whoever is sent a credential may write it back: as it is, escaped, encoded, split over lines, in
capitals, or only a part of it. So a text is not searched for the credential as it stands. Both are
first reduced to the letters and digits that they mean, and a run that the two have in common is
blotted out where it stands in the text.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from streams.core.foreign_text import foreign_text

BLOT = "***"

# Letters and digits in common that are taken for the credential: so many are no coincidence in
# something drawn at random, and fewer of them give nothing away.
LONGEST_LEFT = 12

# A credential that has fewer letters and digits is looked for as it stands and no other way: they
# would be found in ordinary words.
LEAST_TO_REDUCE = 6

# How one character may be written in JSON, a URL or HTML; escaped once more, it is the same.
_UNIT = re.compile(
    r"\\+u(?P<u>[0-9a-f]{4})|\\+x(?P<x>[0-9a-f]{2})|&\#x(?P<h>[0-9a-f]{1,6});"
    r"|&\#(?P<d>[0-9]{1,7});|%(?:25)*(?P<byte>[0-9a-f]{2})|\\+[bfnrt]|.",
    re.DOTALL | re.IGNORECASE,
)
_BASE = {"u": 16, "x": 16, "h": 16, "d": 10}

# Of base64 with one or two bytes before the credential: the characters that hold bits of those.
_FOREIGN_CHARACTERS = (0, 2, 3)


class Blotter:
    """Blots these secrets out of texts. Says nothing of them when it is printed."""

    def __init__(self, *secrets: str) -> None:
        self._plain = [secret for secret in secrets if secret]
        self._runs = [each for secret in self._plain for each in _runs(secret)]

    def text(self, value: str, most: int) -> str:
        """A text that others wrote, fit to be kept: no secret, one printable line, not too long.

        Blotted before it is cut to its length, or a part of a secret could be left at the end; cut
        roughly before that, as ``foreign_text`` does: the rest may be megabytes.
        """
        return foreign_text(self.blotted(value[: 8 * most]), most)

    def blotted(self, text: str) -> str:
        """The text with ``BLOT`` for each part that gives a secret away."""
        for secret in self._plain:
            text = text.replace(secret, BLOT)
        units = list(_reduced(text))
        letters = "".join(letter for letter, _, _ in units)
        kept, at = [], 0
        for first, last in _joined(self._found(letters)):
            _, start, _ = units[first]
            _, _, end = units[last]
            kept += [text[at:start], BLOT]
            at = end
        return "".join(kept) + text[at:]

    def _found(self, letters: str) -> list[tuple[int, int]]:
        """First and last letter of each run that a secret has too, in order."""
        return sorted(
            (first, first + length - 1)
            for length, runs in self._runs
            for first in range(len(letters) - length + 1)
            if letters[first : first + length] in runs
        )


def _joined(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges that touch or overlap as one."""
    joined: list[tuple[int, int]] = []
    for first, last in ranges:
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return joined


def _reduced(text: str) -> Iterator[tuple[str, int, int]]:
    """The letters and digits that a text means, small, with where each is written. What is not
    ASCII counts as its bytes in UTF-8, each a letter, for that is how a URL writes it."""
    for unit in _UNIT.finditer(text):
        start, end = unit.span()
        kind = unit.lastgroup
        if kind == "byte":
            byte = int(unit["byte"], 16)
            meant = chr(byte).lower() if byte < 0x80 else chr(byte)
        elif kind is not None:
            code = int(unit[kind], _BASE[kind])
            meant = _in_bytes(chr(code)) if code < 0x110000 else ""
        else:
            meant = _in_bytes(unit[0]) if end - start == 1 else ""
        for letter in meant:
            if letter.isalnum() or letter > "\x7f":
                yield letter, start, end


def _in_bytes(character: str) -> str:
    if not character.isprintable():
        return ""  # Nothing is seen of it, so it parts nothing.
    return character.lower().encode().decode("latin-1")


@lru_cache(maxsize=16)
def _runs(secret: str) -> tuple[tuple[int, frozenset[str]], ...]:
    """What gives it away: the length of a run, and all runs of that length, of each way to write
    it. Cached, for a token is worth thousands of calls."""
    raw = secret.encode("utf-8", "surrogatepass")
    writings = [secret]
    for before, foreign in enumerate(_FOREIGN_CHARACTERS):
        whole = (before + len(raw)) * 8 // 6
        writings.append(base64.b64encode(bytes(before) + raw)[foreign:whole].decode())
    found = []
    for writing in writings:
        letters = "".join(letter for letter, _, _ in _reduced(writing))
        if len(letters) < LEAST_TO_REDUCE:
            continue
        length = min(LONGEST_LEFT, max(LEAST_TO_REDUCE, len(letters) // 2))
        last = len(letters) - length
        found.append((length, frozenset(letters[at : at + length] for at in range(last + 1))))
    return tuple(found)
