"""Watches the running pipeline from outside: both topics, the API's counters, the worker's gauge."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import aiokafka
from prometheus_client.parser import text_string_to_metric_families

from streams.envelope import parse
from streams.kafka.declaration import EMBEDDED_PARTITIONS
from streams.kafka.reader import read_topic
from streams.local.demo.account import ApiCounts
from streams.local.demo.ledger import Ledger, SourceRecord, Told
from streams.records import decode_outcome
from streams.settings import Settings

# As often as the view is drawn.
POLL_SECONDS = 0.25

_IN_FLIGHT = "genesys_streams_in_flight"


@dataclass(slots=True)
class Readings:
    """The latest of what can be read off at any moment. ``api``: answers by route and status."""

    api: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    in_flight: int = 0


class Observer:
    """Fills ``ledger`` and ``readings`` for as long as ``watch`` runs."""

    def __init__(
        self,
        settings: Settings,
        session: aiohttp.ClientSession,
        *,
        simulator: str,
        worker: str,
    ) -> None:
        self.ledger = Ledger()
        self.readings = Readings()
        self._settings = settings
        self._session = session
        self._simulator = simulator
        self._worker = worker

    async def watch(self) -> None:
        """Until cancelled. Raises KafkaError, or a ClientError when a part is not there any more."""
        topics = self._settings.topics
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(topics.events, self._enter_event))
            group.create_task(self._follow(topics.outcomes, self._enter_outcome))
            group.create_task(self._poll())

    async def api_counts(self) -> dict[str, ApiCounts]:
        """What the simulated API saw of each interaction."""
        async with self._session.get(f"{self._simulator}/_simulator/counters") as answer:
            counters: dict[str, Any] = await answer.json()
        return {
            interaction_id: ApiCounts(
                calls=seen["gets"] + seen["patchesReceived"],
                patches_applied=seen["patchesApplied"],
            )
            for interaction_id, seen in counters["interactions"].items()
        }

    async def _follow(self, topic: str, enter: Callable[[aiokafka.ConsumerRecord], None]) -> None:
        partitions = range(EMBEDDED_PARTITIONS)
        async with aclosing(read_topic(self._settings, topic, partitions, follow=True)) as records:
            async for record in records:
                enter(record)

    def _enter_event(self, record: aiokafka.ConsumerRecord) -> None:
        event = parse(record.value)
        assert event is not None, "the generator sends interaction updates alone"
        self.ledger.records[record.partition, record.offset] = SourceRecord(
            event, record.timestamp
        )

    def _enter_outcome(self, record: aiokafka.ConsumerRecord) -> None:
        self.ledger.tell(Told(decode_outcome(record.value), record.timestamp))

    async def _poll(self) -> None:
        while True:
            # That a part has ended is known from its process; a reading less harms nobody.
            with suppress(aiohttp.ClientError, TimeoutError):
                await self._read()
            await asyncio.sleep(POLL_SECONDS)

    async def _read(self) -> None:
        url = f"{self._simulator}/_simulator/counters?interactions=false"
        async with self._session.get(url) as answer:
            self.readings.api = (await answer.json())["routes"]
        async with self._session.get(f"{self._worker}/metrics") as answer:
            page = await answer.text()
        for family in text_string_to_metric_families(page):
            if family.name == _IN_FLIGHT:
                self.readings.in_flight = int(family.samples[0].value)
