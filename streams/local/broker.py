"""The embedded broker: librdkafka's mock cluster, real protocol over TCP, in memory, no Java.

It is good for a demo and quick tests. It keeps about 5 MiB a partition and then drops records
silently. It has four partitions a topic and no CreateTopics (shown by test_librdkafka.py). So
rebalances and crashes are tested on Apache Kafka instead.
"""

from __future__ import annotations

from types import TracebackType

from confluent_kafka.admin import AdminClient

# Any address will do: with a mock cluster the client talks to the brokers that it made itself.
_UNUSED_ADDRESS = "127.0.0.1:1"

# A syslog level. Otherwise librdkafka would warn on stderr that the address above is not used,
# which is intended.
_ERRORS_ONLY = 3

# It starts in milliseconds; one that does not must not hang a demo.
START_TIMEOUT_SECONDS = 10.0


class EmbeddedBroker:
    """A mock cluster that lives as long as this object. Context manager."""

    def __init__(self, brokers: int = 1) -> None:
        self._brokers = brokers
        self._client: AdminClient | None = None
        self.bootstrap_servers = ""

    def __enter__(self) -> EmbeddedBroker:
        self._client = AdminClient(
            {
                "bootstrap.servers": _UNUSED_ADDRESS,
                "test.mock.num.brokers": self._brokers,
                "log_level": _ERRORS_ONLY,
            }
        )
        metadata = self._client.list_topics(timeout=START_TIMEOUT_SECONDS)
        self.bootstrap_servers = ",".join(
            f"{node.host}:{node.port}" for node in metadata.brokers.values()
        )
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client = None
