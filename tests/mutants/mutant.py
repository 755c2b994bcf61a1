"""What a mutant is, and whether it still fits the program."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Mutant:
    """The program with one mechanism taken out: ``old``, exactly once in ``file``, becomes ``new``.

    ``promise``: its number in docs/guarantees.md. ``killers``: the tests that must fail.
    """

    name: str
    promise: int
    file: str
    old: str
    new: str
    killers: tuple[str, ...]

    def apply(self, tree: Path) -> str:
        """Change that tree; returns the file as it was. Raises ValueError for a stale mutant."""
        path = tree / self.file
        before = path.read_text()
        if before.count(self.old) != 1:
            raise ValueError(
                f"{self.name}: stale, its old text is {before.count(self.old)} times in "
                f"{self.file}; bring the mutant up to date with the program"
            )
        path.write_text(before.replace(self.old, self.new))
        return before

    def stale(self, tree: Path = ROOT) -> list[str]:
        """Why it does not fit the program any more; empty when it does."""
        path = tree / self.file
        found = path.read_text().count(self.old) if path.exists() else 0
        wrong = [] if found == 1 else [f"its old text is {found} times in {self.file}"]
        if self.old == self.new:
            wrong.append("it changes nothing")
        wrong += [f"there is no test {test}" for test in self.killers if not _exists(tree, test)]
        return wrong


def _exists(tree: Path, test: str) -> bool:
    """Whether a test of this id is written down: ``file::function``, ``file::class::function``."""
    file, *names = test.split("::")
    path = tree / file
    scope: list[ast.stmt] = ast.parse(path.read_text()).body if path.exists() else []
    for name in names:
        found = [
            each
            for each in scope
            if isinstance(each, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and each.name == name
        ]
        if not found:
            return False
        scope = found[0].body
    return path.exists()
