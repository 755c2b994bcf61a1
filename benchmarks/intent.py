"""What the durable intent costs a record that is patched, and that no other record pays for it.

    python -m benchmarks.intent [--nodes 1] [--latency-ms 100] [--records 100] [--rounds 2]

The worker as it is, and the same worker with the write of the intent left out, in turns on one
Apache Kafka. Records come one after another with room between them, so a latency is a record's own
and no queue's. Writes are counted in the changelog itself, not in the program.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import aiohttp
import click
import msgspec

from benchmarks.harness import ROOT, announced, process
from streams.cli.main import run as run_command
from streams.core.envelope import UPDATE_DETAIL_TYPE
from streams.core.records import InteractionRecord
from streams.kafka.message import Message
from streams.kafka.publisher import KafkaPublisher
from streams.kafka.reader import read_topic
from streams.kafka.topics import apply_topics, verify_topics
from streams.settings import Settings
from streams.worker.group_commit import GroupCommit
from streams.worker.partitions.assignment import Assignment
from streams.worker.state.table import changelog

# Far below what the worker gets through: a record never waits for another one.
RECORDS_PER_SECOND = 40

# A worker that starts, and the slowest record.
PATIENCE_SECONDS = 60.0

PATCHED = "patched"


@dataclass(frozen=True)
class Kind:
    """Records that end alike. ``seconds``: how long the call took, as the API gives it."""

    name: str
    interaction_type: str = "voice"
    state: str = "completed"
    seconds: int = 300
    times: int = 1


KINDS = (
    Kind(PATCHED),
    Kind("too short", seconds=5),
    Kind("not completed", state="connected"),
    Kind("not voice", interaction_type="chat"),
    Kind("with a duplicate", state="connected", times=2),
)


@dataclass
class Seen:
    """What the records of one kind cost. Latencies in ms, from taken up to decided."""

    records: int = 0
    writes: int = 0
    latencies: list[float] = field(default_factory=list)


Costs = Mapping[str, Seen]


async def measure(settings: Settings, simulator: str, records: int) -> Costs:
    """Send ``records`` of each kind to a worker that runs, and collect what became of them."""
    calls = {f"{number}-{kind.name.replace(' ', '-')}": kind
             for number in range(records) for kind in KINDS}  # fmt: skip
    async with aiohttp.ClientSession() as session:
        truths = [_truth(interaction_id, kind) for interaction_id, kind in calls.items()]
        async with session.put(f"{simulator}/_simulator/interactions", json=truths) as answer:
            answer.raise_for_status()
    publisher = KafkaPublisher(settings.kafka, client_id="benchmark")
    await publisher.start()
    try:
        for interaction_id, kind in calls.items():
            for _ in range(kind.times):
                await publisher.publish(
                    Message(
                        settings.topics.events,
                        key=interaction_id.encode(),
                        value=_event(interaction_id, kind),
                    )
                )
            await asyncio.sleep(1 / RECORDS_PER_SECOND)
    finally:
        await publisher.stop()
    return await collect(settings, calls)


async def collect(settings: Settings, calls: Mapping[str, Kind]) -> Costs:
    """Wait for every outcome, then count the writes to the changelog.

    It is as young as the run, so that nothing in it is compacted.
    """
    partitions = range((await asyncio.to_thread(verify_topics, settings.kafka)).partitions)
    costs: dict[str, Seen] = defaultdict(Seen)
    missing = sum(kind.times for kind in calls.values())
    async with asyncio.timeout(PATIENCE_SECONDS):
        outcomes = read_topic(settings.kafka, settings.topics.outcomes, partitions, follow=True)
        async with aclosing(outcomes):
            async for record in outcomes:
                outcome = msgspec.json.decode(record.value)
                seen = costs[calls[outcome["interactionId"]].name]
                seen.records += 1
                seen.latencies.append(outcome["latencyMs"])
                missing -= 1
                if not missing:
                    break
    async for record in read_topic(settings.kafka, changelog(settings.app_id), partitions):
        costs[calls[record.key.decode()].name].writes += 1
    return costs


def leave_out_intents() -> None:
    """The program without promise 4, for comparison."""
    write = GroupCommit.write

    async def verdicts_only(
        self: GroupCommit[InteractionRecord],
        assignment: Assignment,
        partition: int,
        state: InteractionRecord,
    ) -> None:
        if state.intent is None:
            await write(self, assignment, partition, state)

    setattr(GroupCommit, "write", verdicts_only)  # noqa: B010  # mypy lets no method be assigned


async def run(
    module: Sequence[str], base: Mapping[str, str], simulator: str, records: int
) -> Costs:
    """One worker, from its start to the last outcome."""
    unique = uuid.uuid4().hex[:8]
    with tempfile.TemporaryDirectory() as data:
        named = {**base, "TOPIC_PREFIX": f"{unique}.", "APP_ID": unique, "DATA_DIR": data}
        settings = Settings.load(
            _env_file=None, **{name.lower(): value for name, value in named.items()}
        )
        await asyncio.to_thread(apply_topics, settings.kafka)
        env = {**os.environ, **named, "PYTHONPATH": str(ROOT)}
        with process(sys.executable, "-m", *module, env=env, cwd=Path(data)):
            return await measure(settings, simulator, records)


@contextmanager
def kafka(nodes: int, home: Path) -> Iterator[str]:
    script = [sys.executable, str(ROOT / "scripts" / "kafka")]
    at = ["--dir", str(home)]
    up = [*script, "up", "--nodes", str(nodes), *at]
    started = subprocess.run(up, stdout=subprocess.PIPE, text=True, check=True)
    try:
        yield started.stdout.partition("=")[2].strip()
    finally:
        subprocess.run([*script, "down", "--delete", *at], check=True)


def show(with_intent: Sequence[Costs], without: Sequence[Costs]) -> bool:
    """Print both, kind by kind; returns whether the intent costs just what it should."""
    print(f"{'':18}{'changelog writes':>18}{'latency, median / p95 in ms':>46}")
    print(f"{'record':18}{'with':>9}{'without':>9}{'with intent':>19}{'without':>17}{'ratio':>10}")
    good = True
    for kind in KINDS:
        ours, bare = (
            _together([run[kind.name] for run in runs]) for runs in (with_intent, without)
        )
        writes, fewer = ours.writes / ours.records, bare.writes / bare.records
        ratio = median(ours.latencies) / median(bare.latencies)
        print(
            f"{kind.name:18}{writes:9.2f}{fewer:9.2f}{_spread(ours):>19}{_spread(bare):>17}{ratio:10.2f}"
        )
        good = good and (writes, fewer) == (2 if kind.name == PATCHED else 1, 1)
    return good


def _together(parts: Sequence[Seen]) -> Seen:
    whole = Seen()
    for part in parts:
        whole.records += part.records
        whole.writes += part.writes
        whole.latencies += part.latencies
    return whole


def _spread(seen: Seen) -> str:
    return f"{median(seen.latencies):.1f} / {quantiles(seen.latencies, n=20)[-1]:.1f}"


@click.group(invoke_without_command=True)
@click.option("--nodes", default=1, show_default=True, help="Of Apache Kafka: 1 or 3.")
@click.option("--latency-ms", default=100.0, show_default=True, help="Of each API call.")
@click.option("--records", default=100, show_default=True, help="Of each kind, a run.")
@click.option("--rounds", default=2, show_default=True, help="Runs of each worker, in turns.")
@click.pass_context
def main(ctx: click.Context, nodes: int, latency_ms: float, records: int, rounds: int) -> None:
    """Exit 1 when a record that is not patched pays for the intent."""
    if ctx.invoked_subcommand is not None:
        return
    with tempfile.TemporaryDirectory() as home, kafka(nodes, Path(home) / "kafka") as servers:
        simulator = ["-m", "streams", "simulator", "--port", "0", "--latency-ms", str(latency_ms)]
        simulator += ["--rate-limit", "10000000"]
        with process(sys.executable, *simulator, env=dict(os.environ), cwd=ROOT) as api:
            url = announced(api)
            base = {
                "KAFKA_BOOTSTRAP_SERVERS": servers,
                "GENESYS_CLOUD_BASE_URL": url,
                "GENESYS_CLOUD_CLIENT_ID": "benchmark",
                "GENESYS_CLOUD_CLIENT_SECRET": "benchmark",
                "DISPOSITION_CODE_ID": "benchmark",
                "WORKER_PORT": "0",
                "LOG_LEVEL": "warning",
            }
            with_intent, without = [], []
            for _ in range(rounds):
                ours = ["streams", "worker"]
                with_intent.append(asyncio.run(run(ours, base, url, records)))
                bare = ["benchmarks.intent", "worker-without"]
                without.append(asyncio.run(run(bare, base, url, records)))
    print(
        f"Apache Kafka, {nodes} node(s), {latency_ms:.0f} ms a call, {rounds} x {records} of each"
    )
    if not show(with_intent, without):
        raise SystemExit(1)


@main.command(hidden=True)
def worker_without() -> None:
    """The worker that writes no intent."""
    leave_out_intents()
    raise SystemExit(run_command(["worker"]))


def _truth(interaction_id: str, kind: Kind) -> dict[str, Any]:
    ends = f"2026-01-05T08:{kind.seconds // 60:02}:{kind.seconds % 60:02}Z"
    return {
        "id": interaction_id,
        "type": kind.interaction_type,
        "state": "completed",
        "dispositionCode": None,
        "wrapUpCode": None,
        "metadata": {"startTime": "2026-01-05T08:00:00Z", "endTime": ends},
        "timeline": [],
    }


def _event(interaction_id: str, kind: Kind) -> bytes:
    return msgspec.json.encode(
        {
            "id": interaction_id,
            "detail-type": UPDATE_DETAIL_TYPE,
            "source": "aws.partner/genesys.com/benchmark",
            "time": "2026-01-05T08:05:00Z",
            "detail": {
                "interactionId": interaction_id,
                "sequenceId": 1,
                "interactionType": kind.interaction_type,
                "state": kind.state,
            },
        }
    )


if __name__ == "__main__":
    main()
