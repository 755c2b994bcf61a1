"""A worker killed at each step boundary of one record, on Apache Kafka, and started again.

Each case is an interaction of its own. A life kills itself at the case's boundary; the next one
finishes that record, and only then gets the next case's to die on.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import signal
import subprocess
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streams.core.envelope import UPDATE_DETAIL_TYPE
from streams.core.records import Source
from streams.core.retry_policy import CallPolicy
from streams.kafka.topics import apply_topics
from streams.local.simulator.api import Simulator
from streams.local.simulator.faults import Fault, FaultPlan, Script
from streams.local.simulator.route import Route
from streams.local.simulator.server import serving
from streams.settings import Settings
from streams.wire.outcomes import outcome_id
from tests.chaos.crashing import Boundary
from tests.support.clusters import RunningKafka
from tests.support.journey import CODE, NOT_CALLED, Journey
from tests.support.oracle import Place, read_all
from tests.support.workers import WorkerProcess, free_port, workers

log = logging.getLogger(__name__)

# Long enough that a busy machine loses no heartbeat; a static member need not sit it out.
SESSION_SECONDS = 20.0

# A life on a machine with two busy cores: start, restore, finish what the one before left.
LIFE_SECONDS = 40.0

# Events of a case that sends several. They lie in one partition, one behind the other, so a worker
# reads them together.
GROUPED = 4

# Lives side by side, for each kind of disk: starting one is all CPU, the rest of it is waiting.
CHAINS = 4


@dataclass(frozen=True)
class Case:
    """Where each life of the record's worker ends, and what must have come of it.

    ``published``: outcomes in the topic for each event, all of them the same. ``looks``: GETs.
    ``events``: how many, sent together; more than one need no call, and go in one group.
    """

    crashes: tuple[Boundary, ...]
    looks: int = 1
    patches: int = 1
    recovered: bool = False
    published: Collection[int] = (1,)
    decision: tuple[str, str] = ("patched", "eligible")
    dead_letters: int = 0
    put_off: bool = False
    events: int = 1

    @property
    def name(self) -> str:
        kind = f"{self.events} events: " if self.events > 1 else ""
        return kind + " + ".join(boundary.value for boundary in self.crashes)

    def sent(self, interaction_id: str) -> list[dict[str, Any]]:
        """Its events."""
        if self.events == 1:
            return [event(interaction_id, 1, "completed")]
        return [event(interaction_id, number, "connected") for number in range(self.events)]


def patched(
    *crashes: Boundary, looks: int = 1, recovered: bool = False, published: int = 1
) -> Case:
    return Case(crashes, looks, recovered=recovered, published={published})


def forbidden(*crashes: Boundary, dead_letters: int) -> Case:
    """A record that fails: the API refuses its GET."""
    return Case(crashes, patches=0, decision=("failed", "forbidden"), dead_letters=dead_letters)


def put_off(*crashes: Boundary, looks: int = 4, recovered: bool = False) -> Case:
    """A record that can not be looked up at first: three tries, and one when it comes back."""
    return Case(crashes, looks, recovered=recovered, put_off=True)


def grouped(*crashes: Boundary, published: Collection[int]) -> Case:
    """Events of one interaction that need no call. ``published``: outcomes of any one of them."""
    return Case(
        crashes,
        looks=0,
        patches=0,
        published=published,
        decision=("ineligible", "interaction-not-completed"),
        events=GROUPED,
    )


CASES = (
    # Together, and coalesced in the changelog: each is published as it was decided first.
    grouped(Boundary.BEFORE_VERDICT, published={1}),
    grouped(Boundary.VERDICT_IN_CHANGELOG, published={1}),
    grouped(Boundary.AFTER_VERDICT, published={1}),
    grouped(Boundary.BEFORE_OUTCOME, published={1}),
    grouped(Boundary.PART_OF_OUTCOMES, published={1, 2}),
    grouped(Boundary.PART_OF_OUTCOMES, Boundary.PART_OF_OUTCOMES, published={1, 2, 3}),
    grouped(Boundary.AFTER_OUTCOME, published={1, 2}),
    # Nothing is written down yet: all of it again.
    patched(Boundary.BEFORE_GET),
    patched(Boundary.AFTER_GET, looks=2),
    patched(Boundary.BEFORE_INTENT, looks=2),
    # In doubt and not sent: the look says so.
    patched(Boundary.INTENT_IN_CHANGELOG, looks=2),
    patched(Boundary.AFTER_INTENT, looks=2),
    patched(Boundary.BEFORE_PATCH, looks=2),
    patched(Boundary.BEFORE_PATCH, Boundary.BEFORE_PATCH, looks=3),
    # In doubt and done: the look says so, and nothing is sent again.
    patched(Boundary.PATCH_APPLIED, looks=2, recovered=True),
    patched(Boundary.AFTER_PATCH, looks=2, recovered=True),
    patched(Boundary.BEFORE_VERDICT, looks=2, recovered=True),
    patched(Boundary.BEFORE_PATCH, Boundary.PATCH_APPLIED, looks=3, recovered=True),
    patched(Boundary.PATCH_APPLIED, Boundary.AFTER_GET, looks=3, recovered=True),
    patched(Boundary.BEFORE_VERDICT, Boundary.BEFORE_VERDICT, looks=3, recovered=True),
    patched(Boundary.AFTER_PATCH, Boundary.VERDICT_IN_CHANGELOG, looks=2, recovered=True),
    # The verdict is in the changelog: it is published as it stands, and nobody asks the API.
    patched(Boundary.VERDICT_IN_CHANGELOG),
    patched(Boundary.AFTER_VERDICT),
    patched(Boundary.BEFORE_OUTCOME),
    forbidden(Boundary.BEFORE_DEAD_LETTER, dead_letters=1),
    forbidden(Boundary.AFTER_DEAD_LETTER, dead_letters=2),
    # Published, and not committed: published again, with the same id.
    patched(Boundary.AFTER_OUTCOME, published=2),
    patched(Boundary.AFTER_OUTCOME, Boundary.AFTER_OUTCOME, published=3),
    patched(Boundary.BEFORE_FINISH, published=2),
    patched(Boundary.AFTER_FINISH, published=2),
    patched(Boundary.BEFORE_COMMIT, published=2),
    # Put off: published so, and then in the retries topic, perhaps twice; decided once.
    put_off(Boundary.BEFORE_VERDICT),
    put_off(Boundary.VERDICT_IN_CHANGELOG),
    put_off(Boundary.BEFORE_OUTCOME),
    put_off(Boundary.AFTER_OUTCOME),
    put_off(Boundary.BEFORE_RETRY),
    put_off(Boundary.AFTER_RETRY),
    put_off(Boundary.AFTER_RETRY, Boundary.BEFORE_GET),
    put_off(Boundary.AFTER_RETRY, Boundary.AFTER_INTENT, looks=5),
    put_off(Boundary.AFTER_RETRY, Boundary.PATCH_APPLIED, looks=5, recovered=True),
    put_off(Boundary.AFTER_RETRY, Boundary.VERDICT_IN_CHANGELOG),
    # Committed: over.
    patched(Boundary.AFTER_COMMIT),
)

TRIES = CallPolicy().tries

ONCE = tuple(case for case in CASES if len(case.crashes) == 1)


class Chain:
    """One worker's lives, one after another, and the interactions that they died on."""

    def __init__(
        self, name: str, centre: Journey, worker: WorkerProcess, cases: Sequence[Case]
    ) -> None:
        self._name = name
        self._centre = centre
        self._worker = worker
        self._cases = {f"{name}-{index}": case for index, case in enumerate(cases)}

    async def live(self) -> None:
        for interaction_id, case in self._cases.items():
            for life, boundary in enumerate(case.crashes):
                self._worker.start("tests.chaos.crashing", boundary.value, interaction_id)
                if life == 0:
                    if self._centre.sent:
                        await self._centre.all_published(LIFE_SECONDS)
                        await self._centre.all_committed(LIFE_SECONDS)
                    await self._centre.send(case.sent(interaction_id))
                await self._death(case.name)
                if self._name.startswith("empty-disk"):
                    shutil.rmtree(self._centre.settings.data_dir)
        self._worker.start()
        await self._worker.ready()
        await self._centre.all_published(LIFE_SECONDS)
        await self._centre.all_committed(LIFE_SECONDS)
        assert self._worker.terminate() == 0, self._worker.output[-4000:]

    async def _death(self, name: str) -> None:
        try:
            code = await asyncio.to_thread(self._worker.ended, LIFE_SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{name}: a life never came to its boundary") from None
        assert code == -signal.SIGKILL, f"{name}: ended with {code}\n{self._worker.output[-4000:]}"

    async def judge(self) -> list[str]:
        """All that is not as its case says."""
        published, centre = await self._centre.outcomes(), self._centre
        dead = await read_all(centre.settings, centre.settings.topics.dead_letters)
        wrong = []
        for place, sent in centre.sent.items():
            interaction_id = sent["detail"]["interactionId"]
            case = self._cases[interaction_id]
            copied = (interaction_id.encode(), msgspec.json.encode(sent))
            found = {
                **centre.counters.get(interaction_id, NOT_CALLED),
                "published": len(published.get(place, [])) in case.published,
                "answers": {
                    (each["outcomeId"], each["decision"], each["reason"], each["recovered"])
                    for each in published.get(place, [])
                },
                "decided": len({each["decidedAt"] for each in published.get(place, [])}),
                "deadLetters": sum((letter.key, letter.value) == copied for letter in dead),
            }
            wanted = self._wanted(case, place)
            log.info("%-12s %-70s %s", self._name, case.name, found)
            if found != wanted:
                wrong.append(f"{case.name}:\n  {found}\n  {wanted} is right")
        if published.keys() != centre.sent.keys():
            wrong.append(f"sent {sorted(centre.sent)}, published of {sorted(published)}")
        return wrong

    def _wanted(self, case: Case, place: Place) -> dict[str, Any]:
        source = Source(self._centre.settings.topics.events, *place)
        return {
            "gets": case.looks,
            "patchesReceived": case.patches,
            "patchesApplied": case.patches,
            "published": True,
            "answers": {(outcome_id(source), *case.decision, case.recovered)},
            "decided": 1,
            "deadLetters": case.dead_letters,
        }

    def faults(self) -> list[Script]:
        """The API refuses what is to fail, however often it is asked, and fails for all tries of
        what is to be put off."""
        refused, failing = (Fault(status=403, times=10),), (Fault(status=503, times=TRIES),)
        return [
            Script(failing if case.put_off else refused, interaction_id, Route.GET)
            for interaction_id, case in self._cases.items()
            if case.put_off or case.dead_letters
        ]

    def truths(self) -> list[dict[str, Any]]:
        return [truth(interaction_id) for interaction_id in self._cases]


# Some eighty lives, each of them a start: three minutes on two busy cores.
@pytest.mark.timeout(300)
async def test_one_effect_and_the_true_outcome(
    kafka: RunningKafka, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    """Every case on the disk that the dead worker left, and single crashes on an empty one as well,
    as on another machine.

    And no request more than it takes: one PATCH, and a look for each life that is in doubt.
    """
    simulator = Simulator()
    async with serving(simulator) as url:

        def chain_settings(name: str) -> Settings:
            settings = make_settings(
                kafka_bootstrap_servers=kafka.bootstrap_servers,
                kafka_session_timeout_seconds=SESSION_SECONDS,
                worker_instance_id=name,
                worker_port=free_port(),
                genesys_cloud_base_url=url,
                genesys_cloud_client_id="client",
                genesys_cloud_client_secret="secret",
                disposition_code_id=CODE,
                # Three failures in a row open the breaker: soon over, as is the deferral.
                breaker_open_seconds=0.2,
                retry_first_seconds=0.2,
            )
            apply_topics(settings.kafka)
            return settings

        dealt = {
            f"{disk}-{number}": cases[number::CHAINS]
            for disk, cases in (("same-disk", CASES), ("empty-disk", ONCE))
            for number in range(CHAINS)
        }
        each = {name: chain_settings(name) for name in dealt}
        with workers(each, tmp_path) as started:
            chains = [
                Chain(name, Journey(each[name], simulator, {}), started[name], cases)
                for name, cases in dealt.items()
            ]
            simulator.store.register([one for chain in chains for one in chain.truths()])
            scripts = tuple(script for chain in chains for script in chain.faults())
            simulator.faults.plan(FaultPlan(scripts=scripts))
            async with asyncio.TaskGroup() as living:  # one that fails ends the others
                for chain in chains:
                    living.create_task(chain.live())
            wrong = [line for chain in chains for line in await chain.judge()]
    assert not wrong, "\n".join(wrong)


def truth(interaction_id: str) -> dict[str, Any]:
    """A call that is to be patched, as the API gives it."""
    return {
        "id": interaction_id,
        "type": "voice",
        "state": "completed",
        "dispositionCode": None,
        "wrapUpCode": None,
        "metadata": {"startTime": "2026-01-05T08:00:00Z", "endTime": "2026-01-05T08:05:00Z"},
        "timeline": [],
    }


def event(interaction_id: str, number: int, state: str) -> dict[str, Any]:
    return {
        "id": f"event {number} of {interaction_id}",
        "detail-type": UPDATE_DETAIL_TYPE,
        "source": "aws.partner/genesys.com",
        "time": "2026-01-05T08:05:00Z",
        "detail": {
            "interactionId": interaction_id,
            "sequenceId": number,
            "interactionType": "voice",
            "state": state,
        },
    }
