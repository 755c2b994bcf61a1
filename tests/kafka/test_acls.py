"""The rights of ``streams/kafka/acls.py`` on Kafka's own authoriser: with exactly these each
command works, and without one of them a line names principal, operation and resource.

The authoriser logs each decision of its own: what it was asked is what is needed, no more.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import uuid
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from streams.core.records import Source
from streams.kafka.acls import IMPLIES_DESCRIBE, Operation, Right, rights
from streams.kafka.message import Message
from streams.kafka.publisher import Acknowledged, KafkaPublisher
from streams.kafka.topics import apply_topics
from streams.local.simulator.api import Simulator
from streams.local.simulator.server import serving
from streams.settings import Settings
from streams.wire.outcomes import outcome_id
from tests.support.locked_kafka import LockedKafka, locked_kafka
from tests.support.workers import WorkerProcess, environment, eventually, free_port

OUTCOME = Path(__file__).resolve().parents[2] / "topics/examples/outcome.not-found.json"

# A worker starts and joins in seconds; on a machine that is busy, in more.
PATIENCE = 120.0

# The brokers' log with all that the authoriser decides in it.
LOGGING = """\
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d %p %c - %m%n
rootLogger.level=info
rootLogger.appenderRef.out.ref=out
logger.authorizer.name=kafka.authorizer.logger
logger.authorizer.level=debug
"""

ASKED = re.compile(
    r"Principal = User:(?P<user>\S+) is Allowed operation = (?P<operation>[A-Z_]+) from host = \S+"
    r" on resource = (?P<kind>[A-Za-z]+):LITERAL:(?P<name>\S+) "
)

# What each command is called with; the interaction and the letter are there.
CALLS = {
    "topics apply": ("topics", "apply"),
    "topics check": ("topics", "check"),
    "topics list": ("topics", "list"),
    "outcomes": ("outcomes", "--json"),
    "explain": ("explain", "i-1"),
    "audit": ("audit",),
    "stuck": ("stuck",),
    "support": ("support",),
    "dead-letters list": ("dead-letters", "list"),
    "dead-letters show": ("dead-letters", "show", "0"),
    "dead-letters redrive --dry-run": ("dead-letters", "redrive", "--dry-run"),
    "dead-letters redrive": ("dead-letters", "redrive"),
    "replay --dry-run": ("replay", "--from", "2026-01-01T00:00:00Z", "--dry-run"),
    "replay": ("replay", "--from", "2026-01-01T00:00:00Z"),
}


# Up to sixteen starts of a command, one after the other.
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LockedKafka]:
    home = tmp_path_factory.mktemp("acls")
    logging = home / "log4j2.properties"
    logging.write_text(LOGGING)
    with locked_kafka(home, 1, options=f"-Dlog4j2.configurationFile={logging}") as kafka:
        yield kafka


class Desk:
    """A user of its own, the topics of its own, and their administrator."""

    def __init__(self, locked: LockedKafka, make: Callable[..., Settings]) -> None:
        self.user = f"u{uuid.uuid4().hex[:8]}"
        self._locked = locked
        locked.add_user(self.user)
        base = make(
            genesys_cloud_base_url="http://127.0.0.1:9",
            genesys_cloud_client_id="client",
            genesys_cloud_client_secret="secret",
            disposition_code_id="code",
            bridge_port=free_port(),
            worker_port=free_port(),
            kafka_session_timeout_seconds=6.0,
        )
        self.settings = base.model_copy(update=locked.access(self.user))
        self.open = base.model_copy(
            update={"kafka_bootstrap_servers": locked.cluster.bootstrap_servers}
        )
        self._before = self._log()

    def grant(self, command: str, without: Collection[Right] = ()) -> None:
        needed = [each for each in rights(command, self.settings.kafka) if each not in without]
        self._locked.grant(self.user, needed)

    def revoke(self, right: Right) -> None:
        self._locked.revoke(self.user, right)

    def give_back(self, right: Right) -> None:
        self._locked.grant(self.user, [right])

    def needed(self, command: str) -> list[Right]:
        return list(rights(command, self.settings.kafka))

    async def publish(self, topic: str, value: bytes, **headers: str) -> Acknowledged:
        publisher = KafkaPublisher(self.open.kafka, client_id="test")
        await publisher.start()
        pairs = tuple((name, text.encode()) for name, text in headers.items())
        message = Message(topic, key=b"i-1", value=value, headers=pairs)
        try:
            return await publisher.publish(message)
        finally:
            await publisher.stop()

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "streams", *arguments],
            env=environment(self.settings),
            cwd=self.settings.data_dir.parent,  # where `support` leaves its files
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )

    def asked(self) -> set[Right]:
        """What the authoriser was asked of our user and has allowed. Describe counts only where
        nothing that implies it was asked."""
        found = {
            Right(each["kind"].lower(), each["name"], Operation[each["operation"]])
            for each in ASKED.finditer(self._log()[len(self._before) :])
            if each["user"] == self.user
        }
        stronger = {(each.kind, each.name) for each in found if each.operation in IMPLIES_DESCRIBE}
        return {
            each
            for each in found
            if each.operation is not Operation.DESCRIBE or (each.kind, each.name) not in stronger
        }

    def _log(self) -> str:
        return (self._locked.cluster.home / "node-1" / "broker.log").read_text()


@pytest.fixture
def desk(locked: LockedKafka, make_settings: Callable[..., Settings]) -> Desk:
    return Desk(locked, make_settings)


async def something_to_read(desk: Desk) -> None:
    """An event; its outcome, *not-found*, which a replay finds to be eligible now; its dead letter,
    which a redrive sends to ``retries``; and the bridge's dead letter of what never was in
    ``events``, where it sends that."""
    await asyncio.to_thread(apply_topics, desk.open.kafka)
    topics = desk.open.topics
    at = await desk.publish(topics.events, EVENT)
    source = {"topic": at.topic, "partition": at.partition, "offset": at.offset}
    own_id = outcome_id(Source(at.topic, at.partition, at.offset))
    told = {"interactionId": "i-1", "outcomeId": own_id, "source": source}
    outcome = json.loads(OUTCOME.read_bytes()) | told
    await desk.publish(topics.outcomes, json.dumps(outcome).encode())
    await desk.publish(
        topics.dead_letters,
        EVENT,
        **{
            "dlq.reason": "forbidden",
            "dlq.stage": "worker",
            "dlq.source.topic": topics.events,
            "dlq.source.partition": str(at.partition),
            "dlq.source.offset": str(at.offset),
        },
    )
    await desk.publish(
        topics.dead_letters, EVENT, **{"dlq.reason": "bad-request", "dlq.stage": "bridge"}
    )


ELIGIBLE = {
    "id": "i-1",
    "type": "voice",
    "state": "completed",
    "metadata": {"startTime": "2026-01-05T08:00:00.000Z", "endTime": "2026-01-05T08:05:00.000Z"},
}
EVENT = json.dumps(
    {
        "id": "e-1",
        "detail-type": "purecloud:v2:interaction:update",
        "detail": {
            "interactionId": "i-1",
            "sequenceId": 1,
            "interactionType": "voice",
            "state": "completed",
        },
    }
).encode()


@pytest.mark.parametrize("command", CALLS)
async def test_with_exactly_these_a_command_works_and_without_one_it_says_which(
    desk: Desk, command: str
) -> None:
    if command != "topics apply":
        await something_to_read(desk)
    if command == "stuck":  # reads of a topic only what no worker has taken up
        await desk.publish(desk.open.topics.retries, EVENT)
    needed = desk.needed(command)
    desk.grant(command)
    async with serving(Simulator([ELIGIBLE], seed=1)) as api:
        desk.settings = desk.settings.model_copy(update={"genesys_cloud_base_url": api})
        first = await asyncio.to_thread(desk.run, *CALLS[command])
    assert first.returncode == 0, first.stderr
    assert desk.asked() == set(needed)
    for right in needed:
        if right.operation is Operation.CREATE:
            continue  # the topics are there now: below
        desk.revoke(right)
        done = await asyncio.to_thread(desk.run, *CALLS[command])
        assert done.returncode == 1
        lines = done.stderr.splitlines()
        # Without Kafka these ask a worker on this machine, and say that there is none.
        assert len(lines) == 1 or command in {"stuck", "support"}
        (line,) = (each for each in lines if "may not" in each)
        assert f"User:{desk.user} may not {right}" in line
        desk.give_back(right)


async def test_a_topic_that_may_not_be_created_is_named(desk: Desk) -> None:
    creating = [each for each in desk.needed("topics apply") if each.operation is Operation.CREATE]
    desk.grant("topics apply", without=creating)
    for right in creating:
        done = await asyncio.to_thread(desk.run, "topics", "apply")
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert f"User:{desk.user} may not {right};" in line
        desk.give_back(right)


async def test_a_console_with_exactly_these_shows_all_and_asks_for_nothing_else(
    desk: Desk, tmp_path: Path
) -> None:
    await something_to_read(desk)
    desk.grant("console")
    port = free_port()
    console = WorkerProcess(
        desk.settings.model_copy(update={"console_port": port}), tmp_path / "console.log"
    )
    console.url = f"http://127.0.0.1:{port}"
    console.start("streams", "console")
    try:
        await console.ready(PATIENCE)
        async with aiohttp.ClientSession(console.url) as session:

            async def shows() -> bool:
                async with session.get("/interactions/i-1") as answer:
                    history = await answer.text()
                async with session.get("/partitions") as answer:
                    partitions = await answer.text()
                return "it waits for a redrive" in history and "is not known" not in partitions

            await eventually(shows, PATIENCE, "history and offsets are there")
        assert desk.asked() == set(desk.needed("console"))
    finally:
        console.close()


def worker(desk: Desk, tmp_path: Path) -> WorkerProcess:
    return WorkerProcess(desk.settings, tmp_path / "worker.log")


async def test_a_worker_with_exactly_these_decides_and_asks_for_nothing_else(
    desk: Desk, tmp_path: Path
) -> None:
    """What is no event goes through events, dead-letters and outcomes; one that the API is asked
    about, in vain, through retries and the changelog."""
    await asyncio.to_thread(apply_topics, desk.open.kafka)
    desk.grant("worker")
    desk.settings = desk.settings.model_copy(
        update={"api_timeout_seconds": 1.0, "breaker_open_seconds": 1.0}
    )
    process = worker(desk, tmp_path)
    process.start()
    try:
        await process.ready(PATIENCE)
        await desk.publish(desk.open.topics.events, b"no event")
        await desk.publish(desk.open.topics.events, EVENT)
        needed = set(desk.needed("worker"))

        async def all_asked() -> bool:
            return desk.asked() >= needed

        await eventually(all_asked, PATIENCE, "every right is used")
        assert process.terminate() == 0
    finally:
        process.close()
    assert desk.asked() == needed


async def test_a_worker_that_lacks_one_ends_and_says_which(desk: Desk, tmp_path: Path) -> None:
    await asyncio.to_thread(apply_topics, desk.open.kafka)
    desk.grant("worker")
    for right in desk.needed("worker"):
        desk.revoke(right)
        done = await asyncio.to_thread(desk.run, "worker")
        assert done.returncode == 1
        assert f"User:{desk.user} may not {right}" in done.stderr.splitlines()[-1]
        desk.give_back(right)


@pytest.mark.parametrize("number", [0, 1], ids=["events", "outcomes"])
async def test_a_right_that_a_running_worker_loses_is_named(
    desk: Desk, tmp_path: Path, number: int
) -> None:
    """What it reads, and what it writes."""
    await asyncio.to_thread(apply_topics, desk.open.kafka)
    desk.grant("worker")
    process = worker(desk, tmp_path)
    process.start()
    try:
        await process.ready(PATIENCE)
        right = desk.needed("worker")[number]
        desk.revoke(right)
        await desk.publish(desk.open.topics.events, b"no event")
        assert await asyncio.to_thread(process.ended, PATIENCE) == 1
    finally:
        process.close()
    assert f"User:{desk.user} may not {right}" in process.output.splitlines()[-1]


async def _get(url: str) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.json()


async def _post(url: str, body: bytes) -> int:
    headers = {"Content-Type": "application/json"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/events", data=body, headers=headers) as answer,
    ):
        return answer.status


async def test_a_bridge_with_exactly_these_works_and_names_each_that_is_taken(
    desk: Desk, tmp_path: Path
) -> None:
    await asyncio.to_thread(apply_topics, desk.open.kafka)
    desk.grant("bridge")
    port = desk.settings.bridge_port
    process = WorkerProcess(
        desk.settings.model_copy(update={"worker_port": port}), tmp_path / "bridge.log"
    )
    url = f"http://127.0.0.1:{port}"
    process.start("streams", "bridge", "http")
    try:
        await process.ready(PATIENCE)
        assert await _post(url, EVENT) == 200
        assert await _post(url, b"{}") == 400
        assert desk.asked() == set(desk.needed("bridge"))
        for right, body in zip(desk.needed("bridge"), (EVENT, b"{}"), strict=True):
            desk.revoke(right)

            async def says_so(line: str = f"User:{desk.user} may not {right};") -> bool:
                status, answer = await _get(f"{url}/readyz")
                return status == 503 and line in answer["reason"]

            await eventually(says_so, PATIENCE, f"/readyz says {right}")
            assert await _post(url, body) == 503
            desk.give_back(right)
            await process.ready(PATIENCE)

            # The producer's sequence has a gap where the refused record was: it is made anew.
            async def accepts(body: bytes = body) -> bool:
                return await _post(url, body) == (200 if body is EVENT else 400)

            await eventually(accepts, PATIENCE, f"the bridge uses {right} again")
        assert process.terminate() == 0
    finally:
        process.close()
    assert f"User:{desk.user} may not" in process.output
