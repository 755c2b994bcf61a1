"""What a storm has of one dialect of the API: all else of it knows none of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from streams.local.generator.delivery import DeliveryReport
from streams.local.simulator.api import Simulator
from tests.chaos.judge import Wrong
from tests.chaos.ledger import Ledger
from tests.chaos.poison import Malformed


class Played(Protocol):
    """What is played in one storm, and what is right of it.

    ``sent``: ids of the events that must be in Kafka, as often as they were sent. ``truths``: the
    interactions that the API knows from the start, by id. ``settings``: those of the dialect.
    ``malformed``: records that are nearly events.
    """

    @property
    def ledger(self) -> Ledger[Any]: ...

    @property
    def sent(self) -> Counter[str]: ...

    @property
    def truths(self) -> Mapping[str, dict[str, Any]]: ...

    @property
    def settings(self) -> Mapping[str, object]: ...

    @property
    def malformed(self) -> Sequence[Malformed]: ...

    @property
    def interactions(self) -> int:
        """How many interactions, or conversations, were played."""
        ...

    @property
    def eligible(self) -> int:
        """How many interactions, or legs, must get the code."""
        ...

    @property
    def untold(self) -> int:
        """How many have no outcome yet, beside the records' own."""
        ...

    async def send(self, url: str, simulator: Simulator) -> DeliveryReport:
        """Send the events through the bridge as EventBridge would: again, until it has
        answered."""
        ...

    def judge(self, simulator: Simulator) -> dict[Wrong, list[str]]:
        """What the topics and the API's own counters show."""
        ...
