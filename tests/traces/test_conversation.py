"""A conversation's look, seconds after the event that planned it, is in that event's trace."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.local.simulator.api import Simulator
from streams.local.simulator.faults import Fault, FaultPlan, Script
from streams.local.simulator.route import Route
from streams.settings import Settings
from tests.support.told_calls import SCENARIOS, calls, outcomes, settings_for
from tests.support.workers import eventually
from tests.traces.cases import ports
from tests.traces.pipeline import pipeline
from tests.traces.span import Span, text_of
from tests.traces.store import TraceStore

pytestmark = pytest.mark.timeout(300)

# The agent's time for a code has run out, and nobody else has set one.
CALL = SCENARIOS / "inbound-acw-timeout.json"

# The requests for it. A code that was taken is looked for until it shows.
CODED = [("GET", 200), ("PATCH", 202), ("GET", 200)]
REFUSED = [("GET", 200), ("PATCH", 400)]


@pytest.mark.parametrize("accepted", [True, False], ids=["coded", "refused"])
async def test_a_look_is_in_the_trace_of_its_event(
    broker: object,
    store: TraceStore,
    make_settings: Callable[..., Settings],
    tmp_path: Path,
    accepted: bool,
) -> None:
    refusal = FaultPlan(scripts=(Script((Fault(status=400),), route=Route.PATCH),))
    simulator = Simulator([], plan=FaultPlan() if accepted else refusal)
    settings = make_settings(**(settings_for("http://127.0.0.1:9") | ports()))
    async with pipeline(settings, store, simulator, tmp_path) as running:
        told = calls(round(time.time() * 1000), [CALL])
        simulator.conversations.store.load(told)
        for at_ms, event in told[0].arrivals():
            await asyncio.sleep(max(0.0, at_ms / 1000 - time.time()))
            await running.send(event)

        async def leg_decided() -> bool:
            return any(each["leg"] for each in await outcomes(running.settings))

        await eventually(leg_decided, 60, "the leg has its outcome", every=0.5)
        published = await outcomes(running.settings)
        running.end()

    (leg,) = (each for each in published if each["leg"])
    traces = store.traces()
    assert traces.keys() == {each["traceId"] for each in published}
    for trace in traces.values():
        text = text_of(trace, settings.topic_prefix)
        assert text.startswith("bridge: publish events\n  worker: process events\n"), text
    look = [span for span in traces[leg["traceId"]] if span.name.startswith("publish")][-1]
    every = {span.span_id: span for trace in traces.values() for span in trace}
    made = [span for span in every.values() if "http.request.method" in span.attributes]
    made.sort(key=lambda span: span.started)
    assert [told_of(span) for span in made] == (CODED if accepted else REFUSED)
    assert {every[span.parent_id].name for span in [look, *made]} == {
        f"process {settings.topics.retries}"
    }
    refused = {span.name for span in every.values() if span.failed}
    assert refused == (set() if accepted else {"PATCH", f"process {settings.topics.retries}"})

    whole = json.dumps([span.about for span in every.values()])
    assert told[0].conversation_id in whole
    assert "tel:" not in whole, "numbers of the people in the call"


def told_of(call: Span) -> tuple[str, int]:
    return call.name, call.attributes["http.response.status_code"]
