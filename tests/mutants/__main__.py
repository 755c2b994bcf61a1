"""Takes each mechanism of the program out, one at a time, and demands that its tests notice.

    python -m tests.mutants [PART OF A NAME]

Works on copies of what git knows or would add, so a checkout with changes is fine. Exit 1 when a
mutant survives, 2 when the list is stale or a killer fails on the program as it is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import click

from tests.mutants.listed import MUTANTS
from tests.mutants.mutant import ROOT, Mutant

# Test runs side by side, each in a copy of its own.
COPIES = 2

# A mutant that hangs a test is as dead as one that fails it.
HANGS_AFTER_SECONDS = 30

# What pytest exits with when tests ran and some failed. An import that breaks is another one.
PASSED, FAILED = 0, 1

NAME_WIDTH = 62


@dataclass(frozen=True)
class Tested:
    """One run of tests: those that failed, and what was said when it was no proper run."""

    failed: frozenset[str]
    seconds: float
    broken: str = ""


def main(wanted: str) -> int:
    mutants = [mutant for mutant in MUTANTS if wanted in mutant.name]
    stale = [f"{mutant.name}: {why}" for mutant in mutants for why in mutant.stale()]
    if stale or not mutants:
        click.echo("\n".join(stale) or f"no mutant has {wanted!r} in its name", err=True)
        return 2
    started = time.monotonic()
    with ExitStack() as stack:
        copies: SimpleQueue[Path] = SimpleQueue()
        for _ in range(COPIES):
            copies.put(copy(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
        unchanged = attempt(copies, None, sorted({each for m in mutants for each in m.killers}))
        if unchanged.broken or unchanged.failed:
            failed = "\n".join(sorted(unchanged.failed))
            click.echo(f"the program as it is fails:\n{failed}{unchanged.broken}", err=True)
            return 2
        click.echo(f"{'mutant':{NAME_WIDTH}}{'promise':>8}{'s':>7}  killed by")
        pool = stack.enter_context(ThreadPoolExecutor(COPIES))
        runs = pool.map(lambda mutant: attempt(copies, mutant, mutant.killers), mutants)
        survived = [show(mutant, tested) for mutant, tested in zip(mutants, runs, strict=True)]
    seconds = time.monotonic() - started
    click.echo(f"{len(mutants)} mutants, {sum(survived)} survived, {seconds:.0f} s")
    return 1 if any(survived) else 0


def copy(tree: Path) -> Path:
    """The checkout as it is, changes and new files included, without what git ignores."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    for name in listed.stdout.rstrip("\0").split("\0"):
        if (ROOT / name).is_file():  # deleted, and still in the index, is no part of the program
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
    return tree


def attempt(copies: SimpleQueue[Path], mutant: Mutant | None, tests: Sequence[str]) -> Tested:
    """Run these tests on a copy that is mutated for as long as they run."""
    tree = copies.get()
    try:
        if mutant is None:
            return run(tree, tests)
        before = mutant.apply(tree)
        try:
            return run(tree, tests)
        finally:
            (tree / mutant.file).write_text(before)
    finally:
        copies.put(tree)


def run(tree: Path, tests: Sequence[str]) -> Tested:
    started = time.monotonic()
    # No bytecode: two mutants of one file, of one size and one second, would pass for the same.
    env = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    options = ["-p", "no:cacheprovider", "--tb=no", "-rfE", f"--timeout={HANGS_AFTER_SECONDS}"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *tests],
        cwd=tree,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    lines = [line.split(maxsplit=2) for line in done.stdout.splitlines()]
    failed = {words[1] for words in lines if len(words) > 1 and words[0] == "FAILED"}
    proper = done.returncode in (PASSED, FAILED) and not any(
        words[:1] == ["ERROR"] for words in lines
    )
    return Tested(
        frozenset(test for test in tests if any(_is_of(test, each) for each in failed)),
        time.monotonic() - started,
        "" if proper else done.stdout[-2000:],
    )


def _is_of(test: str, failed: str) -> bool:
    return failed == test or failed.startswith(f"{test}[")


def show(mutant: Mutant, tested: Tested) -> bool:
    """Print its row; returns whether it has survived."""
    survived = bool(tested.broken) or tested.failed != set(mutant.killers)
    killers = " ".join(
        ("" if test in tested.failed else "NOT ") + test.removeprefix("tests/")
        for test in mutant.killers
    )
    said = f"NO PROPER RUN\n{tested.broken}" if tested.broken else killers
    click.echo(f"{mutant.name:{NAME_WIDTH}}{mutant.promise:8}{tested.seconds:7.1f}  {said}")
    return survived


if __name__ == "__main__":
    sys.exit(main(" ".join(sys.argv[1:])))
