"""What pip-audit found out about the locked dependencies.

pip-audit ends with exit code 0 and "No known vulnerabilities found" also when the index that it
asked knows none of the packages, as a mirror of PyPI may. So each package is counted that was
really looked up.
"""

from __future__ import annotations

import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Audit:
    """``known``: a line each. ``looked_up`` of the ``packages`` are in the index."""

    packages: int
    looked_up: int
    known: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return self.packages > 0 and self.looked_up == self.packages and not self.known

    def in_words(self) -> str:
        asked = f"{self.looked_up} of {self.packages} packages were looked up"
        if self.known:
            return "\n".join([f"KNOWN VULNERABILITIES, {asked}", *self.known])
        if self.passed:
            return f"none known, {asked}"
        return f"NOT LOOKED UP, which is no pass: no index of vulnerabilities was reached, {asked}"


def audit_of(report: bytes, locked: int) -> Audit:
    """``report``: pip-audit's JSON, nothing when it reached no index. ``locked``: how many packages
    there are then. A report has those alone that are for this platform."""
    try:
        found = json.loads(report)["dependencies"] if report.strip() else []
    except (ValueError, KeyError, TypeError):
        found = []
    looked_up = [each for each in found if "vulns" in each]
    return Audit(
        len(found) or locked,
        len(looked_up),
        tuple(
            f"{each['name']} {each['version']}: {vulnerability['id']}, fixed in "
            f"{', '.join(vulnerability['fix_versions']) or 'no version yet'}"
            for each in looked_up
            for vulnerability in each["vulns"]
        ),
    )
