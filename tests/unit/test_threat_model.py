"""Each claim of the threat model names the tests that would fail, and they are there."""

from __future__ import annotations

import ast

import pytest

from tests.support.documents import ROOT, shown

TEXT = (ROOT / "docs" / "threat-model.md").read_text()
CLAIMS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TEXT.partition("## What stands against it")[2].partition("\n## ")[0].splitlines()
    if line.startswith("| ") and not line.startswith("| who wants what ")
]


def is_there(test: str) -> bool:
    """``tests/…/test_x.py``, a folder of tests, or ``tests/…/test_x.py::test_name``."""
    file, _, name = test.partition("::")
    path = ROOT / file
    if not file.startswith("tests/") or not path.exists():
        return False
    if not name:
        return path.is_dir() or path.name.startswith("test_")
    return name in {
        node.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim[0])
def test_a_claim_names_tests_that_are_there(claim: list[str]) -> None:
    _, stands_against_it, cell = claim
    tests = list(shown(cell))
    assert stands_against_it
    assert tests != []
    assert [test for test in tests if not is_there(test)] == []


def test_there_are_claims() -> None:
    assert len(CLAIMS) > 15


@pytest.mark.parametrize(
    ("test", "there"),
    [
        ("tests/unit/test_threat_model.py", True),
        ("tests/unit", True),
        ("tests/unit/test_threat_model.py::test_there_are_claims", True),
        ("tests/unit/test_threat_model.py::test_gone", False),
        ("tests/unit/test_gone.py", False),
        ("tests/conftest.py", False),
        ("README.md", False),
    ],
)
def test_what_is_not_there_is_noticed(test: str, there: bool) -> None:
    assert is_there(test) is there
