"""The watch from outside: reads the topics as they grow and the group's committed offsets."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import confluent_kafka
from confluent_kafka.admin import AdminClient, OffsetSpec

from streams.kafka.connection import librdkafka_options
from streams.settings import Settings
from tests.chaos.ledger import Ledger
from tests.support.oracle import Place, Record, partitions_of, record_of

log = logging.getLogger(__name__)

# A look costs a few requests; more often would only take the processor from the workers.
LOOK_SECONDS = 1.0

# Half an hour without a word would look like a hang.
LOOKS_PER_LINE = 30

# A request to a broker that is down or frozen; the look is then given up and made again.
ANSWER_SECONDS = 5.0

# All messages of one call into librdkafka; bounds what a look holds at once.
BATCH = 1000

# Fetched ahead by each consumer: librdkafka's default is 64 MiB a partition.
READ_AHEAD_KIB = 16 * 1024


class Unseen(Exception):
    """A broker did not answer, so this look shows nothing."""


class Tail:
    """One topic from its beginning, read as it grows; keeps its consumer open."""

    def __init__(self, settings: Settings, topic: str, take: Callable[[Record], None]) -> None:
        self.topic = topic
        self._take = take
        self._consumer = confluent_kafka.Consumer(
            {
                **librdkafka_options(settings.kafka),
                "group.id": f"{settings.app_id}-watch",
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "queued.max.messages.kbytes": READ_AHEAD_KIB,
            }
        )
        found = partitions_of(self._consumer, topic)
        self.positions = dict.fromkeys(found, 0)
        self._consumer.assign(
            [confluent_kafka.TopicPartition(topic, number, 0) for number in found]
        )

    def catch_up(self, ends: Mapping[int, int]) -> None:
        """Take every record below ``ends``. Raises Unseen when they do not come in time."""
        deadline = time.monotonic() + ANSWER_SECONDS
        while any(self.positions[partition] < end for partition, end in ends.items()):
            for message in self._consumer.consume(BATCH, timeout=0.2):
                self._read(message)
                deadline = time.monotonic() + ANSWER_SECONDS
            if time.monotonic() > deadline:
                raise Unseen(f"{self.topic}: records up to {ends} did not come")

    def close(self) -> None:
        self._consumer.close()

    def _read(self, message: confluent_kafka.Message) -> None:
        error = message.error()
        if error is not None:
            # What librdkafka goes on trying after, it reports as well.
            if error.fatal() or error.code() == confluent_kafka.KafkaError._AUTO_OFFSET_RESET:
                raise confluent_kafka.KafkaException(error)
            return
        record = record_of(message)
        self._take(record)
        self.positions[record.partition] = record.offset + 1


class Watch:
    """Keeps the ledger up to date, and looks for a committed offset that lies.

    ``group``: the worker group's id. ``changelog``: its table's, when that is to be read too.
    """

    def __init__(self, settings: Settings, ledger: Ledger[Any], *, changelog: str | None) -> None:
        topics = settings.topics
        self.ledger = ledger
        self.looks = self.blind = 0
        self.lies: dict[Place, str] = {}
        """Unfinished records that a committed offset was seen to have passed."""
        self.return_lies: dict[Place, str] = {}
        """The same of the retries topic."""
        self.committed: Mapping[int, int] = {}
        self.committed_returns: Mapping[int, int] = {}
        self._admin = AdminClient(librdkafka_options(settings.kafka))
        # Asks as the group does, and never joins it.
        self._group = confluent_kafka.Consumer(
            {**librdkafka_options(settings.kafka), "group.id": settings.app_id}
        )
        self._outcomes = Tail(settings, topics.outcomes, ledger.take_outcome)
        self._sources = Tail(settings, topics.events, ledger.take_source)
        self._returns = Tail(settings, topics.retries, ledger.take_return)
        self._others = [Tail(settings, topics.dead_letters, ledger.take_letter)]
        if changelog is not None:
            self._others.append(Tail(settings, changelog, ledger.take_change))
        self._thread = ThreadPoolExecutor(1, "watch")

    @property
    def unfinished(self) -> int:
        """Source records seen that have no outcome yet."""
        return self.ledger.records - len(self.ledger.published)

    @property
    def uncommitted(self) -> list[str]:
        """Partitions whose committed offset is not at their end."""
        topics = ((self._sources, self.committed), (self._returns, self.committed_returns))
        return [
            f"{tail.topic}/{partition}: {committed.get(partition, 0)} of {end} committed"
            for tail, committed in topics
            for partition, end in tail.positions.items()
            if committed.get(partition, 0) != end
        ]

    async def keep(self) -> None:
        """Look again and again, until it is cancelled."""
        while True:
            began = time.monotonic()
            await self.look()
            await asyncio.sleep(max(0.0, began + LOOK_SECONDS - time.monotonic()))

    async def look(self) -> bool:
        """One look; False when the brokers did not let it be finished."""
        loop = asyncio.get_running_loop()
        # Shielded: a look that is cancelled half-way would go on in its thread beside the next.
        try:
            await asyncio.shield(loop.run_in_executor(self._thread, self._look))
        except (Unseen, confluent_kafka.KafkaException) as reason:
            self.blind += 1
            log.info("the watch saw nothing: %s", reason)
            return False
        self.looks += 1
        if self.looks % LOOKS_PER_LINE == 0:
            log.info("%d records in the topic, %d to go", self.ledger.records, self.unfinished)
        return True

    def close(self) -> None:
        self._thread.shutdown()
        for tail in (self._outcomes, self._returns, self._sources, *self._others):
            tail.close()
        self._group.close()

    def _look(self) -> None:
        # This order is the proof: whatever finished before an offset was committed is among the
        # outcomes, and the records to return, that are there after the offset was read.
        committed = self._read_committed(self._sources)
        returns = self._read_committed(self._returns)
        self._catch_up(self._outcomes)
        self._catch_up(self._returns)
        self.committed, self.committed_returns = committed, returns
        lies = self.ledger.past_unfinished(committed)
        for place in lies.keys() - self.lies.keys():
            log.warning("%s", lies[place])
        self.lies |= lies
        for tail in (self._sources, *self._others):
            self._catch_up(tail)
        lies = self.ledger.past_returning(returns)
        for place in lies.keys() - self.return_lies.keys():
            log.warning("%s", lies[place])
        self.return_lies |= lies

    def _read_committed(self, tail: Tail) -> dict[int, int]:
        asked = [confluent_kafka.TopicPartition(tail.topic, each) for each in tail.positions]
        answers = self._group.committed(asked, ANSWER_SECONDS)
        for each in answers:
            if each.error is not None:
                raise Unseen(f"committed offsets: {each.error}")
        return {each.partition: each.offset for each in answers if each.offset >= 0}

    def _catch_up(self, tail: Tail) -> None:
        tail.catch_up(ends(self._admin, tail.topic, tail.positions))


def ends(admin: AdminClient, topic: str, partitions: Iterable[int]) -> dict[int, int]:
    """Where each partition ends now, as its leader says. Raises Unseen, KafkaException."""
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # confluent-kafka's omission
    wanted = {confluent_kafka.TopicPartition(topic, each): latest for each in partitions}
    asked = admin.list_offsets(wanted, request_timeout=ANSWER_SECONDS)
    try:
        found = {place.partition: end.result().offset for place, end in asked.items()}
        if unknown := [partition for partition, end in found.items() if end < 0]:
            # Where a leader does not answer, librdkafka says so in the offset alone.
            raise Unseen(f"{topic}: no end given of partitions {unknown}")
    except (confluent_kafka.KafkaException, Unseen):
        # The leader may have moved: librdkafka's admin would go on asking the old one for minutes.
        admin.list_topics(timeout=ANSWER_SECONDS)
        raise
    return found
