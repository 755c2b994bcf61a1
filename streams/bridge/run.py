"""What all bridges are made of and do alike: a delivery into a Kafka that is kept connected, and an
HTTP server, until they are told to stop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Self

from opentelemetry import trace

from streams.addresses import http_url
from streams.bridge.delivery import Delivery
from streams.bridge.intake import judge_of
from streams.bridge.link import Link, TopicsProbe
from streams.bridge.metrics import BridgeMetrics
from streams.clock import Clock
from streams.kafka.publisher import KafkaPublisher
from streams.listening import Runner, listen
from streams.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Road:
    """The way into Kafka. ``link`` is its connection."""

    link: Link
    delivery: Delivery

    @classmethod
    def of(cls, settings: Settings, metrics: BridgeMetrics, clock: Clock) -> Self:
        publisher = KafkaPublisher(settings.kafka, client_id=f"{settings.app_id}-bridge")
        link = Link(publisher, probe=TopicsProbe(settings.kafka), clock=clock)
        delivery = Delivery(
            judge=judge_of(settings.genesys_api, settings.bridge_keep),
            publisher=link,
            topics=settings.topics,
            metrics=metrics,
            tracer=trace.get_tracer("streams.bridge"),
            clock=clock,
        )
        return cls(link, delivery)


async def serve(
    runner: Runner,
    link: Link,
    settings: Settings,
    work: Coroutine[Any, Any, object],
    exporting: Coroutine[Any, Any, None],
) -> None:
    """Listen, keep Kafka connected and do ``work`` to its end; then answer the requests in flight
    and flush.

    ``work`` begins once the port is bound. It has to watch for the stop itself, and returns when it
    has drained. ``exporting`` sends the metrics away until it is cancelled. Raises SettingsError
    when the address can't be listened on, and what ``work`` raises.
    """
    try:
        tls = settings.bridge_tls()
        address = await listen(
            runner,
            settings.bridge_host,
            settings.bridge_port,
            variables="BRIDGE_HOST, BRIDGE_PORT",
            tls=tls,
        )
    except BaseException:
        work.close()
        exporting.close()
        raise
    kafka, topic = settings.kafka_bootstrap_servers, settings.topics.events
    url = http_url(*address, tls=tls is not None)
    log.info("bridge listening on %s", url, extra={"kafka": kafka, "topic": topic})
    keeping = asyncio.create_task(link.keep(), name="kafka")
    working = asyncio.create_task(work, name="work")
    sending = asyncio.create_task(exporting, name="metrics")
    try:
        # The connection is kept for as long as the process lives, so neither ends before it has to.
        await asyncio.wait({working, keeping}, return_when=asyncio.FIRST_COMPLETED)
        for task in (keeping, working):
            if task.done():
                task.result()
    finally:
        await runner.cleanup()
        for task in (working, keeping, sending):
            task.cancel()
        await asyncio.wait({working, keeping, sending})
        await link.close()
