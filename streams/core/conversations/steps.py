"""What a look needs next: the steps of an Inquiry."""

from __future__ import annotations

from dataclasses import dataclass

from streams.core.conversations.record import OpenLeg


@dataclass(frozen=True, slots=True)
class Fetch:
    """GET the conversation."""


@dataclass(frozen=True, slots=True)
class Write:
    """Write the record that ``intends`` gives, then send the code to this leg."""

    leg: OpenLeg
    code: str


@dataclass(frozen=True, slots=True)
class Conclude:
    """Nothing is to be asked: write the record, and publish the result."""


Step = Fetch | Write | Conclude
