"""Keeps credentials out of every text that the other side wrote.

A server that is sent a credential may write it back: unchanged, escaped, encoded, split over lines,
in capitals, or only a part of it. So it is not enough to search a text for the credential. Both are
first reduced to the letters and digits that they mean. A run of letters and digits that both have
is blotted out of the text.
"""

from __future__ import annotations

import base64
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache

from streams.core.foreign_text import ROUGHLY, foreign_text

BLOT = "***"

# A run of this many letters and digits in common is taken for the credential: in a random
# credential so long a run is no coincidence, and a shorter run gives nothing away.
LONGEST_LEFT = 12

# A credential with fewer letters and digits than this is searched for only as it stands: its
# letters would be found in ordinary words.
LEAST_TO_REDUCE = 6

# How one character may be written in JSON, a URL or HTML. Characters that were escaped more than
# once match too.
_UNIT = re.compile(
    r"\\+u(?P<u>[0-9a-f]{4})|\\+x(?P<x>[0-9a-f]{2})|&\#x(?P<h>[0-9a-f]{1,6});"
    r"|&\#(?P<d>[0-9]{1,7});|%(?:25)*(?P<byte>[0-9a-f]{2})|\\+[bfnrt]|.",
    re.DOTALL | re.IGNORECASE,
)
_BASE = {"u": 16, "x": 16, "h": 16, "d": 10}

# A text in ASCII in which no character can be written as others: none that begins a ``_UNIT``.
_NOTHING_ESCAPED = re.compile(r"[^\\&%\x80-\U0010ffff]*")
_NO_LETTER = re.compile(r"[^a-zA-Z0-9]+")

# When 0, 1 or 2 bytes precede the credential in base64: the number of leading characters that hold
# bits of those bytes.
_FOREIGN_CHARACTERS = (0, 2, 3)


class Blotter:
    """Blots these secrets out of texts. Its own repr does not show them."""

    def __init__(self, *secrets: str) -> None:
        self._plain = tuple(secret for secret in secrets if secret)
        self._runs = _runs(self._plain)

    def text(self, value: str, most: int) -> str:
        """The text, fit to be kept: no secret, one printable line, at most ``most`` characters.

        Secrets are blotted out before the text is cut to its length; otherwise a part of a secret
        could remain at its end. A rough cut comes first, as in ``foreign_text``, because the text
        may be megabytes long.
        """
        return foreign_text(self.blotted(value[: ROUGHLY * most]), most)

    def blotted(self, text: str) -> str:
        """The text with ``BLOT`` for each part that gives a secret away."""
        for secret in self._plain:
            text = text.replace(secret, BLOT)
        if _NOTHING_ESCAPED.fullmatch(text) and not self._found(_letters(text)):
            return text
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
        """The first and last position of each run that is also in a secret, in order."""
        return sorted(
            (first, first + length - 1)
            for length, runs in self._runs
            for first in range(len(letters) - length + 1)
            if letters[first : first + length] in runs
        )


def _letters(text: str) -> str:
    """The letters of ``_reduced``, for a text in which every character stands for itself, in two
    steps of C instead of one of Python's for each character."""
    return _NO_LETTER.sub("", text).lower()


def _joined(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The ranges, with those that touch or overlap joined into one."""
    joined: list[tuple[int, int]] = []
    for first, last in ranges:
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return joined


def _reduced(text: str) -> Iterator[tuple[str, int, int]]:
    """The letters and digits that a text means, in lower case, each with the start and end of where
    it is written. A character that is not ASCII counts as its bytes in UTF-8, each byte as a
    letter, because a URL writes it so."""
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
        return ""  # It is invisible, so it does not separate its neighbours.
    return character.lower().encode().decode("latin-1")


@lru_cache(maxsize=16)
def _runs(secrets: tuple[str, ...]) -> tuple[tuple[int, frozenset[str]], ...]:
    """The runs that give one of the secrets away, by their length. Cached, because the same ones
    are sent with thousands of calls."""
    found: defaultdict[int, set[str]] = defaultdict(set)
    for secret in secrets:
        for letters in map(_meant, _writings(secret)):
            if len(letters) >= LEAST_TO_REDUCE:
                length = min(LONGEST_LEFT, max(LEAST_TO_REDUCE, len(letters) // 2))
                last = len(letters) - length
                found[length].update(letters[at : at + length] for at in range(last + 1))
    return tuple((length, frozenset(runs)) for length, runs in found.items())


def _writings(secret: str) -> Iterator[str]:
    """A secret, and how it is written in base64 behind any bytes."""
    raw = secret.encode("utf-8", "surrogatepass")
    yield secret
    for before, foreign in enumerate(_FOREIGN_CHARACTERS):
        whole = (before + len(raw)) * 8 // 6
        yield base64.b64encode(bytes(before) + raw)[foreign:whole].decode()


def _meant(text: str) -> str:
    return "".join(letter for letter, _, _ in _reduced(text))
