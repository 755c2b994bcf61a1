"""The documents, and the code that they show."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    *sorted((ROOT / "docs").rglob("*.md")),
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "tests/README.md")),
]


def shown(text: str) -> Iterator[str]:
    """Each line of a block of code, and each piece of code in a sentence or a table, in order. A
    line that ends in a backslash goes on in the next."""
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type in ("fence", "code_block"):
            yield from token.content.replace("\\\n", " ").splitlines()
        for piece in token.children or ():
            if piece.type == "code_inline":
                yield piece.content
