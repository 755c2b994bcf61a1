"""The demo of the dialect ``interactions``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import aiohttp

from streams.clock import Clock
from streams.local.demo.account import Account, account_for
from streams.local.demo.ledger import Ledger
from streams.local.demo.observer import Observer
from streams.local.demo.pipeline import Org, Pipeline
from streams.local.demo.screen import Screen
from streams.local.demo.waiting import last_outcome, shown
from streams.local.generator.delivery import Delivery
from streams.local.generator.population import population
from streams.local.generator.stream import stream

# The events are spread over this time: long enough to watch, short enough to wait for.
STREAM_SECONDS = 12.0

# The fewest and the most events a second. The fewest, because a handful of interactions need not
# take the whole time. The most, because on two cores the four parts and the demo decide some 700 a
# second, and more would only queue up.
LEAST_RATE = 100.0
MOST_RATE = 600.0


class PlayedInteractions:
    """The interactions of a seed, played through the pipeline."""

    def __init__(self, org: Org, clock: Clock) -> None:
        self.ledger = Ledger()
        self._org = org
        self._clock = clock
        self._interactions = population(org.seed, org.interactions)

    async def play(
        self,
        running: Pipeline,
        session: aiohttp.ClientSession,
        observer: Observer,
        screen: Screen,
    ) -> Account:
        """Send, wait, account."""
        ledger = self.ledger
        planned = sum(1 for _ in stream(self._interactions, self._org.seed))
        events = stream(self._interactions, self._org.seed, now=self._clock.time)
        rate = min(MOST_RATE, max(LEAST_RATE, planned / STREAM_SECONDS))
        delivery = Delivery(session, running.bridge, self._clock, rate=rate)
        async with shown(screen, observer, ledger, planned):
            began = self._clock.monotonic()
            report = await delivery.deliver(_noted(events, ledger), asyncio.Event())
            ended = await last_outcome(
                observer,
                ledger,
                self._clock,
                lambda: len(ledger.records) >= report.accepted and ledger.complete,
            )
        return account_for(
            ledger,
            delivery=report,
            truths={each.id: each.truth for each in self._interactions},
            api=await observer.api_counts(),
            seconds=ended - began,
        )

    def how_to_look(self, running: Pipeline, logs: Path, example: str) -> str:
        """What a user may try while it all keeps running."""
        kafka = f"KAFKA_BOOTSTRAP_SERVERS={running.kafka} genesys-streams"
        generate = f"--interactions {self._org.interactions} --seed {self._org.seed}"
        return f"""
Still running, until Ctrl-C. Have a look:

  what was decided about one interaction, and about all that come from now on
    {kafka} outcomes --interaction {example}
    {kafka} outcomes --follow
  what the worker remembers of it, and what Genesys Cloud has of it
    curl {running.worker}/interactions/{example}
    curl {running.simulator}/_simulator/interactions/{example}
  all events once more, duplicates now
    genesys-streams generate {generate} --to {running.bridge}
  metrics and logs
    curl {running.bridge}/metrics
    curl {running.worker}/metrics
    {logs}"""


def _noted(events: Iterable[dict[str, Any]], ledger: Ledger) -> Iterator[dict[str, Any]]:
    for event in events:
        ledger.sent.append(event["id"])
        yield event
