"""A worker process on conversations: real events, a simulated Genesys Cloud, and what is right."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from streams.kafka.message import Message
from streams.kafka.publisher import KafkaPublisher
from streams.kafka.topics import apply_topics
from streams.local.conversations.population import delivered
from streams.local.conversations.scenario import Scenario, moved, scenario_of
from streams.local.simulator.api import Simulator
from streams.local.simulator.server import serving
from streams.settings import Settings
from streams.timestamps import epoch_ms
from tests.support.explained import explained
from tests.support.journey import CODE, UNLIMITED
from tests.support.oracle import read_all
from tests.support.workers import eventually, free_port, workers

SCENARIOS = Path(__file__).parents[2] / "unit" / "core" / "conversations" / "scenarios"

# A minute of these calls is a second here, and so are the settings that are lengths of time.
SCALE = 1 / 60

# Reasons on each call's legs, and how often the API is asked for it.
REASONS: dict[str, list[str]] = {
    "inbound-agent-codes": ["wrap-up-already-set"],
    "inbound-acw-timeout": ["eligible"],
    "blind-transfer": ["eligible", "wrap-up-already-set"],
    "reject-then-abandon": ["not-connected"],
    "abandoned-in-queue": [],
    "outbound-campaign": ["campaign"],
}

Json = dict[str, Any]


# All of them, some of which last for an hour; or those of another directory, in the same form:
# SCENARIOS=DIRECTORY pytest -m kafka -k killed tests/integration/worker/test_conversations.py
ALL = sorted(Path(os.environ.get("SCENARIOS", SCENARIOS)).glob("*.json"))


def calls(begin_ms: int, paths: Iterable[Path]) -> list[Scenario]:
    """The calls, all begun at that time."""
    told = [scenario_of({"id": path.stem} | json.loads(path.read_text())) for path in paths]
    return [moved(each, begin_ms, SCALE) for each in told]


async def send(settings: Settings, told: Sequence[Scenario]) -> int:
    """Send each event when it arrives. Returns how many there were that a bridge would take."""
    publisher = KafkaPublisher(settings.kafka, client_id="calls")
    await publisher.start()
    number = 0
    try:
        for at_ms, event in delivered(told):
            kind = event["detail-type"].rpartition("}.")[2]
            if kind not in ("user.end", "customer.end", "acw", "wrapup", "outbound"):
                continue
            await asyncio.sleep(max(0.0, at_ms / 1000 - time.time()))
            key = event["detail"]["eventBody"]["conversationId"].encode()
            value = json.dumps(event).encode()
            await publisher.publish(Message(settings.topics.events, key=key, value=value))
            number += 1
    finally:
        await publisher.stop()
    return number


async def outcomes(settings: Settings) -> list[Json]:
    published = await read_all(settings, settings.topics.outcomes)
    return [json.loads(each.value or b"") for each in published]


def settings_for(url: str) -> dict[str, Any]:
    return {
        "genesys_api": "conversations",
        "genesys_cloud_base_url": url,
        "genesys_cloud_client_id": "client",
        "genesys_cloud_client_secret": "secret",
        "disposition_code_id": CODE,
        "duration_threshold_ms": round(30_000 * SCALE),
        "wrap_up_margin_seconds": 10 * SCALE,
        "wrap_up_patience_seconds": 5.0,
        "lag_window_seconds": 2.0,
        "worker_port": free_port(),
    }


async def test_each_leg_ends_as_it_is_right(
    broker: object, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    simulator = Simulator([], seed=1, requests_per_minute=UNLIMITED)
    async with serving(simulator) as url:
        settings = make_settings(**settings_for(url))
        apply_topics(settings.kafka)
        with workers({"alone": settings}, tmp_path) as started:
            worker = started["alone"]
            worker.start()
            await worker.ready()
            paths = [SCENARIOS / f"{name}.json" for name in REASONS]
            told = calls(round(time.time() * 1000) + 500, paths)
            simulator.conversations.store.load(told)
            sent = await send(settings, told)

            async def all_told() -> bool:
                final = [each for each in await outcomes(settings) if each["final"]]
                own = {each["outcomeId"] for each in final if each["leg"] is None}
                legs = {each["outcomeId"] for each in final if each["leg"] is not None}
                return len(own) == sent and len(legs) == sum(map(len, REASONS.values()))

            await eventually(all_told, 60, "every event and every leg has its outcome", every=0.5)

            assert worker.terminate() == 0, worker.output
        transfer = told[list(REASONS).index("blind-transfer")].conversation_id
        judge_explained(await explained(settings, tmp_path, transfer, "--ask"))

    judge(await outcomes(settings), told, simulator)


def judge_explained(lines: list[Json]) -> None:
    """A transferred call is told with its requests, and with both its legs."""
    *happened, conclusion, now = lines
    assert {each["kind"] for each in happened} >= {"event", "look", "call", "decision"}
    made = [each["call"]["method"] for each in happened if each["kind"] == "call"]
    assert made.count("PATCH") == 1, "told once, although two outcomes have it"
    assert conclusion["state"] == "coded"
    assert sorted(each["state"] for each in conclusion["legs"]) == ["coded", "no-code"]
    assert [each["reason"] for each in now["legs"]] == ["wrap-up-already-set"] * 2


def judge(published: list[Json], told: Sequence[Scenario], simulator: Simulator) -> None:
    on_legs: dict[str, dict[str, Json]] = defaultdict(dict)
    for each in published:
        if each["leg"] is not None and each["final"]:
            on_legs[each["interactionId"]][each["leg"]["participantId"]] = each
    counted = simulator.store.counted()
    for name, call in zip(REASONS, told, strict=True):
        legs = on_legs[call.conversation_id]
        assert sorted(each["reason"] for each in legs.values()) == REASONS[name], name
        written = simulator.conversations.store.written(call.conversation_id)
        assert [(each.participant_id, each.code) for each in written] == [
            (each.participant_id, CODE) for each in call.expected.set
        ], name
        for write, leg in zip(written, call.expected.set, strict=True):
            assert write.at_ms >= (epoch_ms(leg.not_before) or 0), name
            assert legs[leg.participant_id]["decision"] == "patched"
        gets = counted.get(call.conversation_id, {}).get("gets", 0)
        if name == "inbound-acw-timeout":
            assert gets <= 2
        if name == "inbound-agent-codes":
            assert gets == 0


@pytest.mark.kafka  # a long way to go: not for every `make test`
@pytest.mark.timeout(400)
async def test_a_worker_that_is_killed_again_and_again_codes_each_leg_once(
    broker: object, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    """All twenty calls; kill -9 every few seconds for as long as their events come."""
    random = Random(2027)
    simulator = Simulator([], seed=1, requests_per_minute=UNLIMITED)
    async with serving(simulator) as url:
        patience = {"wrap_up_patience_seconds": 900 * SCALE}
        settings = make_settings(**settings_for(url) | patience)
        apply_topics(settings.kafka)
        with workers({"killed": settings}, tmp_path) as started:
            worker = started["killed"]
            worker.start()
            await worker.ready()
            told = calls(round(time.time() * 1000) + 500, ALL)
            simulator.conversations.store.load(told)
            sending = asyncio.create_task(send(settings, told))
            kills = 0
            while not sending.done():
                await asyncio.wait({sending}, timeout=random.uniform(1.0, 8.0))
                worker.kill()
                kills += 1
                worker.start()
                await worker.ready(120)
            sent = await sending

            async def all_told() -> bool:
                final = [each for each in await outcomes(settings) if each["final"]]
                own = {each["outcomeId"] for each in final if each["leg"] is None}
                patched = {each["outcomeId"] for each in final if each["decision"] == "patched"}
                due = sum(len(call.expected.set) for call in told)
                return (len(own), len(patched)) == (sent, due)

            await eventually(all_told, 120, "every event has its outcome", every=1.0)
            assert worker.terminate() == 0, worker.output[-4000:]
    assert kills > 1
    published = await outcomes(settings)
    said: dict[str, set[tuple[str, str, str]]] = defaultdict(set)
    for each in published:
        said[each["outcomeId"]].add((each["decision"], each["reason"], each["basis"]))
    assert {each: what for each, what in said.items() if len(what) > 1} == {}
    legs = defaultdict(set)
    for each in published:
        if each["leg"] is not None and each["final"]:
            legs[each["interactionId"], each["leg"]["participantId"]].add(each["outcomeId"])
    assert {each: ids for each, ids in legs.items() if len(ids) > 1} == {}
    for call in told:
        written = simulator.conversations.store.written(call.conversation_id)
        due = {each.participant_id: epoch_ms(each.not_before) or 0 for each in call.expected.set}
        assert sorted(each.participant_id for each in written) == sorted(due), call
        assert all(each.at_ms >= due[each.participant_id] for each in written)
        assert all(each.code == CODE for each in written)
