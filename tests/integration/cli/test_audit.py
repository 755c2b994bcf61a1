"""``genesys-streams audit`` as an operator runs it: over what a real worker has left, and over
what was planted in it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import aiokafka
import pytest

from streams.core.records import Source
from streams.kafka.committed import committed_offsets
from streams.kafka.connection import aiokafka_options
from streams.kafka.declaration import declared_directory
from streams.kafka.message import Headers, Message
from streams.kafka.publisher import KafkaPublisher
from streams.kafka.reader import partitions_of
from streams.operator.audit.violation import Kind
from streams.settings import Settings
from streams.wire.dead_letters import DeadLetter, Stage
from streams.wire.outcomes import outcome_id
from tests.support.journey import CODE, Journey, journey
from tests.support.workers import environment, eventually, free_port, workers

EXAMPLE = json.loads(
    (declared_directory() / "examples/outcome.ineligible-not-completed.json").read_text()
)


# A command starts in a second; on a machine that is busy, in a minute.
AUDIT_SECONDS = 120.0


@dataclass(frozen=True)
class Done:
    """One run: its exit code, the violations that it printed, its file, and what it said."""

    code: int
    violations: list[dict[str, Any]]
    result: dict[str, Any]
    said: str

    @property
    def found(self) -> list[tuple[str, str, int, int]]:
        """Kind and place of each violation."""
        return [
            (each["kind"], *(each["record"][name] for name in ("topic", "partition", "offset")))
            for each in self.violations
        ]


async def audit(settings: Settings, cwd: Path, *words: str) -> Done:
    out = cwd / "audit.json"
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "streams", "audit", "--json", "--out", str(out), *words],
        env=environment(settings),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=AUDIT_SECONDS,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    assert out.exists(), done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return Done(done.returncode, lines, json.loads(out.read_bytes()), done.stderr)


async def all_committed(settings: Settings, sent: int) -> None:
    events = settings.topics.events
    partitions = await partitions_of(settings.kafka, events)

    async def at_the_end() -> bool:
        found = await committed_offsets(settings.kafka, {events: partitions})
        return sum(each.offset for each in found.values()) == sent

    await eventually(at_the_end, 30, "everything is committed", every=0.5)


@pytest.mark.timeout(480)
async def test_a_workers_run_is_clean_and_each_planted_violation_is_named(
    broker: object, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = make_settings(worker_port=free_port(), kafka_session_timeout_seconds=6.0)
    async with journey(settings, interactions=30, seed=3) as (centre, events):
        with workers({"alone": centre.settings}, tmp_path) as started:
            started["alone"].start()
            await started["alone"].ready()
            await centre.send(events)
            await centre.all_published(60)
            await all_committed(centre.settings, len(events))
            beside = await audit(centre.settings, tmp_path)
            assert started["alone"].terminate() == 0
        clean = await audit(centre.settings, tmp_path, "--sample", "10", "--seed", "1")
        for done in (beside, clean):
            assert done.found == []
            assert done.code == 0
            assert done.result["kept"] is True
            assert done.result["counts"]["records"] == len(events)
            assert done.result["counts"]["decided"] == len(events)
            assert done.result["counts"]["open"] == 0
        assert len(clean.result["sample"]["asked"]) == 10
        assert read_from(clean, centre.settings.topics.events) == len(events)

        planted = await plant(centre)
        done = await audit(centre.settings, tmp_path, "--sample", "9000")
        assert done.code == 1
        assert sorted(done.found) == sorted(planted)
        assert done.result["violations"] == dict.fromkeys(Kind, 1)
        assert done.result["named"] == done.violations
        assert done.result["kept"] is False

        # Before any of it there is nothing to judge.
        early = await audit(centre.settings, tmp_path, "--to", "2020-01-01T00:00:00Z")
        assert (early.code, early.result["counts"]["records"]) == (1, 0)
        assert {each["kind"] for each in early.violations} == {"outcome-of-nothing"}


def read_from(done: Done, topic: str) -> int:
    """How many records the ranges of the topic have, from their first to their last."""
    ranges = [each for each in done.result["read"] if each["topic"] == topic and each["records"]]
    assert all(each["firstAt"] <= each["lastAt"] for each in ranges)
    return sum(each["last"] - each["first"] + 1 for each in ranges)


async def plant(centre: Journey) -> list[tuple[str, str, int, int]]:
    """One violation of each kind; their kinds and places."""
    topics = centre.settings.topics
    hand = Hand(centre.settings)
    await hand.start()
    try:
        first, second = await hand.event("in-turn"), await hand.event("in-turn")
        await hand.outcome(second)
        await hand.outcome(first)
        lost = await hand.event("lost")
        twice = await hand.event("twice")
        await hand.outcome(twice)
        await hand.outcome(twice, decision="ineligible", reason="non-voice-interaction")
        changed = await hand.event("changed")
        letter = await hand.letter(changed, b"changed")
        await hand.outcome(changed, decision="failed", reason="forbidden")
        unlettered = await hand.event("unlettered")
        await hand.outcome(unlettered, decision="failed", reason="forbidden")
        foreign = await hand.event("foreign")
        await hand.outcome(foreign, outcomeId="11111111-2222-5333-8444-555555555555")
        await hand.outcome(foreign)
        untrue = await hand.event("untrue")
        centre.simulator.store.register([CALL])
        patched = {"decision": "patched", "reason": "eligible", "dispositionCodeId": CODE}
        await hand.outcome(untrue, **patched)
        nothing = await hand.outcome(untrue._replace(offset=10_000))
        passed = await hand.event("passed", partition=1)
        await commit(centre.settings, [hand.last, passed])
    finally:
        await hand.stop()
    return [
        ("out-of-order", *first),
        ("lost-outcome", *lost),
        ("two-decisions", *twice),
        ("dead-letter-changed", *letter),
        ("no-dead-letter", *unlettered),
        ("foreign-id", *foreign),
        ("untrue", *untrue),
        ("outcome-of-nothing", topics.outcomes, *nothing[1:]),
        ("committed-past-open", *passed),
    ]


CALL = {
    "id": "untrue",
    "type": "voice",
    "state": "completed",
    "metadata": {"startTime": "2026-01-05T08:00:00Z", "endTime": "2026-01-05T08:05:00Z"},
}


class Where(NamedTuple):
    """A record's place."""

    topic: str
    partition: int
    offset: int


class Hand:
    """Writes into the topics what no worker would. ``last``: the last event of partition 0."""

    def __init__(self, settings: Settings) -> None:
        self._topics = settings.topics
        self._publisher = KafkaPublisher(settings.kafka, client_id="hand")
        self._ids: dict[Where, str] = {}
        self.last = Where("", 0, 0)

    async def start(self) -> None:
        await self._publisher.start()

    async def stop(self) -> None:
        await self._publisher.stop()

    async def event(self, id_: str, partition: int = 0) -> Where:
        place = await self._send(self._topics.events, id_.encode(), b"{}", (), partition)
        self._ids[place] = id_
        self.last = place if partition == 0 else self.last
        return place

    async def outcome(self, of: Where, **changes: Any) -> Where:
        source = Source(*of)
        id_ = self._ids.get(of, "nobody")
        named = {"outcomeId": outcome_id(source), "interactionId": id_}
        written = EXAMPLE | named | {"source": of._asdict()} | changes
        value = json.dumps(written).encode()
        # One partition: the order between them is what is judged.
        return await self._send(self._topics.outcomes, id_.encode(), value, (), 0)

    async def letter(self, of: Where, value: bytes) -> Where:
        key = self._ids[of].encode()
        written = DeadLetter(
            *(key, value, "forbidden", "give it the scope", Stage.WORKER, 1, ""),
            source=Source(*of),
        )
        return await self._send(self._topics.dead_letters, key, value, written.headers(), 0)

    async def _send(
        self, topic: str, key: bytes, value: bytes, headers: Headers, partition: int
    ) -> Where:
        at = await self._publisher.publish(Message(topic, key, value, headers, partition))
        return Where(at.topic, at.partition, at.offset)


async def commit(settings: Settings, places: list[Where]) -> None:
    """Behind these records, as a member: the embedded broker takes it from nobody else."""
    consumer = aiokafka.AIOKafkaConsumer(
        settings.topics.events,
        **aiokafka_options(settings.kafka),
        group_id=settings.app_id,
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        await eventually(lambda: bool(consumer.assignment()), 30, "it is in the group", every=0.1)
        await consumer.commit(
            {
                aiokafka.TopicPartition(each.topic, each.partition): each.offset + 1
                for each in places
            }
        )
    finally:
        await consumer.stop()


async def test_a_result_that_can_not_be_written_is_one_line(
    settings: Settings, tmp_path: Path
) -> None:
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "streams", "audit", "--out", str(tmp_path / "no" / "file")],
        env=environment(settings),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=AUDIT_SECONDS,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("genesys-streams: --out: cannot write")
    assert "every promise that was looked at is kept" in done.stdout
