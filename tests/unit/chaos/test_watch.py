"""What the watch takes for the end of a topic."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from types import SimpleNamespace
from typing import cast

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.chaos.watch import Unseen, ends

UNKNOWN = -1001


class Admin:
    """Answers with what a test has written down."""

    def __init__(self, answers: Mapping[int, int | KafkaException]) -> None:
        self._answers = answers
        self.refreshed = 0

    def list_offsets(
        self, wanted: Mapping[TopicPartition, object], **_: object
    ) -> dict[TopicPartition, Future[object]]:
        answers: dict[TopicPartition, Future[object]] = {}
        for place in wanted:
            given = self._answers[place.partition]
            answer: Future[object] = Future()
            answers[place] = answer
            if isinstance(given, KafkaException):
                answer.set_exception(given)
            else:
                answer.set_result(SimpleNamespace(offset=given))
        return answers

    def list_topics(self, **_: object) -> None:
        self.refreshed += 1


def ask(admin: Admin) -> dict[int, int]:
    return ends(cast(AdminClient, admin), "outcomes", (0, 1))


def test_the_ends_that_the_leaders_give() -> None:
    assert ask(Admin({0: 7, 1: 0})) == {0: 7, 1: 0}


def test_a_leader_that_does_not_answer_is_no_end() -> None:
    """Taken for one, all that it holds would pass for read, and be missed in the outcomes."""
    with pytest.raises(Unseen, match=r"partitions \[1\]"):
        ask(Admin({0: 7, 1: UNKNOWN}))


@pytest.mark.parametrize(
    "given", [UNKNOWN, KafkaException(KafkaError(KafkaError.FENCED_LEADER_EPOCH))]
)
def test_a_leader_that_may_have_moved_is_looked_up(given: int | KafkaException) -> None:
    admin = Admin({0: 7, 1: given})

    with pytest.raises((Unseen, KafkaException)):
        ask(admin)

    assert admin.refreshed == 1
