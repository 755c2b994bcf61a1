"""Release notes out of a changelog."""

from __future__ import annotations

import pytest

from release.notes import CHANGELOG, notes
from release.running import Failed
from streams import __version__

TEXT = """# Changelog

All notable changes.

## [0.2.0] - unreleased

### Added

- One thing.

## [0.1.0] - 2026-11-23

- Everything.

## [0.0.1] - 2026-11-01
"""


def test_they_are_what_stands_under_the_versions_heading() -> None:
    assert notes(TEXT, "0.2.0") == "### Added\n\n- One thing.\n"
    assert notes(TEXT, "0.1.0", dated=True) == "- Everything.\n"


@pytest.mark.parametrize(
    ("version", "dated", "message"),
    [
        ("0.3.0", False, r"no heading ## \[0.3.0\]"),
        ("0.2", False, "no heading"),
        ("0.0.1", False, "says nothing of 0.0.1"),
        ("0.2.0", True, "calls 0.2.0 unreleased; write the day"),
    ],
)
def test_without_them_there_is_no_release(version: str, dated: bool, message: str) -> None:
    with pytest.raises(Failed, match=message):
        notes(TEXT, version, dated=dated)


def test_this_version_has_notes() -> None:
    assert "### Added" in notes(CHANGELOG.read_text(), __version__)
