"""What an audit came to, as its file has it: what was read from where to where, and what was found.

JSON, UTF-8, camelCase; times are RFC 3339 UTC with milliseconds.
"""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

import streams
from streams.clock import rfc3339
from streams.operator.audit.ranges import Range
from streams.operator.audit.reading import Read, Stretch
from streams.operator.audit.violation import Kind, Violation

SCHEMA_VERSION = 1

# Of each kind: enough to see what they have in common, and a file that can be opened. All are
# counted.
MOST_NAMED = 1_000

# What a result can not be understood without. No secret is among them.
SETTINGS = (
    *("kafka_bootstrap_servers", "topic_prefix", "app_id", "genesys_api", "disposition_code_id"),
    *("duration_threshold_ms", "dry_run", "fetch_policy", "retry_max_attempts"),
    *("wrap_up_none_codes", "wrap_up_media", "wrap_up_legs", "wrap_up_campaigns"),
)


@dataclass(slots=True)
class Findings:
    """The violations of all kinds: how many, and the first of each."""

    numbers: Counter[Kind] = field(default_factory=Counter)
    named: list[Violation] = field(default_factory=list)

    def add(self, violation: Violation) -> None:
        self.numbers[violation.kind] += 1
        if self.numbers[violation.kind] <= MOST_NAMED:
            self.named.append(violation)

    def total(self) -> int:
        return self.numbers.total()


@dataclass(frozen=True, slots=True)
class Sample:
    """What Genesys Cloud was asked. ``unknown``: those of which it gave no answer."""

    seed: int
    asked: Sequence[str]
    unknown: Sequence[str]


@dataclass(frozen=True, slots=True)
class Audit:
    """All of one audit. Times in epoch seconds. ``counts``, ``decisions``: the judge's."""

    began: float
    ended: float
    stretch: Stretch
    read: Read
    counts: Mapping[str, int]
    decisions: Mapping[str, int]
    findings: Findings
    sample: Sample | None


def as_json(audit: Audit, settings: Any) -> bytes:
    """The file."""
    findings = audit.findings
    stretch = {"from": audit.stretch.since, "to": audit.stretch.until}
    written = {
        "schemaVersion": SCHEMA_VERSION,
        "kept": not findings.total(),
        "program": f"genesys-streams {streams.__version__}",
        "python": platform.python_version(),
        "began": rfc3339(audit.began),
        "ended": rfc3339(audit.ended),
        "stretch": {name: _time(at) for name, at in stretch.items()},
        "settings": {name.upper(): getattr(settings, name) for name in SETTINGS},
        "committed": [
            {
                "topic": at.topic,
                "partition": at.partition,
                "offset": each.offset,
                "life": each.metadata or None,
            }
            for at, each in sorted(audit.read.committed.items())
        ],
        "read": [_range(each) for each in _sorted(audit.read.ranges.values())],
        "unreadableOutcomes": audit.read.unreadable,
        "counts": audit.counts,
        "decisions": audit.decisions,
        "sample": None
        if audit.sample is None
        else {
            "seed": audit.sample.seed,
            "asked": audit.sample.asked,
            "unknown": audit.sample.unknown,
        },
        "violations": {kind: findings.numbers[kind] for kind in Kind},
        "named": [fields(each) for each in findings.named],
    }
    return msgspec.json.format(msgspec.json.encode(written), indent=2) + b"\n"


def fields(violation: Violation) -> dict[str, object]:
    """One offender, in the file and on a line of ``--json``."""
    return {
        "kind": violation.kind,
        "record": violation.record,
        "interactionId": violation.interaction_id,
        "participantId": violation.participant_id,
        "expected": violation.expected,
        "found": violation.found,
        "whatToDo": violation.what_to_do,
    }


def _range(each: Range) -> dict[str, object]:
    return {
        "topic": each.topic,
        "partition": each.partition,
        "begin": each.begin,
        "end": each.end,
        "records": each.records,
        "first": each.first,
        "last": each.last,
        "firstAt": _time(each.first_at),
        "lastAt": _time(each.last_at),
    }


def _sorted(ranges: Iterable[Range]) -> Sequence[Range]:
    return sorted(ranges, key=lambda each: (each.topic, each.partition))


def _time(at: int | None) -> str | None:
    return None if at is None else rfc3339(at / 1000)
