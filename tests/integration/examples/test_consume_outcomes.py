"""The consumer in ``examples`` handles each final outcome once, as a process of its own."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from streams.kafka.declaration import declared_directory
from streams.kafka.message import Message
from streams.kafka.publisher import KafkaPublisher
from streams.kafka.topics import apply_topics
from streams.settings import Settings
from tests.support.workers import environment, eventually

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "consume_outcomes.py"
OUTCOMES = [
    json.loads(path.read_text())
    for path in sorted((declared_directory() / "examples").glob("outcome.*.json"))
]
FINAL = [each for each in OUTCOMES if each["final"]]
NO_OUTCOMES = (None, b"", b"not JSON", b"[]", b"{}", b'{"outcomeId": 7}')

pytestmark = pytest.mark.usefixtures("broker")


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    made = make_settings()
    apply_topics(made.kafka)
    return made


async def publish(settings: Settings, *values: bytes | None) -> None:
    publisher = KafkaPublisher(settings.kafka, client_id="test")
    await publisher.start()
    try:
        for value in values:
            await publisher.publish(Message(settings.topics.outcomes, key=b"call", value=value))
    finally:
        await publisher.stop()


@contextmanager
def example(settings: Settings, directory: Path, *, group: str) -> Iterator[Path]:
    """The example runs, and prints into this file."""
    printed = directory / f"{group}.jsonl"
    with printed.open("ab") as out:
        process = subprocess.Popen(
            [
                *(sys.executable, str(EXAMPLE), "--group", group),
                *("--servers", settings.kafka_bootstrap_servers),
                *("--topic", settings.topics.outcomes),
                *("--seen", str(directory / "seen.sqlite")),
            ],
            env=environment(settings),
            stdout=out,
        )
        try:
            yield printed
            assert process.poll() is None
        finally:
            process.kill()
            process.wait()


def lines(printed: Path) -> list[tuple[str, str]]:
    printed_lines = [json.loads(line) for line in printed.read_text().splitlines()]
    return [(each["decision"], each["reason"]) for each in printed_lines]


def encoded(outcome: dict[str, object]) -> bytes:
    return json.dumps(outcome).encode()


# Of those with the same id the first one: some examples tell of the same leg.
FIRST = {each["outcomeId"]: each for each in reversed(FINAL)}
EXPECTED = [
    (each["decision"], each["reason"]) for each in FINAL if FIRST[each["outcomeId"]] is each
]


async def test_an_outcome_published_again_is_dropped(settings: Settings, tmp_path: Path) -> None:
    twice = [value for each in OUTCOMES for value in (encoded(each), encoded(each))]
    last = encoded(FINAL[0] | {"outcomeId": "the last one", "reason": "the end"})
    await publish(settings, *NO_OUTCOMES, *twice, *map(encoded, OUTCOMES), last)
    with example(settings, tmp_path, group="once") as printed:
        await eventually(lambda: is_there(printed, "the end"), 30, "the last outcome")
        assert lines(printed)[:-1] == EXPECTED


@pytest.mark.kafka  # a long way to go: not for every `make test`
async def test_what_was_handled_before_a_restart_is_dropped_when_it_is_read_again(
    settings: Settings, tmp_path: Path
) -> None:
    """A group that has committed nothing reads all of it again."""
    await publish(settings, *map(encoded, OUTCOMES))
    with example(settings, tmp_path, group="first") as printed:
        ids = {each["outcomeId"] for each in OUTCOMES}
        await eventually(lambda: are_remembered(tmp_path, ids), 30, "all are remembered")
        assert lines(printed) == EXPECTED
    await publish(settings, encoded(FINAL[0] | {"outcomeId": "another", "reason": "the end"}))
    with example(settings, tmp_path, group="again") as printed:
        await eventually(lambda: is_there(printed, "the end"), 30, "the new outcome")
        assert [reason for _, reason in lines(printed)] == ["the end"]


async def is_there(printed: Path, reason: str) -> bool:
    return any(of == reason for _, of in lines(printed))


async def are_remembered(directory: Path, ids: set[str]) -> bool:
    """On the disk: one that is printed may not be yet."""
    if not (file := directory / "seen.sqlite").exists():
        return False
    with closing(sqlite3.connect(file)) as database:
        try:
            return {name for (name,) in database.execute("SELECT id FROM seen")} == ids
        except sqlite3.OperationalError:  # no table yet
            return False
