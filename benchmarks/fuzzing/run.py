"""One run: the records written, the workers on them, the answers given, and the verdict."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.fuzzing import values
from benchmarks.fuzzing.judge import Fuzzed, header_bytes
from benchmarks.fuzzing.records import Plan, PlannedBatch, answered_id
from benchmarks.fuzzing.server import FuzzedApi
from benchmarks.poison import LagWatch
from streams.kafka.topics import apply_topics, verify_topics
from streams.local.generator.population import population
from streams.local.generator.stream import stream
from streams.local.simulator.api import Simulator
from streams.settings import Settings
from tests.support.any_time import take_any_time
from tests.support.journey import CODE, UNLIMITED
from tests.support.raw_records import RawProducer
from tests.support.workers import WorkerProcess, free_port, workers

EVENTS_AN_INTERACTION = 8

# So that a run ends: records are given up after seconds, and what is silent costs one.
QUICK: Mapping[str, Any] = {
    "dead_letter_limit": 1.0,
    "lag_window_seconds": 1.0,
    "retry_max_attempts": 3,
    "retry_first_seconds": 0.2,
    "api_timeout_seconds": 1.0,
    "breaker_open_seconds": 0.1,
    "genesys_requests_per_minute": UNLIMITED,
    "max_in_flight": 400,
}

LOOK_SECONDS = 0.5
ANSWER_SECONDS = 20.0

# Of one run, as many partitions as the declaration has: some are hot, none is empty.
PREFIX = "fuzz"


@dataclass(frozen=True, slots=True)
class Amounts:
    """``records``: fuzzed ones, ``answers`` among them events whose calls are answered with
    anything, at least once each. ``good``: events of the generator."""

    records: int
    good: int
    answers: int
    seed: int
    workers: int = 1
    seconds: float = 3_600.0


@dataclass
class Result:
    """``wrong``: the violations, one line each. ``figures``: name and value, to be shown."""

    wrong: list[str] = field(default_factory=list)
    figures: list[tuple[str, str]] = field(default_factory=list)
    decided: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)


async def run(settings: Settings, home: Path, amounts: Amounts) -> Result:
    """``settings``: of a cluster, with topics and a group of the run's own."""
    people = population(amounts.seed, amounts.good // EVENTS_AN_INTERACTION + 1)
    good = list(stream(people, amounts.seed))[: amounts.good]
    truths = [dict(one.truth) for one in people]
    simulator = Simulator([*truths, *_set_apart(amounts.answers)], seed=amounts.seed)
    api = FuzzedApi(simulator.store, amounts.seed)
    async with api.serving() as url:
        named = {"genesys_cloud_base_url": url, "disposition_code_id": CODE}
        named |= {"genesys_cloud_client_id": "fuzz", "genesys_cloud_client_secret": "fuzz-secret"}
        pointed = settings.model_copy(update={**QUICK, **named})
        await asyncio.to_thread(apply_topics, pointed.kafka)
        topics = (pointed.topics.events, pointed.topics.retries)
        await asyncio.to_thread(take_any_time, pointed, topics)
        plan = Plan(
            records=amounts.records,
            answered=amounts.answers,
            good=good,
            seed=amounts.seed,
            partitions=(await asyncio.to_thread(verify_topics, pointed.kafka)).partitions,
            events_topic=pointed.topics.events,
            now_ms=round(time.time() * 1000),
        )
        centre = Fuzzed(pointed, simulator, {one["id"]: one for one in truths})
        each = {
            f"worker-{number}": _worker(pointed, home, number) for number in range(amounts.workers)
        }
        with workers(each, home) as started:
            result = await _go(centre, list(started.values()), plan, amounts.seconds)
        result.answers = api.given
        return result


async def _go(
    centre: Fuzzed, started: Sequence[WorkerProcess], plan: Plan, seconds: float
) -> Result:
    for worker in started:
        worker.start()
    for worker in started:
        await worker.ready()
    began = time.monotonic()
    result = Result()
    await _write(centre, plan, result)
    written = time.monotonic() - began
    result.wrong += await _until_done(centre, started, plan.partitions, began + seconds)
    took = time.monotonic() - began
    result.wrong += await _ready(started)
    for worker in started:
        if worker.exit_code is None and (code := worker.terminate()) != 0:
            result.wrong.append(f"a worker ended with {code} when it was told to")
    result.wrong += [line for worker in started for line in faults_logged(worker.output)]
    result.wrong += await centre.violations()
    result.decided = centre.decided()
    result.figures = _figures(centre, plan, written, took)
    return result


async def _write(centre: Fuzzed, plan: Plan, result: Result) -> None:
    topics = centre.settings.topics
    sending: dict[tuple[str, int], asyncio.Task[None]] = {}
    servers = centre.settings.kafka_bootstrap_servers
    async with RawProducer(servers) as producer, asyncio.TaskGroup() as sends:

        async def send(topic: str, partition: int, batch: PlannedBatch) -> None:
            offset = await producer.send(topic, partition, batch.content)
            _remember(centre, topic, batch, offset, result)

        for batch in plan.batches():
            first = batch.records[0]
            topic = topics.retries if first.in_retries else topics.events
            place = (topic, first.partition)
            is_first = all(known != topic for known, _ in sending)
            if place in sending:
                # One at a time to a partition: its order is the plan's.
                await sending[place]
            sending[place] = sends.create_task(send(*place, batch))
            if is_first:
                # The producer learns of the topic with it.
                await sending[place]


def _remember(centre: Fuzzed, topic: str, batch: PlannedBatch, offset: int, result: Result) -> None:
    for at, planned in enumerate(batch.records, offset):
        centre.written[(topic, planned.partition, at)] = planned
        result.kinds[planned.kind] += 1
        if planned.event is not None:
            centre.sent[(planned.partition, at)] = dict(planned.event)


async def _until_done(
    centre: Fuzzed, started: Sequence[WorkerProcess], partitions: int, deadline: float
) -> list[str]:
    """Wait until all is committed, of ``events`` and of what was put off; why it never will be."""
    topics = centre.settings.topics
    # In this order: what is put off is in `retries` before its record is committed.
    watches = [LagWatch(centre.settings, partitions, at) for at in (topics.events, topics.retries)]
    while True:
        ended = [worker for worker in started if worker.exit_code is not None]
        if ended:
            return [
                f"a worker ended with {each.exit_code}: {each.output[-3000:]}" for each in ended
            ]
        behind = [sum(await asyncio.to_thread(each.behind)) for each in watches]
        if not any(behind):
            return []
        if time.monotonic() > deadline:
            return [f"not done in time: {behind} records of events and retries not committed"]
        await asyncio.sleep(LOOK_SECONDS)


async def _ready(started: Sequence[WorkerProcess]) -> list[str]:
    wrong = []
    async with aiohttp.ClientSession() as session:
        for worker in started:
            try:
                async with session.get(f"{worker.url}/readyz") as answer:
                    if answer.status != 200:
                        wrong.append(f"not ready: {await answer.text()}")
            except aiohttp.ClientError as error:
                wrong.append(f"not ready: {error}")
    return wrong


def faults_logged(output: str) -> list[str]:
    """Each traceback of a worker's log by its last lines, and how often it is there."""
    found = Counter(
        trace.rstrip()[-600:]
        for trace in re.findall(
            r"Traceback \(most recent call last\):.*?\n(?=\S)[^\n]*", output, re.S
        )
    )
    return [f"a traceback in the log, {number} times: {trace}" for trace, number in found.items()]


def _worker(settings: Settings, home: Path, number: int) -> Settings:
    own = {"data_dir": home / f"data-{number}", "worker_port": free_port()}
    return settings.model_copy(update=own)


def _set_apart(answers: int) -> list[dict[str, Any]]:
    """The interactions that are not the generator's: all of them calls that are to get a code."""
    named = [values.interaction_id(number) for number in range(values.INTERACTIONS)]
    return [
        {
            "id": each,
            "type": "voice",
            "state": "completed",
            "dispositionCode": None,
            "wrapUpCode": None,
            "metadata": {"startTime": "2026-01-05T08:00:00Z", "endTime": "2026-01-05T08:05:00Z"},
            "timeline": [],
        }
        for each in [*named, *map(answered_id, range(answers))]
    ]


def _figures(centre: Fuzzed, plan: Plan, written: float, took: float) -> list[tuple[str, str]]:
    evidence = centre.evidence
    total = len(centre.written)
    largest = {
        "outcome": max((len(each.value or b"") for each in evidence.outcomes), default=0),
        "changelog record": max((len(each.value or b"") for each in evidence.changelog), default=0),
        "headers": max(map(header_bytes, [*evidence.outcomes, *evidence.letters]), default=0),
    }
    return [
        ("records written", f"{total} in {written:.1f} s, {len(centre.sent)} of them good"),
        ("all decided after", f"{took:.1f} s, {total / took:.0f} records a second"),
        ("outcomes", f"{len(evidence.outcomes)}"),
        ("dead letters", f"{len(evidence.letters)}"),
        *((f"largest {name}", f"{size} bytes") for name, size in largest.items()),
    ]
