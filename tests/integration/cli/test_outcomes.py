"""``genesys-streams outcomes`` as a user runs it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streams.cli.main import run
from streams.kafka.declaration import declared_directory
from streams.kafka.message import Message
from streams.kafka.partitioner import partition_of
from streams.kafka.publisher import KafkaPublisher
from streams.kafka.topics import verify_topics
from streams.settings import Settings

Output = pytest.CaptureFixture[str]

EXAMPLES = declared_directory() / "examples"
# Not as a JSON library would write it again: what is printed has to be what is in the topic.
OUTCOMES = [
    json.dumps(json.loads(path.read_text()), separators=(", ", ":")).encode()
    for path in sorted(EXAMPLES.glob("outcome.*.json"))
]


def interaction(value: bytes) -> str | None:
    found: str | None = json.loads(value)["interactionId"]
    return found


CALL = interaction(OUTCOMES[0]) or ""


def publish(settings: Settings, *values: bytes, key: bytes | None = None) -> None:
    async def send() -> None:
        publisher = KafkaPublisher(settings.kafka, client_id="test")
        await publisher.start()
        try:
            for value in values:
                own = interaction(value) if key is None else None
                await publisher.publish(
                    Message(
                        settings.topics.outcomes,
                        key=own.encode() if own is not None else key,
                        value=value,
                    )
                )
        finally:
            await publisher.stop()

    asyncio.run(send())


def test_json_is_every_outcome_as_it_is_in_the_topic(settings: Settings, capsys: Output) -> None:
    publish(settings, *OUTCOMES)
    assert run(["outcomes", "--json"]) == 0
    out, err = capsys.readouterr()
    assert sorted(out.splitlines()) == sorted(value.decode() for value in OUTCOMES)
    assert err == ""


def test_one_interaction_is_read_in_order_from_its_partition_alone(
    settings: Settings, capsys: Output
) -> None:
    publish(settings, *OUTCOMES)
    partitions = verify_topics(settings.kafka).partitions
    home = partition_of(CALL.encode(), partitions)
    other = next(
        key
        for number in range(1000)
        if partition_of(key := f"call-{number}".encode(), partitions) == home
    )
    publish(settings, b'{"not": "its own"}', key=other)
    assert run(["outcomes", "--json", "--interaction", CALL]) == 0
    own = [value.decode() for value in OUTCOMES if interaction(value) == CALL]
    assert len(own) > 1
    assert capsys.readouterr().out.splitlines() == own


def test_lines_are_aligned_and_say_what_was_decided(settings: Settings, capsys: Output) -> None:
    publish(settings, *OUTCOMES)
    assert run(["outcomes"]) == 0
    out, err = capsys.readouterr()
    heading, *lines = out.splitlines()
    assert (len(lines), err) == (len(OUTCOMES), "")
    assert "\x1b" not in out
    decided = {line.split()[3] for line in lines}
    assert decided == {json.loads(value)["decision"] for value in OUTCOMES}
    aligned = [line for line in lines if len(line.split()[2]) <= len("SEQUENCE")]
    assert len(aligned) > len(OUTCOMES) // 2
    for line in aligned:
        assert line[heading.index("DECISION") :].split()[0] in decided
    conflict = next(line for line in lines if "concurrent-modification" in line)
    assert conflict.split()[1:] == [
        "d2a6c8e4-9f01-4b7c-a3d5-e6f708192a44",
        *("7", "conflict", "concurrent-modification", "api", "412", "2"),
        *conflict.split()[8:],
    ]


def test_a_line_says_what_went_wrong_and_when_it_is_tried_again(
    settings: Settings, capsys: Output
) -> None:
    deferred = json.loads((EXAMPLES / "outcome.deferred.json").read_text())
    long = deferred | {"durationMs": 30_084_202_569}
    publish(settings, json.dumps(long).encode())
    assert run(["outcomes"]) == 0
    line = capsys.readouterr().out.splitlines()[1]
    assert "  348 d 4 h  " in line
    assert f"  {deferred['nextAt']}  {deferred['error']['message'][:60]}" in line


def printed(capsys: Output, *options: str) -> list[str]:
    assert run(["outcomes", "--json", *options]) == 0
    return capsys.readouterr().out.splitlines()


def test_only_those_asked_for(settings: Settings, capsys: Output) -> None:
    publish(settings, *OUTCOMES)
    decided = [json.loads(value)["decision"] for value in OUTCOMES]
    wanted = printed(capsys, "--decision", "failed", "--decision", "deferred")
    assert {json.loads(line)["decision"] for line in wanted} == {"failed", "deferred"}
    assert len(wanted) == decided.count("failed") + decided.count("deferred")
    assert len(printed(capsys, "--limit", "2")) == 2
    assert len(printed(capsys, "--limit", "1", "--decision", "failed")) == 1
    assert len(printed(capsys, "--since", "2020-01-01T00:00:00Z")) == len(OUTCOMES)
    assert len(printed(capsys, "--until", "2999-01-01T00:00:00Z")) == len(OUTCOMES)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "no outcome is there yet"),
        (["--decision", "failed"], "no outcome is among those asked for"),
        (["--interaction", "unknown"], "no outcome of unknown: not decided yet"),
        (
            ["--interaction", "unknown", "--since", "2026-01-05T08:00:00Z"],
            "no outcome of unknown is among those asked for",
        ),
    ],
)
def test_what_is_not_found_is_said(
    settings: Settings, capsys: Output, options: list[str], said: str
) -> None:
    assert run(["outcomes", *options]) == 0
    err = capsys.readouterr().err
    assert err.startswith(said)
    assert err.count("\n") == 1


def test_text_from_outside_can_not_touch_the_terminal(settings: Settings, capsys: Output) -> None:
    value = json.loads(OUTCOMES[0]) | {"sequenceId": "\x1b[2Jgone\r\n"}
    publish(settings, json.dumps(value).encode())
    assert run(["outcomes"]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert r"\x1b[2Jgone\r\n" in out
    assert len(out.splitlines()) == 2


def test_what_can_not_be_read_is_named_and_passed_over(settings: Settings, capsys: Output) -> None:
    publish(settings, b'{"decision": "undecided"}', OUTCOMES[0], key=CALL.encode())
    assert run(["outcomes"]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2
    partition = partition_of(CALL.encode(), verify_topics(settings.kafka).partitions)
    assert f"{settings.topics.outcomes}/{partition}/0 is no outcome" in err


def test_a_topic_that_is_missing_is_said(environment: Settings, capsys: Output) -> None:
    assert run(["outcomes", "--json"]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert environment.topics.outcomes in err
    assert "topics apply" in err


def test_an_interaction_that_can_not_be_is_wrong_usage(settings: Settings, capsys: Output) -> None:
    assert run(["outcomes", "--interaction", "../../oauth/token"]) == 2
    assert "--interaction" in capsys.readouterr().err


@contextmanager
def following(*options: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "streams", "outcomes", "--follow", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_follow_goes_on_until_a_signal_ends_it_cleanly(
    settings: Settings, number: signal.Signals
) -> None:
    publish(settings, OUTCOMES[0])
    with following("--json") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == OUTCOMES[0].decode() + "\n"
        publish(settings, OUTCOMES[1])
        assert process.stdout.readline() == OUTCOMES[1].decode() + "\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (0, "", "")


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_whoever_has_read_enough_gets_no_error(settings: Settings, options: list[str]) -> None:
    publish(settings, OUTCOMES[0])
    with following(*options) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        publish(settings, *OUTCOMES)
        assert process.wait(timeout=10) == 1
        assert process.stderr is not None
        assert process.stderr.read() == ""
