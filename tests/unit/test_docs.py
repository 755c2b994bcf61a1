"""What the documents say of the program is true of the program."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from streams.core.records import Reason
from streams.settings import Settings
from tests.support.documents import DOCUMENTS, ROOT

# A file of Python, or a directory: `streams/core/rules.py`, `worker/lanes/`.
NAMED = re.compile(r"`((?:[\w.-]+/)*[\w-]+\.py|(?:[\w.-]+/)+)`")


def test_every_setting_is_documented() -> None:
    named = set(re.findall(r"`([A-Z][A-Z_]+)`", (ROOT / "docs" / "settings.md").read_text()))
    assert {field.upper() for field in Settings.model_fields} <= named


def test_every_reason_of_an_outcome_without_a_code_is_explained() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    explained_elsewhere = {
        Reason.ELIGIBLE,  # the call has its code
        # Of deferrals, which are not final.
        Reason.SERVER_ERROR,
        Reason.RATE_LIMITED,
        Reason.TIMEOUT,
        Reason.CIRCUIT_OPEN,
        Reason.UNAUTHORIZED,
        Reason.RETRIES_EXHAUSTED,
    }
    assert [
        reason
        for reason in Reason
        if f"`{reason}`" not in text and reason not in explained_elsewhere
    ] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_document_points_to_is_there(document: Path) -> None:
    text = document.read_text()
    linked = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
    named = re.findall(r"`(tests/[\w/.]+)`", text)
    missing = [to for to in linked if not (document.parent / to).exists()]
    missing += [to for to in named if not (ROOT / to).exists()]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_that_a_document_names_is_there(document: Path) -> None:
    """By its path from the root, or, as is shorter, from ``streams``; a test also by its name."""
    tests = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    named = set(NAMED.findall(document.read_text())) - tests
    assert {
        name
        for name in named
        if not (ROOT / name).exists() and not (ROOT / "streams" / name).exists()
    } == set()


def test_every_test_that_a_comment_names_is_there() -> None:
    """By its path from the root, or, as is shorter, by its name: these show what is said there."""
    tests = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    cited = {
        (str(module.relative_to(ROOT)), name)
        for module in (ROOT / "streams").rglob("*.py")
        for name in re.findall(r"(?:\btests/[\w/]+(?:\.py)?|\btest_\w+\.py)", module.read_text())
    }
    assert len(cited) > 30
    assert {at for at in cited if at[1] not in tests and not (ROOT / at[1]).exists()} == set()


@pytest.mark.parametrize("gone", ["streams/gone.py", "core/gone.py", "gone.py", "worker/gone/"])
def test_a_name_of_any_such_form_is_looked_at(gone: str) -> None:
    assert NAMED.findall(f"see `{gone}` and `make test`, `a/b`, `--flag`") == [gone]
