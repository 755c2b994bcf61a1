"""The API is down in the middle of a steady stream: who calls it, and what is left. Apache Kafka.

    python -m benchmarks.outage [--kind 500|timeout|refused|token] [--events 20000] [--seconds 180]

The generator's stream goes into the topic at a steady rate. After some time the API answers every
request with 500, or not at all, or refuses connections, or gives no token; and then is well again.
Every call, every outcome and every PATCH is held against the reference model. Exit 1 unless

* the breaker opened before MOST_TO_OPEN calls had failed,
* from then on, during the outage, no more calls were made than its probes,
* every event has its one final outcome, as the model says, and each eligible call one PATCH.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import click
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.throughput import broker
from streams.genesys.breaker import BreakerPolicy
from streams.kafka.topics import apply_topics
from streams.local.generator.population import population
from streams.local.generator.stream import stream
from streams.local.simulator.api import Simulator
from streams.local.simulator.faults import Fault, FaultPlan, Rate
from streams.local.simulator.latency import Latency
from streams.local.simulator.route import Route
from streams.local.simulator.server import application
from streams.settings import Settings
from tests.support.journey import CODE, UNLIMITED, Journey
from tests.support.workers import WorkerProcess, free_port, workers

SEED = 11
EVENTS_AN_INTERACTION = 8
LATENCY = Latency(50, 0.4)

# Events a second: what one worker decides many times over, so that what is left is the outage's.
RATE = 60.0

# Of the stream's time, before the API goes down.
HEALTHY_SHARE = 0.25

# Shorter than the default, so that a time-out does not outlast the breaker's own pause.
API_TIMEOUT_SECONDS = 5.0

# Calls that fail before the breaker opens: as many as prove something, and those on their way then.
MOST_TO_OPEN = 2 * BreakerPolicy().minimum_calls

SAMPLE_SECONDS = 1.0
DRAIN_SECONDS = 600.0

DOWN = {
    "500": FaultPlan((Rate(1.0, Fault(status=500)),)),
    "timeout": FaultPlan((Rate(1.0, Fault(timeout=True)),)),
    "token": FaultPlan((Rate(1.0, Fault(status=503), Route.TOKEN),)),
}


@dataclass
class Api:
    """The simulated API on one port, which can refuse connections."""

    simulator: Simulator
    port: int = field(default_factory=free_port)
    _runner: web.AppRunner | None = None

    async def open(self) -> None:
        self._runner = web.AppRunner(
            application(self.simulator),
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=0.1,
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def fail(self, kind: str) -> None:
        if kind == "refused":
            await self.close()
            return
        self.simulator.faults.plan(DOWN[kind])
        if kind == "token":
            self.simulator.tokens.revoke()

    async def recover(self) -> None:
        self.simulator.faults.plan(FaultPlan())
        if self._runner is None:
            await self.open()


@dataclass(frozen=True)
class Sample:
    """One look at the worker's own metrics. ``calls``: to the API, token included."""

    at: float
    calls: float
    good: float
    opened: float


async def sample(session: aiohttp.ClientSession) -> Sample:
    async with session.get("/metrics") as answer:
        page = await answer.text()
    calls = good = opened = 0.0
    for family in text_string_to_metric_families(page):
        for each in family.samples:
            if each.name == "genesys_streams_api_calls_total":
                calls += each.value
                good += each.value if each.labels["status"] == "200" else 0
            if each.name == "genesys_streams_breaker_opened":
                opened = each.value
    return Sample(time.monotonic(), calls, good, opened)


async def watch(url: str, samples: list[Sample]) -> None:
    async with aiohttp.ClientSession(url) as session:
        while True:
            samples.append(await sample(session))
            await asyncio.sleep(SAMPLE_SECONDS)


@dataclass(frozen=True)
class Outage:
    """Monotonic seconds."""

    began: float
    ended: float
    published: float


async def strike(
    api: Api, centre: Journey, events: Sequence[dict[str, Any]], kind: str, seconds: float
) -> Outage:
    """Send the events, fail and recover in the middle of them, and wait for every outcome."""
    duration = len(events) / RATE
    sending = asyncio.create_task(centre.send(events, seconds=duration))
    await asyncio.sleep(duration * HEALTHY_SHARE)
    await api.fail(kind)
    began = time.monotonic()
    print(f"down ({kind})", flush=True)
    await asyncio.sleep(seconds)
    await api.recover()
    ended = time.monotonic()
    print("well again", flush=True)
    await sending
    await centre.all_published(DRAIN_SECONDS)
    return Outage(began, ended, time.monotonic())


def show(kind: str, outage: Outage, samples: Sequence[Sample], timeout: float) -> bool:
    """Print the figures; whether only probes called."""
    policy = BreakerPolicy()
    before = [each for each in samples if each.at <= outage.began]
    during = [each for each in samples if outage.began < each.at <= outage.ended]
    after = [each for each in samples if each.at > outage.ended]
    # What was on its way, and what it took to open.
    shut = next(each for each in during if each.opened > before[-1].opened)
    # A call is counted when it ends: those on their way when it opened are not its fault.
    calm = next(each for each in during if each.at >= shut.at + timeout)
    calls = during[-1].calls - calm.calls
    probes = int((outage.ended - shut.at) / policy.open_seconds) * policy.probes
    usual = (before[-1].good - before[0].good) / (before[-1].at - before[0].at)
    full = next(
        (
            later.at - outage.ended
            for earlier, later in pairwise(after)
            if (later.good - earlier.good) / (later.at - earlier.at) >= usual
        ),
        float("nan"),
    )
    print(f"{kind}: {outage.ended - outage.began:.0f} s without the API; {timeout:g} s time-out")
    print(f"calls a second before           {usual:8.1f}")
    print(f"calls until the breaker opened  {shut.calls - before[-1].calls:8.0f}")
    print(f"  after                         {shut.at - outage.began:8.1f} s")
    print(f"calls while it was open         {calls:8.0f}  (probes: {probes})")
    print(f"full rate after                 {full:8.1f} s")
    print(f"everything published after      {outage.published - outage.ended:8.1f} s")
    return calls <= probes and shut.calls - before[-1].calls <= MOST_TO_OPEN


async def run(kind: str, events: int, seconds: float) -> bool:
    people = population(SEED, events // EVENTS_AN_INTERACTION + 1)
    simulator = Simulator(
        [one.truth for one in people], seed=SEED, latency=LATENCY, requests_per_minute=UNLIMITED
    )
    api = Api(simulator)
    with tempfile.TemporaryDirectory() as home, broker(True, Path(home)) as servers:
        app_id = f"outage-{uuid.uuid4().hex[:8]}"
        settings = Settings.load(
            _env_file=None,
            kafka_bootstrap_servers=servers,
            genesys_cloud_base_url=f"http://127.0.0.1:{api.port}",
            genesys_cloud_client_id="benchmark",
            genesys_cloud_client_secret="benchmark",
            disposition_code_id=CODE,
            api_timeout_seconds=API_TIMEOUT_SECONDS,
            topic_prefix=f"{app_id}.",
            app_id=app_id,
            data_dir=Path(home) / "data",
            worker_port=free_port(),
        )
        await asyncio.to_thread(apply_topics, settings.kafka)
        centre = Journey(settings, simulator, {one.id: dict(one.truth) for one in people})
        await api.open()
        samples: list[Sample] = []
        with workers({"worker": settings}, Path(home)) as started:
            worker: WorkerProcess = started["worker"]
            worker.start()
            await worker.ready()
            watching = asyncio.create_task(watch(worker.url, samples))
            stretch = list(stream(people, SEED))[:events]
            outage = await strike(api, centre, stretch, kind, seconds)
            watching.cancel()
            await asyncio.wait([watching])
            worker.terminate()
        probes_only = show(kind, outage, samples, API_TIMEOUT_SECONDS)
        decided = await centre.judge()
        await api.close()
    print(f"decided as the model does       {decided.total():8d} events")
    return probes_only


@click.command()
@click.option("--kind", type=click.Choice(["500", "timeout", "refused", "token"]), multiple=True)
@click.option("--events", default=20_000, show_default=True, type=click.IntRange(1_000))
@click.option("--seconds", default=180.0, show_default=True, type=click.FloatRange(10))
def main(kind: Sequence[str], events: int, seconds: float) -> None:
    kinds = kind or ("500", "timeout", "refused", "token")
    for each in kinds:
        if not asyncio.run(run(each, events, seconds)):
            raise SystemExit(1)


if __name__ == "__main__":
    main()
