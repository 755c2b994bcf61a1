"""The list of mutants fits the program; `make mutants` shows that each of them is killed."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.mutants.listed import MUTANTS
from tests.mutants.mutant import ROOT, Mutant


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_fits_the_program(mutant: Mutant) -> None:
    assert mutant.stale() == []


def test_mutants_are_killed_by_what_they_do(tmp_path: Path) -> None:
    """A name that is not there would kill it, whatever the tests are worth."""
    for mutant in MUTANTS:
        if mutant.file.endswith(".py"):
            path = tmp_path / mutant.name / mutant.file
            path.parent.mkdir(parents=True)
            path.write_text((ROOT / mutant.file).read_text())
            mutant.apply(tmp_path / mutant.name)
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--select", "F821"]
    checked = subprocess.run([*ruff, str(tmp_path)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def test_names_are_given_once() -> None:
    assert [
        name for name, times in Counter(each.name for each in MUTANTS).items() if times > 1
    ] == []


def test_every_promise_has_a_mutant() -> None:
    rows = re.findall(r"^\| (\d+) \|", (ROOT / "docs" / "guarantees.md").read_text(), re.M)
    assert {mutant.promise for mutant in MUTANTS} == {int(number) for number in rows}


def test_every_mutant_has_a_killer() -> None:
    assert [mutant.name for mutant in MUTANTS if not mutant.killers] == []


@pytest.mark.parametrize(
    ("old", "killers"),
    [
        ("one", ("test_it.py::test_that",)),
        ("twice", ("test_it.py::test_that",)),
        ("none", ("test_it.py::test_that",)),
        ("once", ("test_it.py::test_other",)),
        ("once", ("test_gone.py::test_that",)),
        ("once", ("test_it.py::TestIt::test_other",)),
    ],
)
def test_a_stale_mutant_is_found(tmp_path: Path, old: str, killers: tuple[str, ...]) -> None:
    (tmp_path / "it.py").write_text("once twice twice")
    (tmp_path / "test_it.py").write_text(
        "def test_that(): ...\nclass TestIt:\n    def test_this(self): ...\n"
    )
    good = Mutant("good", 1, "it.py", "once", "", ("test_it.py::TestIt::test_this",))
    assert good.stale(tmp_path) == []
    assert len(Mutant("bad", 1, "it.py", old, "", killers).stale(tmp_path)) == 1


def test_applying_changes_one_place(tmp_path: Path) -> None:
    (tmp_path / "it.py").write_text("first second")
    before = Mutant("it", 1, "it.py", "second", "third", ()).apply(tmp_path)
    assert (before, (tmp_path / "it.py").read_text()) == ("first second", "first third")
    with pytest.raises(ValueError, match="stale"):
        Mutant("it", 1, "it.py", "second", "third", ()).apply(tmp_path)
