"""Where the group stands, whatever its coordinator says first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import aiokafka.errors
import pytest
from aiokafka import TopicPartition
from aiokafka.structs import OffsetAndMetadata

from streams.errors import KafkaError, NotAuthorized
from streams.kafka import committed
from streams.kafka.committed import Committed, committed_offsets
from streams.kafka.settings import KafkaSettings, TopicNames

SETTINGS = KafkaSettings("127.0.0.1:9", TopicNames("shop."), "shop-worker", 90_000.0)
FIRST, SECOND = TopicPartition("shop.events", 0), TopicPartition("shop.events", 1)
WHOLE = {FIRST: OffsetAndMetadata(7, "life"), SECOND: OffsetAndMetadata(-1, "")}


class Admin:
    """Answers one after the other; an error is raised."""

    def __init__(self, answers: Sequence[Any]) -> None:
        self._answers = list(answers)

    async def start(self) -> None:
        """At once."""

    async def close(self) -> None:
        """At once."""

    async def list_consumer_group_offsets(
        self, group: str, partitions: Sequence[TopicPartition]
    ) -> Any:
        assert (group, partitions) == ("shop-worker", [FIRST, SECOND])
        answer = self._answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer


async def asked(monkeypatch: pytest.MonkeyPatch, *answers: Any) -> Any:
    monkeypatch.setattr(committed, "AIOKafkaAdminClient", lambda **_: Admin(answers))
    monkeypatch.setattr(committed, "POLL_SECONDS", 0.0)
    return await committed_offsets(SETTINGS, {"shop.events": 2})


@pytest.mark.parametrize(
    "before",
    [
        # The answer of a coordinator that still loads the group names no partition.
        {},
        {FIRST: OffsetAndMetadata(7, "")},
        aiokafka.errors.NotCoordinatorForGroupError(),
    ],
)
async def test_an_answer_that_is_not_whole_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, before: Any
) -> None:
    assert await asked(monkeypatch, before, WHOLE) == {FIRST: Committed(7, "life")}


async def test_a_group_that_we_may_not_describe_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = aiokafka.errors.GroupAuthorizationFailedError()
    with pytest.raises(NotAuthorized, match="may not Describe group shop-worker"):
        await asked(monkeypatch, refusal)


async def test_a_coordinator_that_never_says_it_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(committed, "ANSWER_SECONDS", 0.0)
    with pytest.raises(KafkaError, match="cannot read the committed offsets of group shop-worker"):
        await asked(monkeypatch, *[{}] * 1000)
