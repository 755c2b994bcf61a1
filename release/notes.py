"""The release notes: what CHANGELOG.md says of one version. ``python -m release.notes 0.2.0``."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from release.running import Failed

CHANGELOG = Path(__file__).parents[1] / "CHANGELOG.md"

# `## [0.2.0] - 2026-12-01`, or `unreleased` in place of the day.
_HEADING = re.compile(r"^## \[(?P<version>[^\]]+)\] - (?P<day>\S+)$", re.MULTILINE)


def notes(changelog: str, version: str, *, dated: bool = False) -> str:
    """What stands under the heading of the version, without the heading.

    ``dated``: the version is being published, so its heading has to have a day. Raises Failed when
    the version has no heading, nothing under it, or no day.
    """
    headings = list(_HEADING.finditer(changelog))
    ends = [each.start() for each in headings[1:]] + [len(changelog)]
    found = [
        (heading["day"], changelog[heading.end() : end].strip())
        for heading, end in zip(headings, ends, strict=True)
        if heading["version"] == version
    ]
    if not found:
        raise Failed(f"CHANGELOG.md has no heading ## [{version}] - DAY; write what has changed")
    day, text = found[0]
    if not text:
        raise Failed(f"CHANGELOG.md says nothing of {version}; write what has changed")
    if dated and not re.fullmatch(r"\d{4}-\d\d-\d\d", day):
        raise Failed(
            f"CHANGELOG.md calls {version} {day}; write the day of the release there, as "
            "2026-12-01, and tag that commit"
        )
    return f"{text}\n"


def main() -> None:
    *options, version = sys.argv[1:] or [""]
    try:
        sys.stdout.write(notes(CHANGELOG.read_text(), version, dated=options == ["--dated"]))
    except Failed as failure:
        sys.exit(f"release notes: {failure}")


if __name__ == "__main__":
    main()
