"""An API that lags behind its own events: a call that it shows seconds later gets its code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streams.settings import Settings
from tests.support.journey import Journey, journey
from tests.support.oracle import outcomes_by_place, read_all
from tests.support.workers import eventually, free_port, workers

CALL = "call-that-shows-late"
RIGHT: dict[str, Any] = {
    "id": CALL,
    "type": "voice",
    "state": "completed",
    "metadata": {"startTime": "2025-12-12T15:00:00Z", "endTime": "2025-12-12T15:05:00Z"},
}
LAGGING: dict[str, dict[str, Any] | None] = {
    "not known": None,
    "not over": RIGHT | {"state": "connected"},
    "no end time": RIGHT | {"metadata": {"startTime": "2025-12-12T15:00:00Z"}},
}
EVENT = {
    "version": "0",
    "id": "e-1",
    "detail-type": "purecloud:v2:interaction:update",
    "source": "aws.partner/genesys.com/test",
    "time": "2025-12-12T15:05:01Z",
    "detail": {
        "interactionId": CALL,
        "sequenceId": 9,
        "interactionType": "voice",
        "state": "completed",
    },
}


async def decided(centre: Journey) -> list[tuple[str, str]]:
    """Decision and reason of each outcome of the one event, deferrals too."""
    outcomes = await read_all(centre.settings, centre.settings.topics.outcomes)
    (of_one,) = outcomes_by_place(outcomes).values() or [[]]
    return [(each["decision"], each["reason"]) for each in of_one]


@pytest.mark.kafka  # a long way to go: not for every `make test`
@pytest.mark.parametrize("seen", LAGGING)
async def test_a_call_that_shows_late_gets_its_code(
    seen: str, broker: object, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = make_settings(worker_port=free_port(), lag_window_seconds=6.0)
    async with journey(settings, interactions=1, seed=1) as (centre, _):
        store, first = centre.simulator.store, LAGGING[seen]
        if first is not None:
            store.register([first])
        with workers({"alone": centre.settings}, tmp_path) as started:
            worker = started["alone"]
            worker.start()
            await worker.ready()
            await centre.send([EVENT])

            async def put_off() -> bool:
                return ("deferred", "not-yet-visible") in await decided(centre)

            await eventually(put_off, 30, "it is to be looked at again", every=0.2)
            if first is None:
                store.register([RIGHT])
            else:
                late = store.find(CALL)
                assert late is not None
                late.replace(RIGHT)
            await centre.all_published(30)
            assert (await decided(centre))[-1] == ("patched", "eligible")
            assert centre.counters[CALL]["patchesApplied"] == 1
            assert worker.terminate() == 0, worker.output
