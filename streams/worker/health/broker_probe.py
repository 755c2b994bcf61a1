"""Asks the brokers, through the client that does the work, what can be reached (promise 13).

aiokafka logs what it can not reach and goes on asking for ever. What is found out here is written
down in a BrokerView, in the thread of the client, and judged elsewhere (``fitness.py``).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import aiokafka
import aiokafka.errors
from aiokafka.cluster import ClusterMetadata
from aiokafka.protocol.fetch import FetchRequest
from faust.types import TP

from streams.kafka.bootstrap import ANSWER_SECONDS, describe

log = logging.getLogger(__name__)

# Often enough to tell of a change within 30 s, and seldom enough to cost nothing.
PROBE_SECONDS = 5.0

# How soon partitions that were assigned just now are looked at.
NEW_PARTITIONS_SECONDS = 0.25

# A broker that has just started may not have heard of a topic yet, and a new leader may not know
# yet how far the log goes.
SETTLE_SECONDS = 10.0

NO_LEADER = "no broker leads it"
NO_ANSWER = "its leader does not answer"
NO_POSITION = "it is not known where to read on"

# The begin of a partition is told from this version of the answer to a fetch on.
_TELLS_BEGIN = 5

# Kafka's number for "no replica".
_NOBODY = -1


@dataclass(frozen=True, slots=True)
class PartitionView:
    """What is known of one assigned partition.

    ``answered_at``: when a fetch from where we stand last succeeded, or the partition was first
    asked for. ``trouble``: why the last one did not, or None. ``begin`` and ``end``: as it said.
    ``short_since``: since when its end lies below what had been taken up before it was asked.
    ``taken_up``: what that was.
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
    """What one client has found out. Written by its probe, read from the main thread."""

    def __init__(self) -> None:
        self.answered_at: float | None = None
        """When any broker last answered; None until the probe has begun."""
        self.counts: Mapping[str, int] | None = None
        """How many partitions each of our topics has, as it was last told; those that are missing
        are not in it. None until a broker has told."""
        self.counts_since = 0.0
        """When they were first told so."""
        self.leaderless: Mapping[TP, float] = {}
        """Partitions that no broker leads, each with the time since when."""
        self.partitions: Mapping[TP, PartitionView] = {}

    def is_short(self, tp: TP, now: float) -> bool:
        """Whether the log ends below what was taken up of it, for long enough to be believed."""
        seen = self.partitions.get(tp)
        since = None if seen is None else seen.short_since
        return since is not None and now - since >= SETTLE_SECONDS

    def described_as(self, cluster: ClusterMetadata, topics: Collection[str], now: float) -> None:
        """A broker has told of our topics."""
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
    """Looks every few seconds, for as long as it runs.

    ``taken_up``: of each partition that is ours now, the next offset expected.
    """

    def __init__(
        self,
        view: BrokerView,
        topics: Collection[str],
        *,
        taken_up: Callable[[], Mapping[TP, int]] = dict,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._view = view
        self._topics = topics
        self._taken_up = taken_up
        self._monotonic = monotonic

    async def run(self, client: Callable[[], Any], consumer: Any = None) -> None:
        """Look for ever. ``client``: the AIOKafkaClient in use, or None while there is none;
        ``consumer``: the AIOKafkaConsumer that reads the partitions, if any."""
        while True:
            try:
                await self.look(client(), consumer)
            except Exception:
                # The view grows old then, which ends the worker; this is why.
                log.exception("the brokers could not be probed")
            due = self._monotonic() + PROBE_SECONDS
            while self._monotonic() < due and not self._has_new():  # noqa: ASYNC110
                # Partitions are assigned in another thread: there is no event to wait for.
                await asyncio.sleep(NEW_PARTITIONS_SECONDS)

    async def look(self, client: Any, consumer: Any = None) -> None:
        """Once."""
        view, now = self._view, self._monotonic()
        if view.answered_at is None or client is None:
            view.answered_at = now  # nothing is in use that could fail to answer
        if client is None:
            return
        cluster = await describe(client, self._topics)
        if cluster is not None:
            view.described_as(cluster, self._topics, self._monotonic())
        if consumer is not None:
            await self._fetch_all(client, consumer, cluster)

    def _has_new(self) -> bool:
        """Whether partitions are ours that were not looked at yet."""
        return not self._taken_up().keys() <= self._view.partitions.keys()

    def is_short(self, tp: TP) -> bool:
        """Whether the log ends below what was taken up of it, for long enough to be believed."""
        return self._view.is_short(tp, self._monotonic())

    async def _fetch_all(self, client: Any, consumer: Any, cluster: ClusterMetadata | None) -> None:
        """Whether each partition can be fetched from where it stands."""
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
    """Where the consumer reads on; None while it does not know."""
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

    A fetch of one byte: the broker answers at once, with one batch at most, and checks all that it
    checks when it is fetched in earnest.
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
            begin = more[1] if response.API_VERSION >= _TELLS_BEGIN else None
            answers[TP(topic, number)] = (begin, end) if code == 0 else _trouble(code)
    return answers


def _trouble(code: int) -> str:
    error = aiokafka.errors.for_code(code)
    if error is aiokafka.errors.TopicAuthorizationFailedError:
        return "this client lacks the right to read it"
    if error is aiokafka.errors.OffsetOutOfRangeError:
        return "the broker has no record where we stand"
    return f"its leader answers {error.__name__}"
