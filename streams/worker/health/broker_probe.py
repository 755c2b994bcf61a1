"""Asks the brokers what can be reached, through the client that does the work (promise 13).

aiokafka logs what it can not reach and goes on asking for ever (aio-libs/aiokafka#456;
tests/kafka/test_worker_brokers.py). The probe runs in the client's thread and writes its findings
into a BrokerView; ``kafka_faults.py`` judges them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import aiokafka
import aiokafka.errors
from aiokafka.cluster import ClusterMetadata
from aiokafka.protocol.fetch import FetchRequest
from faust.types import TP

from streams.kafka.bootstrap import ANSWER_SECONDS, describe

log = logging.getLogger(__name__)

# Often enough to notice a change within 30 s, and seldom enough to cost nothing.
PROBE_SECONDS = 5.0

# How soon newly assigned partitions are probed.
NEW_PARTITIONS_SECONDS = 0.25

# How long a missing topic or a log that is too short must last to be believed. A broker that has
# just started may not have heard of a topic yet, and a new leader may not know yet how far the log
# goes.
BELIEVED_AFTER_SECONDS = 10.0

NO_LEADER = "no broker leads it"
NO_ANSWER = "its leader does not answer"
NO_RIGHT = "this client lacks the right to read it"
NO_POSITION = "it is not known where to read on"

# From this version on, the answer to a fetch says where the partition begins.
_HAS_BEGIN = 5

# Kafka's number for "no replica".
_NOBODY = -1


@dataclass(frozen=True, slots=True)
class PartitionView:
    """What is known of one assigned partition; times are monotonic seconds.

    ``answered_at``: when a fetch from our position last succeeded, or, before that, when the
    partition was first probed. ``trouble``: why the last fetch failed, or None. ``begin``, ``end``:
    the partition's, as the last successful fetch reported them. ``short_since``: since when ``end``
    has been below ``taken_up``, or None. ``taken_up``: the next offset expected, as it was before
    that fetch.
    """

    answered_at: float
    trouble: str | None = None
    begin: int | None = None
    end: int | None = None
    short_since: float | None = None
    taken_up: int = 0

    def failed(self, trouble: str) -> PartitionView:
        return replace(self, trouble=trouble)

    def answered(self, begin: int | None, end: int, taken_up: int, now: float) -> PartitionView:
        """A fetch succeeded. ``taken_up``: the next offset expected, as it was before the fetch."""
        short_since = None
        if end < taken_up:
            short_since = now if self.short_since is None else self.short_since
        return PartitionView(now, None, begin, end, short_since, taken_up)


class BrokerView:
    """What one client's probe has found out. The probe writes it, the main thread reads it."""

    def __init__(self) -> None:
        self.answered_at: float | None = None
        """When any broker last answered; None until the probe has begun."""
        self.why_not: str | None = None
        """Why no broker answers, and what to do; None while one does, or when that is unknown."""
        self.counts: Mapping[str, int] | None = None
        """The number of partitions of each of our topics, as a broker last reported it. A missing
        topic is not in it. None until a broker has reported."""
        self.counts_since = 0.0
        """When ``counts`` last changed."""
        self.leaderless: Mapping[TP, float] = {}
        """Partitions that no broker leads, each with the time since which it has no leader."""
        self.partitions: Mapping[TP, PartitionView] = {}

    def is_short(self, tp: TP, now: float) -> bool:
        """Whether the log has ended below the next offset expected for long enough."""
        seen = self.partitions.get(tp)
        since = None if seen is None else seen.short_since
        return since is not None and now - since >= BELIEVED_AFTER_SECONDS

    def described_as(self, cluster: ClusterMetadata, topics: Collection[str], now: float) -> None:
        """Note what a broker has reported of our topics."""
        counts: dict[str, int] = {}
        leaderless: dict[TP, float] = {}
        for topic in topics:
            numbers = cluster.partitions_for_topic(topic)
            if not numbers:
                continue
            counts[topic] = len(numbers)
            for number in sorted(numbers - cluster.available_partitions_for_topic(topic)):
                tp = TP(topic, number)
                leaderless[tp] = self.leaderless.get(tp, now)
        if counts != self.counts:
            self.counts_since = now
        self.counts, self.leaderless = counts, leaderless
        self.answered_at = now


class BrokerProbe:
    """Probes the brokers every few seconds.

    ``taken_up``: returns the next offset expected of each partition that is ours now. ``why_not``:
    is asked when no broker answers, and returns why, if that can be found out.
    """

    def __init__(
        self,
        view: BrokerView,
        topics: Collection[str],
        *,
        taken_up: Callable[[], Mapping[TP, int]] = dict,
        why_not: Callable[[], Awaitable[str | None]],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._view = view
        self._topics = topics
        self._taken_up = taken_up
        self._why_not = why_not
        self._monotonic = monotonic

    async def run(self, client: Callable[[], Any], consumer: Any = None) -> None:
        """Probe for ever. ``client``: returns the AIOKafkaClient in use, or None while there is
        none; ``consumer``: the AIOKafkaConsumer that reads the partitions, if any."""
        while True:
            try:
                await self.look(client(), consumer)
            except Exception:
                # The view grows old then, which ends the worker. This line says why.
                log.exception("the brokers could not be probed")
            due = self._monotonic() + PROBE_SECONDS
            while self._monotonic() < due and not self._has_new():  # noqa: ASYNC110
                # Partitions are assigned in another thread: there is no event to wait for.
                await asyncio.sleep(NEW_PARTITIONS_SECONDS)

    async def look(self, client: Any, consumer: Any = None) -> None:
        """Probe once."""
        view, now = self._view, self._monotonic()
        if view.answered_at is None or client is None:
            view.answered_at = now  # nothing is in use that could fail to answer
        if client is None:
            return
        cluster = await describe(client, self._topics)
        view.why_not = await self._why_not() if cluster is None else None
        if cluster is not None:
            view.described_as(cluster, self._topics, self._monotonic())
        if consumer is not None:
            await self._fetch_all(client, consumer, cluster)

    def _has_new(self) -> bool:
        """Whether partitions are ours that were not probed yet."""
        return not self._taken_up().keys() <= self._view.partitions.keys()

    def is_short(self, tp: TP) -> bool:
        """Whether the log has ended below the next offset expected for long enough."""
        return self._view.is_short(tp, self._monotonic())

    async def _fetch_all(self, client: Any, consumer: Any, cluster: ClusterMetadata | None) -> None:
        """Fetch each partition from its position, and write into the view whether that
        succeeded."""
        taken_up, now = self._taken_up(), self._monotonic()
        before = self._view.partitions
        views = {tp: before.get(tp, PartitionView(now)) for tp in taken_up}
        by_leader: dict[int, dict[TP, int]] = defaultdict(dict)
        for tp in taken_up:
            leader = None if cluster is None else cluster.leader_for_partition(tp)
            position = _position(consumer, tp)
            if cluster is None:
                views[tp] = views[tp].failed(NO_ANSWER)
            elif leader is None or leader == _NOBODY:
                views[tp] = views[tp].failed(NO_LEADER)
            elif position is None:
                views[tp] = views[tp].failed(NO_POSITION)
            else:
                by_leader[leader][tp] = position
        fetched = await asyncio.gather(
            *(_fetch(client, leader, positions) for leader, positions in by_leader.items())
        )
        now = self._monotonic()
        for answers in fetched:
            for tp, answer in answers.items():
                if isinstance(answer, str):
                    views[tp] = views[tp].failed(answer)
                else:
                    views[tp] = views[tp].answered(*answer, taken_up[tp], now)
        self._view.partitions = views


def _position(consumer: Any, tp: TP) -> int | None:
    """The offset that the consumer fetches next; None while it does not know."""
    subscription = consumer._subscription.subscription
    assignment = None if subscription is None else subscription.assignment
    at = aiokafka.TopicPartition(tp.topic, tp.partition)
    if assignment is None or at not in assignment.tps:
        return None
    state = assignment.state_value(at)
    return int(state.position) if state.has_valid_position else None


async def _fetch(
    client: Any, leader: int, positions: Mapping[TP, int]
) -> dict[TP, tuple[int | None, int] | str]:
    """Begin and end of each partition, or why it can not be fetched from that position.

    The fetch asks for one byte: the broker answers at once, with at most one batch, and makes the
    same checks as for a real fetch.
    """
    topics: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for tp, position in positions.items():
        topics[tp.topic].append((tp.partition, position, 1))
    request = FetchRequest(0, 0, 1, 0, list(topics.items()))
    answers: dict[TP, tuple[int | None, int] | str] = dict.fromkeys(positions, NO_ANSWER)
    try:
        response = await asyncio.wait_for(client.send(leader, request), ANSWER_SECONDS)
    except (aiokafka.errors.KafkaError, OSError, TimeoutError):
        return answers
    for topic, partitions in response.topics:
        for number, code, end, *more in partitions:
            begin = more[1] if response.API_VERSION >= _HAS_BEGIN else None
            answers[TP(topic, number)] = (begin, end) if code == 0 else _trouble(code)
    return answers


def _trouble(code: int) -> str:
    error = aiokafka.errors.for_code(code)
    if error is aiokafka.errors.TopicAuthorizationFailedError:
        return NO_RIGHT
    if error is aiokafka.errors.OffsetOutOfRangeError:
        return "the broker has no record where we stand"
    return f"its leader answers {error.__name__}"
