"""A worker killed at each step of a leg's road, on Apache Kafka, and started again.

Each step is tried on a conversation of its own. A life kills itself at that step; the next one
finishes the conversation. One step in EVERY is tried on the disk that the dead worker left, and
another one on an empty disk. Each of them on both: EVERY=1 pytest --kafka -m kafka -k leg_crash
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from streams.core.conversations.events import EventName
from streams.kafka.message import Message
from streams.kafka.publisher import KafkaPublisher
from streams.kafka.topics import apply_topics
from streams.local.simulator.api import Simulator
from streams.local.simulator.server import serving
from streams.settings import Settings
from tests.chaos.leg_crashing import DIES
from tests.support.clusters import RunningKafka
from tests.support.ended_call import ended, told
from tests.support.journey import CODE, UNLIMITED
from tests.support.oracle import nothing_left
from tests.support.told_calls import Json, outcomes
from tests.support.workers import WorkerProcess, eventually, free_port, workers

log = logging.getLogger(__name__)

# Long enough that a busy machine loses no heartbeat; a static member need not sit it out.
SESSION_SECONDS = 20.0

# A life on a machine with two busy cores: start, restore, finish what the one before left. A code
# in doubt that is not there is looked for for ten seconds.
LIFE_SECONDS = 60.0

# Lives side by side, for each kind of disk: starting one is all CPU, the rest of it is waiting.
CHAINS = 4

# An agent whose time ran out long before.
RUN_OUT_MS, LONG_AGO_MS = 30_000, 600_000

# All of them take four times as long, and `make test` tries them all with doubles for Kafka and the
# API.
EVERY = int(os.environ.get("EVERY", "4"))

# A road has some fifty steps; with fewer, the worker was not killed where it can be.
LEAST_STEPS = 44 // EVERY

# The events of a call's end come together: one plans the look, the other joins it.
EVENTS = (EventName.CUSTOMER_END, EventName.ACW)


class Chain:
    """One worker's lives, one after another, each of which dies on a conversation of its own:
    at the step ``first`` and then at each CHAINS * EVERYth, to the end of the road."""

    def __init__(self, name: str, first: int, settings: Settings, worker: WorkerProcess) -> None:
        self._name = name
        self._steps = count(first, CHAINS * EVERY)
        self._settings = settings
        self._worker = worker
        self.conversations: list[str] = []
        self.died = 0

    async def live(self, simulator: Simulator) -> None:
        while True:
            step = next(self._steps)
            conversation_id = f"{self._name}-{step}"
            self._worker.start("tests.chaos.leg_crashing", str(step), conversation_id)
            await self._all_done()
            self.conversations.append(conversation_id)
            await self._send(conversation_id, simulator)
            if not await self._dies():
                break
            self.died += 1
            if self._name.startswith("empty-disk"):
                shutil.rmtree(self._settings.data_dir)
        assert self._worker.terminate() == 0, self._worker.output[-4000:]
        for line in self._worker.output.splitlines():
            if f" {DIES} " in line:
                log.info("%s", line)

    async def _send(self, conversation_id: str, simulator: Simulator) -> None:
        now_ms = round(time.time() * 1000)
        call = ended(conversation_id, now_ms, RUN_OUT_MS, LONG_AGO_MS)
        simulator.conversations.store.load([call])
        publisher = KafkaPublisher(self._settings.kafka, client_id="chain")
        await publisher.start()
        try:
            for name in EVENTS:
                value = told(conversation_id, now_ms, name)
                key = conversation_id.encode()
                await publisher.publish(Message(self._settings.topics.events, key=key, value=value))
        finally:
            await publisher.stop()

    async def _dies(self) -> bool:
        """Whether this life dies before its conversation is done with."""

        async def dead_or_done() -> bool:
            return self._worker.exit_code is not None or await self._done()

        await eventually(dead_or_done, LIFE_SECONDS, "the worker dies, or all is done", every=0.5)
        code = self._worker.exit_code
        assert code in (None, -signal.SIGKILL), self._worker.output[-4000:]
        return code is not None

    async def _all_done(self) -> None:
        await eventually(self._done, LIFE_SECONDS, "all is done", every=0.5)

    async def _done(self) -> bool:
        """Whether each event and each leg has its outcome, and no look is planned."""
        finals = [each for each in await outcomes(self._settings) if each["final"]]
        own = {each["outcomeId"] for each in finals if each["leg"] is None}
        legs = {each["interactionId"] for each in finals if each["leg"] is not None}
        all_there = len(own) == len(EVENTS) * len(self.conversations)
        return (
            all_there
            and legs == set(self.conversations)
            and await nothing_left(self._settings, self._settings.topics.events)
            and await nothing_left(self._settings, self._settings.topics.retries)
        )

    async def judge(self, simulator: Simulator) -> list[str]:
        """All that is not as it should be."""
        wrong, published = [], await outcomes(self._settings)
        for conversation_id in self.conversations:
            of_it = [each for each in published if each["interactionId"] == conversation_id]
            written = simulator.conversations.store.written(conversation_id)
            writes = [(each.status, each.code) for each in written]
            found = (writes, *told_of_the_leg(of_it), len(told_of_the_events(of_it)))
            if found != ([(202, CODE)], 1, {("patched", "eligible")}, len(EVENTS)):
                wrong.append(f"{conversation_id}: {found}")
        return wrong


def told_of_the_leg(published: list[Json]) -> tuple[int, set[tuple[str, str]]]:
    """How many different answers there were, ids and times included, and which decisions."""
    of_leg = [each for each in published if each["leg"] is not None]
    answers = {
        (each["outcomeId"], each["decision"], each["recovered"], each["decidedAt"])
        for each in of_leg
    }
    return len(answers), {(each["decision"], each["reason"]) for each in of_leg}


def told_of_the_events(published: list[Json]) -> set[tuple[str, str, str]]:
    """The different answers on the events themselves."""
    return {
        (each["outcomeId"], each["decision"], each["reason"])
        for each in published
        if each["leg"] is None
    }


# Some thirty lives, each of them a start: a minute or two on two busy cores.
@pytest.mark.timeout(600)
async def test_one_write_one_id_and_one_decision(
    kafka: RunningKafka, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    simulator = Simulator(requests_per_minute=UNLIMITED)
    async with serving(simulator) as url:

        def chain_settings(name: str) -> Settings:
            settings = make_settings(
                genesys_api="conversations",
                kafka_bootstrap_servers=kafka.bootstrap_servers,
                kafka_session_timeout_seconds=SESSION_SECONDS,
                worker_instance_id=name,
                worker_port=free_port(),
                genesys_cloud_base_url=url,
                genesys_cloud_client_id="client",
                genesys_cloud_client_secret="secret",
                disposition_code_id=CODE,
                # It is looked at after a thirtieth of it.
                wrap_up_verify_seconds=15.0,
            )
            apply_topics(settings.kafka)
            return settings

        firsts = {
            f"{disk}-{number}": number * EVERY + offset
            for disk, offset in (("same-disk", 0), ("empty-disk", EVERY - 1))
            for number in range(CHAINS)
        }
        each = {name: chain_settings(name) for name in firsts}
        with workers(each, tmp_path) as started:
            chains = [
                Chain(name, first, each[name], started[name]) for name, first in firsts.items()
            ]
            async with asyncio.TaskGroup() as living:  # one that fails ends the others
                for chain in chains:
                    living.create_task(chain.live(simulator))
            wrong = [line for chain in chains for line in await chain.judge(simulator)]
    assert not wrong, "\n".join(wrong)
    for disk in ("same-disk", "empty-disk"):
        died = sum(chain.died for chain, name in zip(chains, firsts, strict=True) if disk in name)
        assert died >= LEAST_STEPS, f"{disk}: only {died} steps"
