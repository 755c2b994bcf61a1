"""The demo of the dialect ``conversations``: the calls of an hour, played in a minute."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import aiohttp

from streams.clock import Clock
from streams.local.conversations.playing import from_now, tell
from streams.local.conversations.population import delivered
from streams.local.demo.leg_account import ConversationLedger, LegAccount, account_for_legs
from streams.local.demo.observer import Observer
from streams.local.demo.pipeline import Org, Pipeline
from streams.local.demo.screen import Screen
from streams.local.demo.waiting import last_outcome, shown
from streams.local.generator.delivery import Delivery


class PlayedConversations:
    """The conversations of a seed, played through the pipeline, ``SPEED`` times faster than they
    went."""

    def __init__(self, org: Org, clock: Clock) -> None:
        self.ledger = ConversationLedger()
        self._org = org
        self._clock = clock

    async def play(
        self,
        running: Pipeline,
        session: aiohttp.ClientSession,
        observer: Observer,
        screen: Screen,
    ) -> LegAccount:
        """Tell the simulated org what will happen, let it happen, wait, account."""
        ledger = self.ledger
        played = from_now(self._org.seed, self._org.interactions, self._clock)
        await tell(session, running.simulator, played)
        due = {
            (each.conversation_id, participant_id)
            for each in played
            for participant_id in (
                *(leg.participant_id for leg in each.expected.set),
                *(leg.participant_id for leg in each.expected.refused),
            )
        }
        planned = sum(len(each.events) for each in played)
        delivery = Delivery(session, running.bridge, self._clock)
        async with shown(screen, observer, ledger, planned):
            began = self._clock.monotonic()
            report = await delivery.deliver_at(_noted(delivered(played), ledger), asyncio.Event())
            ended = await last_outcome(
                observer,
                ledger,
                self._clock,
                lambda: (
                    len(ledger.records) >= report.accepted
                    and ledger.complete
                    and ledger.legs.keys() >= due
                ),
            )
        return account_for_legs(
            ledger,
            delivery=report,
            scenarios=played,
            writes=await observer.writes(),
            gets=await observer.gets(),
            seconds=ended - began,
        )

    def how_to_look(self, running: Pipeline, logs: Path, example: str) -> str:
        """What a user may try while it all keeps running."""
        kafka = f"KAFKA_BOOTSTRAP_SERVERS={running.kafka} genesys-streams"
        return f"""
Still running, until Ctrl-C. Have a look:

  what was decided about one conversation and its legs, and about all that come from now on
    {kafka} outcomes --interaction {example}
    {kafka} outcomes --follow
  what the worker remembers of it, and what Genesys Cloud has of it
    curl {running.worker}/interactions/{example}
    curl {running.simulator}/_simulator/conversations/{example}
  every code that was sent
    curl {running.simulator}/_simulator/writes
  metrics and logs
    curl {running.bridge}/metrics
    curl {running.worker}/metrics
    {logs}"""


def _noted(
    arrivals: Iterable[tuple[int, dict[str, Any]]], ledger: ConversationLedger
) -> Iterator[tuple[int, dict[str, Any]]]:
    for at_ms, event in arrivals:
        yield at_ms, event
        # Taken by the delivery once its time has come.
        ledger.sent.append(event["id"])
