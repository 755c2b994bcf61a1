"""What an audit may find: the kinds, and one violation with its place. Values alone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from streams.core.records import Source


class Kind(StrEnum):
    """A promise that is broken. docs/audit.md says of each what it means and what to do."""

    LOST = "lost-outcome"
    COMMITTED_PAST = "committed-past-open"
    TWO_DECISIONS = "two-decisions"
    FOREIGN_ID = "foreign-id"
    OF_NOTHING = "outcome-of-nothing"
    OUT_OF_ORDER = "out-of-order"
    NO_LETTER = "no-dead-letter"
    LETTER_CHANGED = "dead-letter-changed"
    UNTRUE = "untrue"


WHAT_TO_DO = {
    Kind.LOST: "keep the workers' logs and report it; once you have them, put the event's bytes "
    "into events again, under the same key: it is decided as a new record",
    Kind.COMMITTED_PAST: "if somebody has set the group's offsets, set them back with the workers "
    "stopped (kafka-consumer-groups.sh --reset-offsets); else keep the workers' logs and report it",
    Kind.TWO_DECISIONS: "consumers have acted on the first one. If the table's changelog was "
    "deleted or an events topic made anew in that time, that is why; else report it",
    Kind.FOREIGN_ID: "look who may write to outcomes; if only workers may, report it",
    Kind.OF_NOTHING: "look who may write there; if only workers may, events has lost records: see "
    "docs/operations.md, Lost logs and reset offsets",
    Kind.OUT_OF_ORDER: "consumers that keep an interaction's last outcome have the wrong one; "
    "report it with both records",
    Kind.NO_LETTER: "its bytes are in events for as long as Kafka keeps them: save them from "
    "there; report it",
    Kind.LETTER_CHANGED: "do not redrive it: its own bytes are in events; look who may write to "
    "dead-letters",
    Kind.UNTRUE: "genesys-streams explain ID --ask shows both sides; somebody may have changed it "
    "in Genesys Cloud, or your settings have changed since",
}


@dataclass(frozen=True, slots=True)
class Violation:
    """One offender.

    ``record``: its place. ``interaction_id``: or the conversation's, or the record's key where its
    id is not known; None where there is none. ``participant_id``: of a leg.
    """

    kind: Kind
    record: Source
    interaction_id: str | None
    expected: str
    found: str
    participant_id: str | None = None

    @property
    def what_to_do(self) -> str:
        return WHAT_TO_DO[self.kind]
