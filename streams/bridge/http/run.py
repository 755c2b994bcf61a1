"""The bridge over HTTP, from its settings to its end."""

from __future__ import annotations

import asyncio

from prometheus_client import CollectorRegistry

from streams.bridge.http.front import HttpBridge
from streams.bridge.http.metrics import HttpMetrics
from streams.bridge.run import Road, serve
from streams.clock import SystemClock
from streams.listening import Runner
from streams.settings import Settings
from streams.telemetry.metering import NOWHERE, MetricsExport

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


async def run_http_bridge(
    settings: Settings, stop: asyncio.Event, export: MetricsExport = NOWHERE
) -> None:
    """Serve until ``stop`` is set, then answer the requests in flight and flush.

    Raises SettingsError when a key is needed, or when the address can't be listened on. Kafka may
    come later, or go away: the bridge answers 503 meanwhile.
    """
    api_keys = settings.bridge_api_keys()
    metrics = HttpMetrics(CollectorRegistry())
    road = Road.of(settings, metrics, SystemClock())
    bridge = HttpBridge(
        delivery=road.delivery, not_ready=road.link.not_ready, api_keys=api_keys, metrics=metrics
    )
    runner = make_runner(bridge)
    metrics.connections.set_function(lambda: runner.connections)
    await serve(runner, road.link, settings, stop.wait(), export.run(bridge.registry))


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
