"""The Prometheus metrics of the bridge over HTTP, beside those of every bridge."""

from __future__ import annotations

from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge

from streams.bridge.metrics import BridgeMetrics

Answered = Literal[
    # 200: in Kafka, acknowledged
    "accepted",
    # 200: another detail-type
    "skipped",
    # 400: not an event; it is in dead-letters
    "malformed",
    # 400: not HTTP, whatever it was meant to be; it is in no topic
    "not-http",
    # 404: another path
    "not-found",
    # 405: another method
    "method-not-allowed",
    # 401: no key, or a wrong one
    "unauthorized",
    # 413: larger than 1 MiB
    "too-large",
    # 415: not JSON content
    "unsupported-media-type",
    # 503: Kafka did not acknowledge it in time
    "unavailable",
    # 503: the body did not arrive in time, or its framing is so broken that it never will
    "body-late",
    # 503: the limit of requests in flight is reached
    "overloaded",
    # 503: the sender went away in the middle of the body
    "cut-off",
]


class HttpMetrics(BridgeMetrics):
    """Metrics of one bridge on the registry handed in."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self.requests = Counter(
            "genesys_streams_bridge_requests",
            "Requests to POST /events, and those for nothing that there is, by their answer.",
            ["answer"],
            registry=registry,
        )
        # Each counter starts at 0; otherwise an alert on growth never sees the first of a kind.
        for answered in get_args(Answered):
            self.requests.labels(answered)
        self.in_flight = Gauge(
            "genesys_streams_bridge_in_flight",
            "Requests whose body is being read or waits for Kafka.",
            registry=registry,
        )
        self.connections = Gauge(
            "genesys_streams_bridge_connections",
            "Open connections.",
            registry=registry,
        )
        self.connections_refused = Counter(
            "genesys_streams_bridge_connections_refused",
            "Connections closed at once, because as many were open as descriptors allow.",
            registry=registry,
        )
