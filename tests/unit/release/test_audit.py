"""What counts as a pass of the look-up of vulnerabilities, and what does not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from release.audit import audit_of

CLEAN = {"name": "a", "version": "1", "vulns": []}
SKIPPED = {"name": "b", "skip_reason": "Dependency not found on PyPI"}
KNOWN = {"name": "c", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["3", "4"]}]}
UNMENDED = {"name": "d", "version": "2", "vulns": [{"id": "CVE-2", "fix_versions": []}]}


def report(*dependencies: dict[str, Any]) -> bytes:
    return json.dumps({"dependencies": dependencies, "fixes": []}).encode()


@pytest.mark.parametrize(
    ("written", "locked", "passed", "words"),
    [
        (report(CLEAN), 1, True, "none known, 1 of 1 packages were looked up"),
        (report(CLEAN, SKIPPED), 2, False, "NOT LOOKED UP, which is no pass"),
        (report(SKIPPED), 1, False, "0 of 1 packages were looked up"),
        (report(CLEAN), 2, True, "1 of 1 packages were looked up"),
        (report(CLEAN, SKIPPED), 1, False, "1 of 2 packages were looked up"),
        (report(), 0, False, "NOT LOOKED UP"),
        (b"", 3, False, "NOT LOOKED UP"),
        (b"Traceback", 3, False, "NOT LOOKED UP"),
        (report(KNOWN), 1, False, "KNOWN VULNERABILITIES, 1 of 1"),
        (report(KNOWN), 1, False, "c 2: CVE-1, fixed in 3, 4"),
        (report(UNMENDED, SKIPPED), 2, False, "d 2: CVE-2, fixed in no version yet"),
    ],
)
def test_an_audit(written: bytes, locked: int, passed: bool, words: str) -> None:
    audit = audit_of(written, locked)
    assert audit.passed is passed
    assert words in audit.in_words()
