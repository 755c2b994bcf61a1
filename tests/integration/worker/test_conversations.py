"""A worker process on conversations: real events, a simulated Genesys Cloud, and what is right."""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from streams.kafka.message import Message
from streams.kafka.publisher import KafkaPublisher
from streams.kafka.topics import apply_topics
from streams.local.conversations.population import delivered
from streams.local.conversations.scenario import Scenario
from streams.local.simulator.api import Simulator
from streams.local.simulator.server import serving
from streams.settings import Settings
from streams.timestamps import epoch_ms
from tests.support.explained import explained
from tests.support.journey import CODE, UNLIMITED
from tests.support.told_calls import SCENARIOS, Json, calls, outcomes, settings_for
from tests.support.workers import eventually, workers

# Reasons on each call's legs, and how often the API is asked for it.
REASONS: dict[str, list[str]] = {
    "inbound-agent-codes": ["wrap-up-already-set"],
    "inbound-acw-timeout": ["eligible"],
    "blind-transfer": ["eligible", "wrap-up-already-set"],
    "reject-then-abandon": ["not-connected"],
    "abandoned-in-queue": [],
    "outbound-campaign": ["campaign"],
}


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


async def test_each_leg_ends_as_it_is_right(
    broker: object, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    simulator = Simulator([], seed=1, requests_per_minute=UNLIMITED)
    async with serving(simulator) as url:
        settings = make_settings(**settings_for(url) | {"wrap_up_patience_seconds": 5.0})
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
