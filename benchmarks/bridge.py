"""What a flood of wrong keys costs the bridge, and those whose key is right. Embedded broker.

    python -m benchmarks.bridge [--seconds 15] [--rate 100]

The bridge as a process. Good events at a steady rate, first alone, then beside clients that send
wrong keys as fast as they are answered, half of them with a body of 64 KiB. Exit 1 unless

* every good event is answered 200, 99 % of them within GOOD_SECONDS,
* a wrong key costs the bridge less than half the CPU of a good event.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import click

from benchmarks.failing import event
from benchmarks.harness import ROOT, broker, process
from benchmarks.watch import Memory
from streams.kafka.topics import apply_topics
from streams.settings import Settings
from tests.support.workers import eventually, free_port

KEY = "right"
JSON = {"Content-Type": "application/json"}

# EventBridge gives up after 5 s.
GOOD_SECONDS = 1.0

# Clients that send wrong keys.
FLOOD = 8
LARGE = b" " * 65_536

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Phase:
    """What one phase saw. ``latencies`` of the good events and ``seconds`` of CPU are in seconds;
    ``resident`` in bytes."""

    latencies: list[float] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)
    wrong: Counter[int] = field(default_factory=Counter)
    seconds: float = 0.0
    resident: int = 0

    def share(self, of: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * of))]


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def good(session: aiohttp.ClientSession, number: int, phase: Phase) -> None:
    began = time.monotonic()
    body = event(f"call-{number}")
    async with session.post("/events", data=body, headers={**JSON, "X-Api-Key": KEY}) as answer:
        phase.answers[answer.status] += 1
    phase.latencies.append(time.monotonic() - began)


async def flood(session: aiohttp.ClientSession, body: bytes, phase: Phase) -> None:
    while True:
        async with session.post(
            "/events", data=body, headers={**JSON, "X-Api-Key": "wrong"}
        ) as answer:
            phase.wrong[answer.status] += 1


async def run_phase(url: str, pid: int, seconds: float, rate: float, clients: int) -> Phase:
    phase = Phase()
    before = cpu_seconds(pid)
    async with (
        aiohttp.ClientSession(url) as well,
        aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=0)) as ill,
    ):
        bodies = [LARGE if number % 2 else event("call") for number in range(clients)]
        flooding = [asyncio.create_task(flood(ill, body, phase)) for body in bodies]
        began = time.monotonic()
        sent = []
        for number in range(int(seconds * rate)):
            if (wait := began + number / rate - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            sent.append(asyncio.create_task(good(well, number, phase)))
        await asyncio.gather(*sent)
        phase.seconds = cpu_seconds(pid) - before
        phase.resident = Memory.of(pid).resident
        for task in flooding:
            task.cancel()
        await asyncio.gather(*flooding, return_exceptions=True)
    return phase


async def until_ready(url: str, seconds: float = 30) -> None:
    async with aiohttp.ClientSession(url) as session:

        async def ready() -> bool:
            try:
                async with session.get("/readyz") as answer:
                    return answer.status == 200
            except aiohttp.ClientError:
                return False

        await eventually(ready, seconds, "the bridge is ready")


async def run(seconds: float, rate: float) -> bool:
    with tempfile.TemporaryDirectory() as home, broker(False, Path(home)) as servers:
        named = {
            "KAFKA_BOOTSTRAP_SERVERS": servers,
            "TOPIC_PREFIX": f"bridge-{uuid.uuid4().hex[:8]}.",
            "BRIDGE_PORT": str(free_port()),
            "BRIDGE_API_KEY": KEY,
            "LOG_LEVEL": "error",
        }
        settings = Settings.load(
            _env_file=None, **{name.lower(): value for name, value in named.items()}
        )
        await asyncio.to_thread(apply_topics, settings.kafka)
        env = {**os.environ, **named, "PYTHONPATH": str(ROOT)}
        with process(sys.executable, "-m", "streams", "bridge", "http", env=env, cwd=ROOT) as child:
            url = f"http://127.0.0.1:{settings.bridge_port}"
            await until_ready(url)
            alone = await run_phase(url, child.pid, seconds, rate, 0)
            beside = await run_phase(url, child.pid, seconds, rate, FLOOD)
    events = alone.answers.total()
    refused = beside.wrong.total()
    for_good = alone.seconds / events
    for_wrong = (beside.seconds - alone.seconds) / refused
    print("good events                   alone    beside the flood")
    print(f"  answered 200             {alone.answers[200]:8d}    {beside.answers[200]:8d}")
    print(f"  answered otherwise       {events - alone.answers[200]:8d}    ", end="")
    print(f"{beside.answers.total() - beside.answers[200]:8d}")
    for share in (0.5, 0.99):
        print(f"  {share:4.0%} within             ", end="")
        print(f"{alone.share(share):8.3f} s  {beside.share(share):8.3f} s")
    mib = [each.resident / (1 << 20) for each in (alone, beside)]
    print(f"resident size              {mib[0]:8.1f}    {mib[1]:8.1f} MiB")
    print(f"wrong keys a second                    {refused / seconds:8.0f}  {dict(beside.wrong)}")
    print(
        f"CPU of one                 {for_good * 1000:8.2f} ms {for_wrong * 1000:8.2f} ms", end=""
    )
    print("  (a good event, a wrong key)")
    return (
        set(alone.answers) | set(beside.answers) == {200}
        and set(beside.wrong) == {401}
        and beside.share(0.99) < GOOD_SECONDS
        and for_wrong < for_good / 2
    )


@click.command()
@click.option("--seconds", default=15.0, show_default=True, type=click.FloatRange(1))
@click.option("--rate", default=100.0, show_default=True, type=click.FloatRange(1))
def main(seconds: float, rate: float) -> None:
    if not asyncio.run(run(seconds, rate)):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
