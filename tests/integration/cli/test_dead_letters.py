"""``genesys-streams dead-letters`` on letters that lie in the topic. The way of an operator with a
worker beside it is in tests/integration/worker/test_dead_letters.py."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from streams.cli.main import run
from streams.core.envelope import UPDATE_DETAIL_TYPE
from streams.core.records import Reason, Source
from streams.kafka.message import Message
from streams.kafka.publisher import KafkaPublisher
from streams.settings import Settings
from streams.wire.dead_letters import DeadLetter, Stage

Output = pytest.CaptureFixture[str]

LIST = ["dead-letters", "list"]
REDRIVE = ["dead-letters", "redrive"]


def letter(settings: Settings, name: str, of: int, **changes: Any) -> DeadLetter:
    detail = {"interactionId": name, "sequenceId": 1, "state": "completed"}
    written: dict[str, Any] = {
        "key": name.encode(),
        "value": json.dumps({"detail-type": UPDATE_DETAIL_TYPE, "detail": detail}).encode(),
        "reason": Reason.FORBIDDEN,
        "message": f"GET interaction {name}: 403",
        "stage": Stage.WORKER,
        "attempts": 1,
        "failed_at": "2026-01-05T08:00:00.000Z",
        "source": Source(settings.topics.events, 0, of),
    }
    return DeadLetter(**written | changes)


def publish(settings: Settings, *letters: DeadLetter) -> None:
    async def send() -> None:
        publisher = KafkaPublisher(settings.kafka, client_id="test")
        await publisher.start()
        try:
            for each in letters:
                await publisher.publish(
                    Message(
                        settings.topics.dead_letters,
                        key=each.key,
                        value=each.value,
                        headers=each.headers(),
                    )
                )
        finally:
            await publisher.stop()

    asyncio.run(send())


def said(output: Output, *args: str) -> list[str]:
    """The lines that a command which succeeds prints on stdout."""
    assert run(list(args)) == 0
    return output.readouterr().out.splitlines()


def test_what_is_open_differs_from_what_was_redriven(settings: Settings, capsys: Output) -> None:
    garbage = letter(settings, "garbage", 9, value=b"\xff", reason=Reason.MALFORMED)
    publish(settings, letter(settings, "first", 1), letter(settings, "second", 2), garbage)
    listed = said(capsys, *LIST)
    assert listed[-2:] == ["       2  forbidden", "       1  malformed-event"]

    said(capsys, *REDRIVE, "--interaction", "first")

    heading, *lines, forbidden, malformed = said(capsys, *LIST)
    at = heading.index("NOW")
    assert sorted(line[at : at + 9] for line in lines) == ["no event ", "open     ", "redriven "]
    assert (forbidden, malformed) == ("       2  forbidden, 1 open", "       1  malformed-event")
    rows = [json.loads(line) for line in said(capsys, *LIST, "--json")]
    assert {each["key"]: each["open"] for each in rows} == {
        "first": False,
        "second": True,
        "garbage": True,
    }
    assert {json.loads(line)["key"] for line in said(capsys, *LIST, "--open", "--json")} == {
        "second",
        "garbage",
    }
    assert "first" not in "".join(said(capsys, *LIST, "--open"))


def test_what_dies_again_is_open_again_and_the_letter_before_it_is_not(
    settings: Settings, capsys: Output
) -> None:
    publish(settings, letter(settings, "call", 1))
    said(capsys, *REDRIVE)
    publish(settings, letter(settings, "call", 1, redriven=1))

    _, before, again, count = said(capsys, *LIST)

    assert before.split()[4:6] == ["replaced", "-"]
    assert again.split()[4:6] == ["open", "1"]
    assert count == "       2  forbidden, 1 open"
    assert len(said(capsys, *REDRIVE, "--dry-run")) == 1


def test_a_long_key_or_message_breaks_no_table_and_is_shown_whole_elsewhere(
    settings: Settings, capsys: Output
) -> None:
    key, message = b"k" * 2000, "m" * 500
    publish(settings, letter(settings, "long", 1, key=key, value=b"\xff", message=message))

    heading, line, _ = said(capsys, *LIST)
    (row,) = said(capsys, *LIST, "--json")
    place = json.loads(row)
    shown = said(
        capsys, "dead-letters", "show", str(place["offset"]), "--partition", str(place["partition"])
    )

    assert f"  {'k' * 35}…  {'m' * 99}…" in line
    assert line.index("kkk") == heading.index("INTERACTION")
    assert (place["key"], place["message"]) == (key.decode(), message)
    assert f"key: {key.decode()}" in shown
    assert f"dlq.message: {message}" in shown


def test_what_list_prints_of_a_place_is_what_show_accepts(
    settings: Settings, capsys: Output
) -> None:
    """In every partition, by its offset alone in the first one, and with the topic's name."""
    names = [f"call-{number}" for number in range(8)]
    publish(settings, *(letter(settings, name, of) for of, name in enumerate(names)))

    shown = {}
    for line in said(capsys, *LIST)[1:-1]:
        place, name = line.split()[0], line.split()[6]
        assert f"key: {name}" in said(capsys, "dead-letters", "show", place)
        shown[place] = name
    assert sorted(shown.values()) == names
    for row in said(capsys, *LIST, "--json"):
        each = json.loads(row)
        place = f"{settings.topics.dead_letters}/{each['partition']}/{each['offset']}"
        assert f"key: {each['key']}" in said(capsys, "dead-letters", "show", place)


@pytest.mark.parametrize(
    "words",
    [["events/0/0"], ["1/0", "--partition", "2"], ["genesys/2"], ["0", "--partition", "-1"]],
)
def test_a_place_that_no_letter_can_have_is_wrong_usage(
    settings: Settings, capsys: Output, words: list[str]
) -> None:
    assert run(["dead-letters", "show", *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_bytes_that_can_not_be_written_are_said_in_one_line(
    settings: Settings, capsys: Output, tmp_path: Path
) -> None:
    publish(settings, letter(settings, "call", 1))
    (row,) = said(capsys, *LIST, "--json")
    at = [str(json.loads(row)["offset"]), "--partition", str(json.loads(row)["partition"])]
    nowhere = tmp_path / "nowhere" / "bytes"

    assert run(["dead-letters", "show", *at, "--bytes", str(nowhere)]) == 1

    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        f"genesys-streams: --bytes: cannot write {nowhere}: No such file or directory; "
        "name a file that can be written\n"
    )
