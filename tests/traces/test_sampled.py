"""One trace in twenty is kept, and is whole; of the others there is nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased

from streams.local.generator.population import population
from streams.local.generator.stream import stream
from streams.local.simulator.api import Simulator
from streams.settings import Settings
from tests.support.journey import UNLIMITED
from tests.traces.cases import SETTINGS, ports
from tests.traces.pipeline import pipeline
from tests.traces.span import text_of
from tests.traces.store import TraceStore

pytestmark = pytest.mark.timeout(300)

SHARE = 0.05

# Some 700 events, of which 35 are expected: that it is none of them will not be seen.
INTERACTIONS = 100


def is_kept(trace_id: str) -> bool:
    """As the SDK decides on the id alone."""
    sampled = TraceIdRatioBased(SHARE).should_sample(None, int(trace_id, 16), "")
    return sampled.decision is Decision.RECORD_AND_SAMPLE


def whole(outcomes: Sequence[dict[str, Any]]) -> str:
    """The trace of an event by what its one outcome says of it."""
    (outcome,) = outcomes
    calls = [f"    worker: {call['method']} {call['status']}" for call in outcome["calls"]]
    return "\n".join(
        [
            "bridge: publish events",
            "  worker: process events",
            *calls,
            "    worker: publish outcomes",
        ]
    )


async def test_a_part_of_the_traces_is_there_whole(
    broker: object, store: TraceStore, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    people = population(5, INTERACTIONS)
    simulator = Simulator([one.truth for one in people], requests_per_minute=UNLIMITED)
    settings = make_settings(**SETTINGS, **ports())
    # The worker is set to keep all, and follows the bridge, where the traces begin.
    sampler = {
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": str(SHARE),
    }
    async with pipeline(settings, store, simulator, tmp_path, **sampler) as running:
        for event in stream(people, 5):
            await running.send(event)
        await running.decided()
        outcomes = list((await running.outcomes()).values())
        running.end()

    kept = {
        trace_id: text_of(spans, settings.topic_prefix)
        for trace_id, spans in store.traces().items()
    }
    of_each = {outcome[0]["traceId"]: outcome for outcome in outcomes}
    assert len(of_each) == len(running.places), "each event has a trace id of its own"
    assert kept == {id_: whole(outcome) for id_, outcome in of_each.items() if is_kept(id_)}
    assert kept
    assert any("GET" in text for text in kept.values())
