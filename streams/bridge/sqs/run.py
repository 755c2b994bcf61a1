"""The bridge from SQS, from its settings to its end."""

from __future__ import annotations

import asyncio
import logging
from random import Random

from prometheus_client import CollectorRegistry

from streams.bridge.run import Road, serve
from streams.bridge.sqs.front import SqsBridge
from streams.bridge.sqs.metrics import SqsMetrics
from streams.bridge.sqs.queue import connected
from streams.clock import SystemClock
from streams.listening import Runner
from streams.queue_region import queue_region
from streams.settings import Settings
from streams.telemetry.metering import NOWHERE, MetricsExport

log = logging.getLogger(__name__)

# Only probes and Prometheus ask, and are answered at once.
HTTP_DRAIN_SECONDS = 0.5


async def run_sqs_bridge(
    settings: Settings, stop: asyncio.Event, export: MetricsExport = NOWHERE
) -> None:
    """Bridge until ``stop`` is set, then let go of the messages in hand and flush.

    Raises SettingsError when no client for AWS can be made of the settings, or when the address
    can't be listened on. Queue and Kafka may come later, or go away: the bridge waits for them.
    """
    url = settings.queue_url()
    clock = SystemClock()
    metrics = SqsMetrics(CollectorRegistry())
    road = Road.of(settings, metrics, clock)
    async with connected(url, queue_region(url, settings.aws_region)) as queue:
        bridge = SqsBridge(
            queue=queue,
            delivery=road.delivery,
            kafka_trouble=road.link.not_ready,
            metrics=metrics,
            clock=clock,
            random=Random(),
        )
        exporting = export.run(bridge.registry)
        await serve(make_runner(bridge), road.link, settings, bridge.run(stop), exporting)


def make_runner(bridge: SqsBridge) -> Runner:
    """Serves health and metrics."""
    return Runner(bridge.application(), on_not_http=_not_http, shutdown_timeout=HTTP_DRAIN_SECONDS)


def _not_http() -> None:
    log.warning("a request was no valid HTTP and was not taken")
