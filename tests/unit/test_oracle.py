"""What the oracle takes for a topic."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

from confluent_kafka import Consumer, KafkaError

from tests.support.oracle import partitions_of


class Brokers:
    """Answer for one topic, each time with the next of what a test has written down."""

    def __init__(self, *answers: tuple[set[int], KafkaError | None]) -> None:
        self._answers = iter(answers)

    def list_topics(self, topic: str, _: float) -> object:
        partitions, error = next(self._answers)
        found = SimpleNamespace(partitions=dict.fromkeys(partitions), error=error)
        return SimpleNamespace(topics={topic: found})


def test_a_topic_the_broker_has_not_heard_of_yet_is_not_an_empty_topic() -> None:
    """Taken for one, all that it will hold goes unread, and is called missing."""
    brokers = Brokers(
        (set(), KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)), (set(), None), ({1, 0}, None)
    )

    assert partitions_of(cast(Consumer, brokers), "dead-letters") == [0, 1]
