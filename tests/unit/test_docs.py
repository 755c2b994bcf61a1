"""What the documents say of the program is true of the program."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from streams.core.records import Reason
from streams.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


def test_every_setting_is_documented() -> None:
    named = set(re.findall(r"`([A-Z][A-Z_]+)`", (ROOT / "docs" / "settings.md").read_text()))
    assert {field.upper() for field in Settings.model_fields} <= named


def test_every_reason_of_an_outcome_without_a_code_is_explained() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    told_elsewhere = {
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
        reason for reason in Reason if f"`{reason}`" not in text and reason not in told_elsewhere
    ] == []


@pytest.mark.parametrize("document", [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"])
def test_what_a_document_points_to_is_there(document: Path) -> None:
    text = document.read_text()
    linked = re.findall(r"\]\(([^)#:]+)\)", text)
    named = re.findall(r"`(tests/[\w/.]+)`", text)
    missing = [to for to in linked if not (document.parent / to).exists()]
    missing += [to for to in named if not (ROOT / to).exists()]
    assert missing == []
