"""What a storm came to: figures and violations, as a table for people and as JSON."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from tests.chaos.judge import Findings, Wrong

# Of each kind of violation: enough to start looking, not a page of ids.
EXAMPLES = 5

_WIDTH = 52


class Report(msgspec.Struct, frozen=True, rename="camel"):
    """One storm. Times in seconds; ``drained``: from its end to the last outcome.

    ``interactions``: or conversations; ``eligible``: of these, or of their legs.
    ``published_again``: outcomes beyond the first of their record or leg. ``recovered``: records
    or legs whose PATCH was found done after a crash. ``put_off``: deferrals. ``looks``, ``blind``:
    of the watch, and those in which the brokers showed it nothing.
    """

    program: str
    dialect: str
    seed: int
    seconds: float
    drained: float
    replay: str
    sent: int
    retried_sends: int
    records: int
    poison: int
    interactions: int
    eligible: int
    patches_applied: int
    published_again: int
    recovered: int
    put_off: int
    looks: int
    blind: int
    kills: int
    faults: Mapping[str, int]
    starts: Mapping[str, int]
    ends: Mapping[str, int]
    api: Mapping[str, int]
    decisions: Mapping[str, int]
    violations: Mapping[str, int]
    examples: Mapping[str, list[str]]

    @property
    def total(self) -> int:
        """Violations of all kinds together; 0 when every promise was kept."""
        return sum(self.violations.values())

    def json(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self), indent=2)

    def table(self) -> str:
        """For a terminal."""
        lines = [
            f"storm of {self.seconds:.0f} s on {self.program} ({self.dialect}), seed {self.seed}",
            "",
            *_rows(
                {
                    "events sent": self.sent,
                    "sent again by the sender": self.retried_sends,
                    "records in the topic": self.records,
                    "of these poison": self.poison,
                    self.dialect: self.interactions,
                    "of these, or of their legs, eligible": self.eligible,
                    "PATCHes that took effect": self.patches_applied,
                    "outcomes published again": self.published_again,
                    "outcomes recovered": self.recovered,
                    "deferrals": self.put_off,
                    "seconds until the last outcome": round(self.drained),
                    "looks of the watch": self.looks,
                    "looks that brokers prevented": self.blind,
                    "processes killed with kill -9": self.kills,
                }
            ),
            "",
            "faults",
            *_rows(self.faults),
            "",
            "starts of workers and bridge",
            *_rows(self.starts),
            "",
            "answers of the API",
            *_rows(self.api),
            "",
            "decided",
            *_rows(self.decisions),
            "",
            "ended by themselves, or not as they should",
            *_rows(self.ends or {"none": 0}),
            "",
            "violations",
            *_rows(self.violations),
        ]
        for kind, examples in self.examples.items():
            lines += ["", f"{kind}:", *(f"  {each}" for each in examples)]
        verdict = "every promise kept" if not self.total else f"{self.total} violations"
        return "\n".join([*lines, "", f"{verdict}; replay: {self.replay}"])


def counted(findings: Findings) -> dict[str, int]:
    return {kind.value: len(findings[kind]) for kind in Wrong}


def examples(findings: Findings) -> dict[str, list[str]]:
    """The first few of each kind that there is."""
    return {kind.value: found[:EXAMPLES] for kind, found in findings.items() if found}


def _rows(figures: Mapping[str, int]) -> list[str]:
    return [f"  {name:<{_WIDTH}} {figure:>9,}" for name, figure in figures.items()]
