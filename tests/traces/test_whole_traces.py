"""Whole traces, read back out of a real store: what happened to each event is in one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from streams.local.simulator.api import Simulator
from streams.local.simulator.faults import Fault, FaultPlan, Script
from streams.local.simulator.route import Route
from streams.settings import Settings
from tests.support.bridges import post
from tests.support.oracle import Place
from tests.support.workers import eventually
from tests.traces.cases import SETTINGS, event, ports, truth
from tests.traces.pipeline import Pipeline, pipeline
from tests.traces.span import text_of
from tests.traces.store import TraceStore

# Starts a store and two programs, and waits for records that were put off.
pytestmark = pytest.mark.timeout(300)

# Who sent the first event has a trace of its own, which goes on.
SENDER, SENDER_SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"

CALLS = ("patched", "tried-again", "refused", "shows-late", "outage")

FAULTS = FaultPlan(
    scripts=(
        Script((Fault(status=500),), "tried-again", Route.GET),
        Script((Fault(status=400),), "refused", Route.PATCH),
        Script((Fault(status=503, times=3),), "outage", Route.GET),
    )
)

# Each case with its trace. A line is a span below its parent: the program, the name, the status of
# an answer, and `failed` where the span is an error.
TOLD = {
    "patched": f"""\
        below {SENDER_SPAN}: bridge: publish events
          worker: process events
            worker: GET 200
            worker: PATCH 200
            worker: publish outcomes""",
    "the-same-again": """\
        bridge: publish events
          worker: process events
            worker: publish outcomes""",
    "no-call": """\
        bridge: publish events
          worker: process events
            worker: publish outcomes""",
    "tried-again": """\
        bridge: publish events
          worker: process events
            worker: GET 500 failed
            worker: GET 200
            worker: PATCH 200
            worker: publish outcomes""",
    "refused": """\
        bridge: publish events
          worker: process events failed
            worker: GET 200
            worker: PATCH 400 failed
            worker: publish outcomes""",
    "shows-late": """\
        bridge: publish events
          worker: process events
            worker: GET 200
            worker: publish outcomes
            worker: process retries
              worker: GET 200
              worker: PATCH 200
              worker: publish outcomes""",
    "outage": """\
        bridge: publish events
          worker: process events
            worker: GET 503 failed
            worker: GET 503 failed
            worker: GET 503 failed
            worker: publish outcomes
            worker: process retries
              worker: GET 200
              worker: PATCH 200
              worker: publish outcomes""",
}

# What is no event has no outcome, and a trace of one span.
NO_EVENT = "bridge: publish dead-letters"


async def send(running: Pipeline, simulator: Simulator) -> Mapping[str, Place]:
    """Each case's event, and where it is. The outage comes last: the others need an API."""
    sent = {}
    sent["patched"] = await running.send(
        event("patched"), traceparent=f"00-{SENDER}-{SENDER_SPAN}-01"
    )
    sent["the-same-again"] = await running.send(event("patched"))
    sent["no-call"] = await running.send(event("no-call", interactionType="chat"))
    for call in ("tried-again", "refused", "shows-late"):
        sent[call] = await running.send(event(call))
    assert (await post(running.bridge.url, b"no event"))[0] == 400

    async def put_off() -> bool:
        return sent["shows-late"] in await running.outcomes()

    await eventually(put_off, 60, "the call that does not show yet is put off", every=0.2)
    late = simulator.store.find("shows-late")
    assert late is not None
    late.replace(truth("shows-late"))
    await running.decided()
    sent["outage"] = await running.send(event("outage"))
    await running.decided()
    return sent


async def test_what_becomes_of_an_event_is_one_trace(
    broker: object,
    store: TraceStore,
    make_settings: Callable[..., Settings],
    tmp_path: Path,
) -> None:
    simulator = Simulator([truth(call) for call in CALLS], seed=16, plan=FAULTS)
    simulator.store.register([truth("shows-late", state="connected")])
    settings = make_settings(**SETTINGS, **ports(), lag_window_seconds=20.0)
    async with pipeline(settings, store, simulator, tmp_path) as running:
        sent = await send(running, simulator)
        outcomes = await running.outcomes()
        running.end()

    traces = {
        trace_id: text_of(spans, settings.topic_prefix)
        for trace_id, spans in store.traces().items()
    }
    found = {}
    for case, place in sent.items():
        trace_id, *others = {each["traceId"] for each in outcomes[place]}
        assert not others, f"{case}: its outcomes are in more than one trace"
        found[case] = traces.pop(trace_id)
        if case == "patched":
            assert trace_id == SENDER
    assert found == {case: dedent(text) for case, text in TOLD.items()}
    assert list(traces.values()) == [NO_EVENT]
