"""Bridge and worker as processes that send their spans to a store, and a Genesys Cloud to ask."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streams.kafka.topics import apply_topics
from streams.local.simulator.api import Simulator
from streams.local.simulator.server import serving
from streams.settings import Settings
from tests.support.bridges import post
from tests.support.oracle import Place, outcomes_by_place, read_all
from tests.support.workers import WorkerProcess, eventually
from tests.traces.store import TraceStore

Json = dict[str, Any]

# A record is put off for seconds, on a machine with two busy cores.
DECIDED_SECONDS = 60.0


class Program(WorkerProcess):
    """A bridge or a worker, with variables beside its settings."""

    def __init__(self, settings: Settings, port: int, log: Path, more: Mapping[str, str]) -> None:
        super().__init__(settings, log)
        self.url = f"http://127.0.0.1:{port}"
        self._environment |= more


@dataclass
class Pipeline:
    """``places``: where the bridge has put what it took, in order."""

    settings: Settings
    bridge: Program
    worker: Program
    places: list[Place]

    async def send(self, event: Json, **headers: str) -> Place:
        """Hand an event to the bridge, which takes it. ``headers``: as ``post`` takes them."""
        status, answer = await post(self.bridge.url, json.dumps(event).encode(), **headers)
        assert status == 200, answer
        place = (answer["partition"], answer["offset"])
        self.places.append(place)
        return place

    async def outcomes(self) -> Mapping[Place, Sequence[Json]]:
        """Those of each source record, in order."""
        return outcomes_by_place(await read_all(self.settings, self.settings.topics.outcomes))

    async def decided(self, *places: Place) -> None:
        """Wait for the final outcome of these records; of all that were sent, without any."""

        async def all_final() -> bool:
            published = await self.outcomes()
            return all(
                any(each["final"] for each in published.get(place, ()))
                for place in places or self.places
            )

        await eventually(all_final, DECIDED_SECONDS, "each record has its outcome", every=0.5)

    def end(self) -> None:
        """End both, which have sent all of their spans then."""
        for program in (self.bridge, self.worker):
            assert program.terminate() == 0, program.output


@asynccontextmanager
async def pipeline(
    settings: Settings,
    store: TraceStore,
    simulator: Simulator,
    directory: Path,
    **of_bridge: str,
) -> AsyncIterator[Pipeline]:
    """Both run and are ready. ``of_bridge``: variables of the bridge alone."""
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": store.otlp,
        "OTEL_METRICS_EXPORTER": "none",
        # Nearly all is in the store before the programs end: what is left then has two seconds.
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }
    async with serving(simulator) as url:
        pointed = settings.model_copy(update={"genesys_cloud_base_url": url})
        apply_topics(pointed.kafka)
        with ExitStack() as running:
            bridge = Program(
                pointed, pointed.bridge_port, directory / "bridge.log", variables | of_bridge
            )
            worker = Program(pointed, pointed.worker_port, directory / "worker.log", variables)
            for program, command in ((bridge, ("bridge", "http")), (worker, ("worker",))):
                running.callback(program.close)
                program.start("streams", *command)
            try:
                for program in (bridge, worker):
                    await program.ready()
                yield Pipeline(pointed, bridge, worker, [])
            except BaseException as failure:
                for program in (bridge, worker):
                    failure.add_note(program.output[-10_000:])
                raise
