"""The bridge from its settings to its end: assemble, listen, drain."""

from __future__ import annotations

import asyncio
import logging

from opentelemetry import trace
from prometheus_client import CollectorRegistry

from streams.addresses import http_url
from streams.bridge.delivery import Delivery
from streams.bridge.http import HttpBridge
from streams.bridge.link import Link, TopicsProbe
from streams.bridge.metrics import BridgeMetrics
from streams.clock import SystemClock
from streams.kafka.publisher import KafkaPublisher
from streams.listening import Runner, listen
from streams.settings import Settings

log = logging.getLogger(__name__)

# Every request is answered within 4 s. After that, flushing the records and the last spans takes up
# to 2 s each. The whole drain has 9.5 s.
DRAIN_SECONDS = 4.0

# After a 413 or 401 the rest of the body is read and thrown away for this long, because some
# senders read the answer only when they have sent everything. A longer time could delay the drain.
LINGER_SECONDS = 2.0

# A connection that sends no whole request header is closed after this time; otherwise slow senders
# could take all descriptors. It is longer than the minute after which load balancers close an idle
# connection. If it were shorter they would send into a connection that has just been closed.
IDLE_SECONDS = 75.0


async def run_bridge(settings: Settings, stop: asyncio.Event) -> None:
    """Serve until ``stop`` is set, then answer the requests in flight and flush.

    Raises SettingsError when a key is needed, or when the address can't be listened on. Kafka may
    come later, or go away: the bridge answers 503 meanwhile.
    """
    clock = SystemClock()
    api_keys = settings.bridge_api_keys()
    publisher = KafkaPublisher(settings.kafka, client_id=f"{settings.app_id}-bridge")
    link = Link(publisher, probe=TopicsProbe(settings.kafka), clock=clock)
    metrics = BridgeMetrics(CollectorRegistry())
    delivery = Delivery(
        publisher=link,
        topics=settings.topics,
        metrics=metrics,
        tracer=trace.get_tracer("streams.bridge"),
        clock=clock,
    )
    bridge = HttpBridge(
        delivery=delivery, not_ready=link.not_ready, api_keys=api_keys, metrics=metrics
    )
    runner = make_runner(bridge)
    metrics.connections.set_function(lambda: runner.connections)
    address = await listen(
        runner, settings.bridge_host, settings.bridge_port, variables="BRIDGE_HOST, BRIDGE_PORT"
    )
    kafka, topic = settings.kafka_bootstrap_servers, settings.topics.events
    log.info("bridge listening on %s", http_url(*address), extra={"kafka": kafka, "topic": topic})
    keeping = asyncio.create_task(link.keep(), name="kafka")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    try:
        await asyncio.wait({stopping, keeping}, return_when=asyncio.FIRST_COMPLETED)
        if keeping.done():
            keeping.result()
    finally:
        await runner.cleanup()
        for task in (stopping, keeping):
            task.cancel()
        await asyncio.wait({stopping, keeping})
        await link.close()


def make_runner(bridge: HttpBridge, *, idle_seconds: float = IDLE_SECONDS) -> Runner:
    """Serves a bridge within the limits above."""
    return Runner(
        bridge.application(),
        on_not_http=bridge.not_http,
        on_no_room=bridge.no_room,
        keepalive_timeout=idle_seconds,
        lingering_time=LINGER_SECONDS,
        shutdown_timeout=DRAIN_SECONDS,
    )
