"""A contact centre among whose events another producer puts garbage."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

import confluent_kafka
import msgspec

from streams.core.records import Basis, Decision, Reason
from streams.kafka.connection import librdkafka_options
from streams.wire.dead_letters import Stage
from tests.support.garbage import Garbage
from tests.support.journey import Journey
from tests.support.oracle import Place, Record, outcomes_by_place, read_all

Sent = dict[str, Any] | Garbage

Places = list[Sent | None]
"""What a producer sends, at even intervals; None for a moment in which it sends nothing."""

# One in so many is garbage.
ONE_IN = 10

# What a healthy broker takes from a producer that has nothing more to send.
FLUSH_SECONDS = 30.0

# Above the topic's limit: what is too large is refused there, and not by the client.
REQUEST_BYTES = 2 << 20


def mixed(events: Sequence[dict[str, Any]], garbage: Sequence[Garbage], of: int) -> Places:
    """Ten places at a time, one of them garbage's, drawn from the seed ``of``; the rest are the
    events in their order. Without garbage its places are None: the events keep their times."""
    random = Random(f"mixed {of}")
    rest, bad = iter(events), iter(garbage)
    places: Places = []
    for _ in range(len(events) // (ONE_IN - 1)):
        ten: Places = [next(rest) for _ in range(ONE_IN - 1)]
        ten.insert(random.randrange(ONE_IN), next(bad, None))
        places += ten
    return places


@dataclass
class Poisoned(Journey):
    """Whose events are judged as ever, and what is none by what must become of it."""

    garbage: dict[Place, Garbage] = field(default_factory=dict)

    async def send_mixed(self, places: Places, *, seconds: float) -> None:
        """Put all of it into the topic, in order, at a steady rate.

        Through librdkafka, which sends what aiokafka refuses to: a record without key and value.
        """
        producer = confluent_kafka.Producer(
            {
                **librdkafka_options(self.settings.kafka),
                "enable.idempotence": True,
                "message.max.bytes": REQUEST_BYTES,
            }
        )
        refused: list[str] = []
        started = time.monotonic()
        for number, each in enumerate(places):
            due = started + seconds * number / len(places)
            if (wait := due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            producer.poll(0)
            if each is None:
                continue
            if isinstance(each, Garbage):
                key, value = each.key, each.value
            else:
                key = each["detail"]["interactionId"].encode()
                value = msgspec.json.encode(each)
            producer.produce(
                self.settings.topics.events,
                value,
                key,
                on_delivery=partial(self._acknowledged, each, refused),
            )
        left = await asyncio.to_thread(producer.flush, FLUSH_SECONDS)
        assert not left, f"{left} records were not acknowledged"
        assert not refused, f"{len(refused)} records were refused: {refused[0]}"

    def _acknowledged(
        self,
        each: Sent,
        refused: list[str],
        error: confluent_kafka.KafkaError | None,
        message: confluent_kafka.Message,
    ) -> None:
        partition, offset = message.partition(), message.offset()
        if error is not None or partition is None or offset is None:
            refused.append(str(error))
        elif isinstance(each, Garbage):
            self.garbage[(partition, offset)] = each
        else:
            self.sent[(partition, offset)] = each

    @property
    def ends(self) -> dict[int, int]:
        """The offset behind the last record of each partition."""
        ends: dict[int, int] = defaultdict(int)
        for partition, offset in [*self.sent, *self.garbage]:
            ends[partition] = max(ends[partition], offset + 1)
        return dict(ends)

    async def outcomes(self) -> Mapping[Place, list[dict[str, Any]]]:
        """Those of events."""
        published = await super().outcomes()
        return {place: each for place, each in published.items() if place not in self.garbage}

    async def judge_garbage(self) -> Counter[str]:
        """Hold each record that is no event against what the contract promises of it; returns how
        many there were of each kind. Fails with all that is wrong, not just with the first."""
        topics = self.settings.topics
        outcomes = await read_all(self.settings, topics.outcomes)
        letters: dict[Place | None, list[Record]] = defaultdict(list)
        for letter in await read_all(self.settings, topics.dead_letters):
            letters[_source(letter, topics.events)].append(letter)
        wrong = [f"a dead letter of no garbage: {place}" for place in letters.keys() - self.garbage]
        published = outcomes_by_place(outcomes)
        for place, bad in self.garbage.items():
            found = letters.get(place, [])
            answers = published.get(place, [])
            if [(each.key, each.value) for each in found] != [(bad.key, bad.value)]:
                wrong.append(f"{place} ({bad.kind}): {len(found)} dead letters, or other bytes")
            elif not _labelled(found[0]):
                wrong.append(f"{place} ({bad.kind}): {found[0].headers}")
            if [_answer(each) for each in answers] != [_MALFORMED]:
                wrong.append(
                    f"{place} ({bad.kind}): published {[_answer(each) for each in answers]}"
                )
        keys = Counter(bad.key for bad in self.garbage.values())
        keys -= Counter(each.key for each in outcomes if _is_of(each, self.garbage))
        wrong += [f"no outcome under the key {key!r}" for key in keys]
        assert not wrong, f"{len(wrong)} deviations:\n" + "\n".join(wrong[:20])
        return Counter(bad.kind for bad in self.garbage.values())


_MALFORMED = (Decision.FAILED, Reason.MALFORMED, Basis.EVENT, True, None)


def _answer(outcome: Mapping[str, Any]) -> tuple[Any, ...]:
    named = ("decision", "reason", "basis", "final", "interactionId")
    return tuple(outcome[name] for name in named)


def _is_of(outcome: Record, places: Mapping[Place, Garbage]) -> bool:
    return next(iter(outcomes_by_place([outcome]))) in places


def _source(letter: Record, events: str) -> Place | None:
    """The record of this topic that a dead letter says it is of."""
    headers = dict(letter.headers)
    if headers.get("dlq.source.topic") != events.encode():
        return None
    return int(headers["dlq.source.partition"]), int(headers["dlq.source.offset"])


def _labelled(letter: Record) -> bool:
    headers = dict(letter.headers)
    wanted = {"dlq.reason": Reason.MALFORMED.value, "dlq.stage": Stage.WORKER.value}
    return all(headers.get(name) == value.encode() for name, value in wanted.items())
