"""Whole runs: a simulated contact centre's events through real workers, judged by the model."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec

from streams.kafka.message import Message
from streams.kafka.publisher import Acknowledged, KafkaPublisher
from streams.kafka.topics import apply_topics
from streams.local.generator.population import population
from streams.local.generator.stream import stream
from streams.local.model import Expected, Rules, expected
from streams.local.simulator.api import Simulator
from streams.local.simulator.latency import Latency
from streams.local.simulator.server import serving
from streams.settings import Settings
from tests.support.oracle import (
    Place,
    agrees,
    committed,
    one_answer_each,
    outcomes_by_place,
    read_all,
)
from tests.support.workers import eventually

CODE = "11111111-2222-4333-8444-555555555555"

NOT_CALLED = {"gets": 0, "patchesReceived": 0, "patchesApplied": 0}

# The simulator's limit stands in nobody's way here.
UNLIMITED = 10_000_000


@dataclass
class Journey:
    """One contact centre, its events in Kafka, and what became of them."""

    settings: Settings
    simulator: Simulator
    truths: Mapping[str, dict[str, Any]]
    """The interactions as the API gives them before the first event."""
    sent: dict[Place, dict[str, Any]] = field(default_factory=dict)
    put_off: set[str] = field(default_factory=set)

    @property
    def counters(self) -> Mapping[str, Mapping[str, int]]:
        """The API's own counters of each interaction."""
        return self.simulator.store.counted()

    async def send(self, events: Sequence[dict[str, Any]], *, seconds: float = 0.0) -> None:
        """Put the events into the topic, in order, spread over that time."""
        publisher = KafkaPublisher(self.settings.kafka, client_id="journey")
        await publisher.start()
        pending: list[tuple[dict[str, Any], asyncio.Future[Acknowledged]]] = []
        started = time.monotonic()
        try:
            for number, event in enumerate(events):
                due = started + seconds * number / len(events)
                if (wait := due - time.monotonic()) > 0:
                    await asyncio.sleep(wait)
                key = event["detail"]["interactionId"].encode()
                body = msgspec.json.encode(event)
                message = Message(self.settings.topics.events, key=key, value=body)
                pending.append((event, await publisher.enqueue(message)))
            for event, acknowledged in pending:
                at = await acknowledged
                self.sent[(at.partition, at.offset)] = event
        finally:
            await publisher.stop()

    async def outcomes(self) -> Mapping[Place, list[dict[str, Any]]]:
        """All final ones; ``put_off`` remembers the interactions of the others."""
        published = outcomes_by_place(await read_all(self.settings, self.settings.topics.outcomes))
        finals: dict[Place, list[dict[str, Any]]] = {}
        for place, outcomes in published.items():
            self.put_off |= {each["interactionId"] for each in outcomes if not each["final"]}
            if final := [each for each in outcomes if each["final"]]:
                finals[place] = final
        return finals

    async def all_published(self, seconds: float) -> None:
        """Wait until every event sent has an outcome."""

        async def published() -> bool:
            return len(await self.outcomes()) >= len(self.sent)

        await eventually(published, seconds, "every event has its outcome", every=1.0)

    async def all_committed(self, seconds: float) -> None:
        """Wait until the group's committed offsets are at the end of every partition: of the events
        and of what was put off."""
        topics = self.settings.topics

        async def at_the_end() -> bool:
            returns = await read_all(self.settings, topics.retries)
            return await committed(self.settings, topics.events) == _ends(self.sent) and (
                await committed(self.settings, topics.retries)
                == _ends((each.partition, each.offset) for each in returns)
            )

        await eventually(at_the_end, seconds, f"committed up to {_ends(self.sent)}", every=0.5)

    async def judge(self) -> Counter[tuple[str, str, str]]:
        """Hold every outcome and every API call against the model; returns what was decided.

        Fails with all that is wrong, not just with the first.
        """
        published = await self.outcomes()
        wrong = one_answer_each(published)
        wrong += [f"{place}: no outcome" for place in self.sent.keys() - published.keys()]
        wrong += [
            f"{place}: outcome of nothing sent" for place in published.keys() - self.sent.keys()
        ]
        places = sorted(self.sent)
        model = expected([self.sent[place] for place in places], self.truths, Rules())
        nth: Counter[str] = Counter()
        decided: Counter[tuple[str, str, str]] = Counter()
        for place in places:
            interaction_id = self.sent[place]["detail"]["interactionId"]
            want = model[interaction_id].outcomes[nth[interaction_id]]
            nth[interaction_id] += 1
            for outcome in published.get(place, []):
                got = Expected(outcome["decision"], outcome["reason"], outcome["basis"])
                if not agrees(got, want, put_off=interaction_id in self.put_off):
                    wrong.append(f"{place} {interaction_id}: {got}, the model says {want}")
            decided[(want.decision, want.reason, want.basis)] += 1
        for interaction_id, one in model.items():
            applied = self.counters.get(interaction_id, {}).get("patchesApplied", 0)
            if applied != one.patches:
                wrong.append(f"{interaction_id}: {applied} PATCHes applied, wanted {one.patches}")
        assert not wrong, f"{len(wrong)} deviations:\n" + "\n".join(wrong[:20])
        return decided

    def assert_no_call_wasted(self) -> None:
        """As many GETs as the model makes, and one PATCH for each eligible interaction: what holds
        when no call fails and no worker dies."""
        places = sorted(self.sent)
        model = expected([self.sent[place] for place in places], self.truths, Rules())
        wasted = {
            interaction_id: (counted, one.gets, one.patches)
            for interaction_id, one in model.items()
            if (counted := self.counters.get(interaction_id, NOT_CALLED))
            != {"gets": one.gets, "patchesReceived": one.patches, "patchesApplied": one.patches}
        }
        assert not wasted
        eligible = [self.counters[id_] for id_, one in model.items() if one.patches]
        assert all(each["gets"] + each["patchesReceived"] == 2 for each in eligible)


def _ends(places: Iterable[Place]) -> dict[int, int]:
    """The offset behind the last record of each partition."""
    ends: dict[int, int] = defaultdict(int)
    for partition, offset in places:
        ends[partition] = max(ends[partition], offset + 1)
    return ends


@asynccontextmanager
async def journey(
    settings: Settings,
    *,
    interactions: int,
    seed: int,
    requests_per_minute: int = UNLIMITED,
    latency: Latency | None = None,
) -> AsyncIterator[tuple[Journey, list[dict[str, Any]]]]:
    """A centre with its topics and its API, and the events it will send."""
    people = population(seed, interactions)
    simulator = Simulator(
        [one.truth for one in people],
        seed=seed,
        requests_per_minute=requests_per_minute,
        latency=latency,
    )
    async with serving(simulator) as url:
        pointed = settings.model_copy(
            update={
                "genesys_cloud_base_url": url,
                "genesys_cloud_client_id": "client",
                "genesys_cloud_client_secret": "secret",
                "disposition_code_id": CODE,
            }
        )
        apply_topics(pointed.kafka)
        # The simulator changes its own copies.
        going = Journey(pointed, simulator, {one.id: dict(one.truth) for one in people})
        yield going, list(stream(people, seed))
