"""Nasty records on a real broker, and the commands as an operator runs them: as processes, with
whatever stdout is. All kinds of records, with everything but Kafka, are in
tests/unit/cli/test_any_record.py."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiokafka
import pytest
from pydantic import SecretStr

from streams.core.envelope import UPDATE_DETAIL_TYPE
from streams.kafka.declaration import declared_directory
from streams.settings import Settings
from tests.support.any_time import take_any_time
from tests.support.workers import environment

EXAMPLE = json.loads((declared_directory() / "examples" / "outcome.patched.json").read_text())
CALL = EXAMPLE["interactionId"]
OUTCOME = json.dumps(EXAMPLE).encode()
CODECS = (None, "gzip", "snappy", "lz4", "zstd")

Headers = Sequence[tuple[str, bytes | None]]


def event(name: str) -> bytes:
    detail = {"interactionId": name, "sequenceId": 1, "state": "connected"}
    return json.dumps({"detail-type": UPDATE_DETAIL_TYPE, "detail": detail}).encode()


def source(settings: Settings, partition: bytes, offset: bytes | None) -> Headers:
    return [
        ("dlq.source.topic", settings.topics.events.encode()),
        ("dlq.source.partition", partition),
        ("dlq.source.offset", offset),
    ]


@pytest.fixture(autouse=True)
def any_time(settings: Settings) -> None:
    topics = settings.topics
    take_any_time(settings, (topics.events, topics.outcomes, topics.dead_letters))


def put(settings: Settings, topic: str, *records: dict[str, Any], codec: str | None = None) -> None:
    """All into partition 0."""

    async def send() -> None:
        async with aiokafka.AIOKafkaProducer(
            bootstrap_servers=settings.kafka_bootstrap_servers, compression_type=codec
        ) as producer:
            for record in records:
                await producer.send_and_wait(topic, partition=0, **record)

    asyncio.run(send())


def command(
    settings: Settings, cwd: Path, *args: str, line: str = '"$@"'
) -> subprocess.CompletedProcess[bytes]:
    """``line``: of a shell, with "$@" for the command."""
    return subprocess.run(
        ["bash", "-c", line, "bash", sys.executable, "-m", "streams", *args],
        env=environment(settings),
        cwd=cwd,
        capture_output=True,
        timeout=60,
        check=False,
    )


def fit(output: bytes) -> list[str]:
    """The lines, which have no control character."""
    lines = output.decode().split("\n")
    assert all(line.isprintable() for line in lines), output
    return lines[:-1]


@pytest.mark.kafka  # a long way to go: not for every `make test`
@pytest.mark.timeout(180)
def test_dead_letters_of_whatever_kind_are_listed_shown_and_passed_over(
    settings: Settings, tmp_path: Path
) -> None:
    topics = settings.topics
    put(
        settings,
        topics.dead_letters,
        {"key": b"", "value": None, "headers": [("dlq.reason", None), ("dlq.stage", None)]},
        {
            "key": b"\x1b[2J\x9b\xff",
            "value": b"\x9b\x00\xe2\x80\xa8",
            "headers": [("dlq.reason", b"\x1b[31mX\n"), ("\x1b\x9b", b"\xff")],
            "timestamp_ms": -(2**63),
        },
        {"key": b"lost", "value": event("lost"), "headers": source(settings, b"0", None)},
        {"key": b"far", "value": event("far"), "headers": source(settings, b"99", b"1")},
        {
            "key": b"good",
            "value": event("good"),
            "headers": [*source(settings, b"0", b"7"), ("dlq.reason", b"\x1b[31mX\n")],
            "timestamp_ms": 2**63 - 1,
        },
        {"key": b"call-17", "value": b'{"detail": {}}', "headers": [("dlq.stage", b"bridge")]},
    )
    put(settings, topics.retries, {"key": b"", "headers": [("retry.source.topic", None)]})

    listed = command(settings, tmp_path, "dead-letters", "list")
    as_json = command(settings, tmp_path, "dead-letters", "list", "--json")
    refused = command(settings, tmp_path, "dead-letters", "list", "--interaction", "call-17")
    shown = [command(settings, tmp_path, "dead-letters", "show", str(at)) for at in range(6)]
    redriven = command(settings, tmp_path, "dead-letters", "redrive")

    for done in (listed, as_json, refused, *shown, redriven):
        assert done.returncode == 0, done.stderr
        fit(done.stdout)
        assert b"Traceback" not in done.stderr
    assert [line.split()[0] for line in fit(listed.stdout)[1:7]] == list("012345")
    assert [json.loads(line)["now"] for line in fit(as_json.stdout)] == [
        *("no event", "no event", "no source", "no source", "open", "no event")
    ]
    assert "call-17" in fit(refused.stdout)[1]
    assert "dlq.reason: -" in fit(shown[0].stdout)
    assert "dlq.reason: �[31mX" in fit(shown[1].stdout)
    assert fit(redriven.stdout) == ["redriven: 0/4 good (�[31mX)"]
    left = fit(redriven.stderr)
    assert "left: 0/2 lost: its headers name no record that can be in events" in left
    assert "left: 0/3 far: its headers name no record that can be in events" in left
    assert left[-1] == "1 redriven"


@pytest.mark.timeout(180)
def test_outcomes_and_events_that_can_not_be_read_are_named_beside_those_that_can(
    settings: Settings, tmp_path: Path
) -> None:
    topics = settings.topics
    replaying = settings.model_copy(
        update={
            "genesys_cloud_base_url": "http://127.0.0.1:9",
            "genesys_cloud_client_id": "client",
            "genesys_cloud_client_secret": SecretStr("secret"),
            "disposition_code_id": "code",
        }
    )
    for codec in CODECS:
        put(settings, topics.outcomes, {"key": CALL.encode(), "value": OUTCOME}, codec=codec)
        put(settings, topics.events, {"key": b"good", "value": event("good")}, codec=codec)
    nasty = [
        {"key": CALL.encode(), "value": b"\xff", "timestamp_ms": 2**62},
        {"key": b"\x9b", "value": None, "timestamp_ms": 2**62},
        {"key": None, "value": b'"\x9b\x1b', "headers": [("traceparent", None)]},
        {"value": json.dumps(EXAMPLE | {"decision": "\x1b[31m"}).encode()},
    ]
    put(settings, topics.outcomes, *nasty)
    put(settings, topics.events, *nasty, {"key": b"good", "value": event("good")})

    table = command(settings, tmp_path, "outcomes")
    as_json = command(settings, tmp_path, "outcomes", "--json")
    of_none = command(settings, tmp_path, "outcomes", "--interaction", "call-17")
    replay = ["replay", "--from", "1900-01-01T00:00:00Z", "--dry-run"]
    replayed = command(replaying, tmp_path, *replay)

    for done in (table, as_json, of_none, replayed):
        assert done.returncode == 0, done.stderr
        fit(done.stdout)
        assert b"Traceback" not in done.stderr
    assert len(fit(table.stdout)) == 1 + len(CODECS)
    names = [f"{topics.outcomes}/0/{len(CODECS) + at} is no outcome" for at in range(4)]
    assert [line.partition(",")[0] for line in fit(table.stderr)] == names
    objects = [json.loads(line) for line in fit(as_json.stdout)]
    assert objects[: len(CODECS)] == [EXAMPLE] * len(CODECS)
    assert [(each["offset"], "unreadable" in each) for each in objects[len(CODECS) :]] == [
        (len(CODECS) + at, True) for at in range(4)
    ]
    assert "dead-letters list --interaction call-17" in of_none.stderr.decode()
    said = fit(replayed.stderr)
    assert f"{len(CODECS) + 5} events; " in said[0]
    assert sum(line.startswith(f"unreadable: {topics.events}/0/") for line in said) == 4
    assert "       4  events can not be read and are passed over" in said
    assert "       4  outcomes can not be read and are passed over" in said


COMMANDS = (
    ["outcomes"],
    ["outcomes", "--json"],
    ["dead-letters", "list"],
    ["dead-letters", "list", "--json"],
    ["dead-letters", "show", "0"],
    ["dead-letters", "redrive", "--dry-run"],
    ["topics", "list"],
    ["topics", "check"],
)


@pytest.mark.kafka  # a long way to go: not for every `make test`
@pytest.mark.timeout(240)
def test_a_stdout_that_fails_is_one_line(settings: Settings, tmp_path: Path) -> None:
    put(settings, settings.topics.outcomes, {"key": CALL.encode(), "value": OUTCOME})
    put(
        settings,
        settings.topics.dead_letters,
        {"key": b"good", "value": event("good"), "headers": source(settings, b"0", b"7")},
    )
    for args in COMMANDS:
        done = command(settings, tmp_path, *args, line='"$@" >/dev/full')
        said = fit(done.stderr)
        assert (done.returncode, len(said)) == (1, 1), (args, said)
        assert said[0].startswith("genesys-streams: cannot write to stdout: ")
    for args in COMMANDS[1::4]:  # all go through the same guard: tests/unit/cli/test_stdout.py
        gone = command(settings, tmp_path, *args, line='"$@" | true; exit ${PIPESTATUS[0]}')
        assert (gone.returncode, gone.stderr) == (1, b""), args
