"""The Prometheus metrics of the bridge from SQS, beside those of every bridge."""

from __future__ import annotations

from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge

from streams.bridge.metrics import BridgeMetrics

Ended = Literal[
    # in Kafka, acknowledged
    "accepted",
    # another detail-type
    "skipped",
    # not an event; it is in dead-letters
    "malformed",
    # could not be handled; given back to the queue
    "failed",
    # held for twelve hours, the longest that SQS allows; it comes again
    "expired",
    # given back to the queue when the bridge was told to stop
    "stopped",
]

# What is asked of SQS, by AWS' own names.
Operation = Literal[
    "GetQueueAttributes",
    "ReceiveMessage",
    "DeleteMessageBatch",
    "ChangeMessageVisibilityBatch",
]


class SqsMetrics(BridgeMetrics):
    """Metrics of one bridge on the registry handed in."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self.messages = Counter(
            "genesys_streams_bridge_messages",
            "Messages that were received, by what came of them.",
            ["result"],
            registry=registry,
        )
        # Each counter starts at 0; otherwise an alert on growth never sees the first of a kind.
        for ended in get_args(Ended):
            self.messages.labels(ended)
        self.redelivered = Counter(
            "genesys_streams_bridge_redelivered",
            "Messages that SQS had handed out before.",
            registry=registry,
        )
        self.deleted = Counter(
            "genesys_streams_bridge_deleted",
            "Messages deleted from the queue.",
            registry=registry,
        )
        self.receipts_lost = Counter(
            "genesys_streams_bridge_receipts_lost",
            "Messages that SQS let us neither delete nor hide any more; they may come again.",
            registry=registry,
        )
        self.queue_errors = Counter(
            "genesys_streams_bridge_queue_errors",
            "Requests that SQS did not answer, or refused.",
            ["operation"],
            registry=registry,
        )
        for operation in get_args(Operation):
            self.queue_errors.labels(operation)
        self.held = Gauge(
            "genesys_streams_bridge_held",
            "Messages that were received and are not deleted or given back yet.",
            registry=registry,
        )
        self.held_bytes = Gauge(
            "genesys_streams_bridge_held_bytes",
            "Size of the events of those messages.",
            registry=registry,
        )
