"""Watches the running pipeline from outside: both topics, the API's counters, a metric."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing, suppress
from types import TracebackType
from typing import Any

import aiohttp
from aiokafka import ConsumerRecord
from prometheus_client.parser import text_string_to_metric_families

from streams.kafka.declaration import EMBEDDED_PARTITIONS
from streams.kafka.reader import read_topic
from streams.local.demo.account import ApiCounts
from streams.local.demo.ledger import Book, Readings
from streams.local.demo.pipeline import Pipeline

# As often as the live view is drawn.
POLL_SECONDS = 0.25

_IN_FLIGHT = "genesys_streams_in_flight"


class Observer:
    """Fills ``ledger`` and ``readings``. Async context manager: observes while it is entered."""

    def __init__(self, pipeline: Pipeline, session: aiohttp.ClientSession, ledger: Book) -> None:
        self.readings = Readings()
        self._ledger = ledger
        self._pipeline = pipeline
        self._session = session
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Observer:
        topics = self._pipeline.settings.topics
        self._tasks = [
            asyncio.create_task(self._follow(topics.events, self._enter_event)),
            asyncio.create_task(self._follow(topics.outcomes, self._enter_outcome)),
            asyncio.create_task(self._poll()),
        ]
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)

    def check(self) -> None:
        """Raise the error that made the observer stop observing, if there is one."""
        for task in self._tasks:
            if task.done():
                task.result()

    async def api_counts(self) -> dict[str, ApiCounts]:
        """What the API saw of each interaction; brings ``readings`` up to date as well."""
        await self._read()
        async with self._session.get(f"{self._pipeline.simulator}/_simulator/counters") as answer:
            counters: dict[str, Any] = await answer.json()
        return {
            interaction_id: ApiCounts(
                calls=seen["gets"] + seen["patchesReceived"],
                patches_applied=seen["patchesApplied"],
            )
            for interaction_id, seen in counters["interactions"].items()
        }

    async def gets(self) -> dict[str, int]:
        """How often each conversation was asked for; brings ``readings`` up to date as well."""
        await self._read()
        async with self._session.get(f"{self._pipeline.simulator}/_simulator/counters") as answer:
            counters: dict[str, Any] = await answer.json()
        return {each: seen["gets"] for each, seen in counters["interactions"].items()}

    async def writes(self) -> list[dict[str, Any]]:
        """Every wrap-up code that the API was sent."""
        async with self._session.get(f"{self._pipeline.simulator}/_simulator/writes") as answer:
            written: list[dict[str, Any]] = (await answer.json())["writes"]
        return written

    async def _follow(self, topic: str, enter: Callable[[ConsumerRecord], None]) -> None:
        settings, partitions = self._pipeline.settings, range(EMBEDDED_PARTITIONS)
        async with aclosing(read_topic(settings.kafka, topic, partitions, follow=True)) as records:
            async for record in records:
                enter(record)

    def _enter_event(self, record: ConsumerRecord) -> None:
        place = (record.partition, record.offset)
        self._ledger.read_event(place, record.value, record.timestamp)

    def _enter_outcome(self, record: ConsumerRecord) -> None:
        self._ledger.read_outcome(record.value, record.timestamp)

    async def _poll(self) -> None:
        while True:
            # The death of a part is seen from its process, and one reading less harms nobody.
            with suppress(aiohttp.ClientError, TimeoutError):
                await self._read()
            await asyncio.sleep(POLL_SECONDS)

    async def _read(self) -> None:
        url = f"{self._pipeline.simulator}/_simulator/counters?interactions=false"
        async with self._session.get(url) as answer:
            self.readings.api = (await answer.json())["routes"]
        async with self._session.get(f"{self._pipeline.worker}/metrics") as answer:
            page = await answer.text()
        for family in text_string_to_metric_families(page):
            if family.name == _IN_FLIGHT:
                self.readings.in_flight = int(family.samples[0].value)
