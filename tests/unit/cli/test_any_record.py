"""Any record in any topic, through the commands that read them: nothing raises, nothing that is
printed has a control character, and it is bounded by the record's own size. All but Kafka is real.
"""

from __future__ import annotations

import io
import json
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any

import hypothesis.strategies as st
import pytest
from aiokafka import ConsumerRecord, TopicPartition
from hypothesis import HealthCheck, example, given, settings

from streams.cli import audit, dead_letters, explain, outcomes, replay
from streams.cli.main import run
from streams.core.decision import Policy
from streams.kafka.committed import Committed
from streams.kafka.partitioner import partition_of
from streams.kafka.settings import KafkaSettings
from streams.operator import redrive as redriving
from streams.operator.audit import reading as auditing
from streams.operator.audit.violation import Kind
from streams.operator.explain import reading
from streams.operator.replay import replay as surveying
from streams.operator.replay.past import InteractionsReading
from streams.operator.replay.replay import Stretch, survey
from streams.operator.standing import in_turn, standings
from streams.settings import Settings
from streams.timestamps import epoch_ms
from streams.wire.dead_letters import read_letter
from streams.wire.outcomes import Outcome, read_outcome
from streams.wire.retries import read_returned
from tests.support.recording_publisher import Recording
from tests.support.scripted import LeapingClock
from tests.unit.cli.any_records import (
    CALL,
    EVENT,
    OUTCOME,
    TOPICS,
    Records,
    encoded,
    record,
    records,
    size,
)

PARTITIONS = 4


@dataclass(frozen=True)
class Printed:
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


@contextmanager
def kafka_with(found: Records) -> Iterator[None]:
    """Every topic has these records, and they are all in its partition 0."""

    async def read_topic(
        settings: KafkaSettings, topic: str, partitions: Iterable[int], **_: Any
    ) -> AsyncGenerator[ConsumerRecord]:
        for offset, each in enumerate(found):
            yield ConsumerRecord(
                topic, 0, offset, each.timestamp, 0, each.key, each.value, None, 0, 0, each.headers
            )

    async def partitions_of(settings: KafkaSettings, topic: str) -> int:
        return PARTITIONS

    async def bounds_of(
        settings: KafkaSettings, topic: str, partitions: Iterable[int]
    ) -> Mapping[int, tuple[int, int]]:
        return dict.fromkeys(partitions, (0, 0)) | {0: (0, len(found))}

    async def committed_offsets(
        settings: KafkaSettings, partitions: Mapping[str, int]
    ) -> Mapping[TopicPartition, Committed]:
        return {TopicPartition(topic, 0): Committed(len(found), "") for topic in partitions}

    async def require_rights(settings: KafkaSettings, command: str) -> None:
        """No authoriser."""

    with pytest.MonkeyPatch.context() as patch:
        for module in (outcomes, redriving, surveying, reading, auditing):
            patch.setattr(module, "read_topic", read_topic)
        for module in (outcomes, dead_letters, surveying, reading, auditing):
            patch.setattr(module, "partitions_of", partitions_of)
        for module in (outcomes, dead_letters, explain, audit):
            patch.setattr(module, "require_rights", require_rights)
        patch.setattr(auditing, "bounds_of", bounds_of)
        patch.setattr(auditing, "committed_offsets", committed_offsets)
        patch.setattr(auditing, "configs", lambda *_: {})
        yield


@contextmanager
def printing() -> Iterator[Callable[[], tuple[str, str]]]:
    """What is printed in the block, once it is over. Encoded, as on a real stdout."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="") for _ in range(2))

    def printed() -> tuple[str, str]:
        texts = []
        for stream in (out, err):
            stream.flush()
            buffer = stream.buffer
            assert isinstance(buffer, io.BytesIO)
            texts.append(buffer.getvalue().decode())
        return texts[0], texts[1]

    with redirect_stdout(out), redirect_stderr(err):
        yield printed


def command(found: Records, *args: str) -> Printed:
    with kafka_with(found), printing() as printed:
        code = run(list(args))
    return Printed(code, *printed())


@pytest.fixture(autouse=True)
def environment(make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_settings()
    monkeypatch.chdir(made.data_dir.parent)  # away from any .env
    monkeypatch.setenv("TOPIC_PREFIX", "genesys.interaction.")


def is_fit(printed: Printed, found: Records) -> bool:
    """No control character but the line's end, and no longer than the records make it: a byte is
    escaped with five characters at most, and a line has a head of its own."""
    text = printed.out + printed.err
    most = 3_000 + 1_000 * len(found) + 6 * sum(map(size, found))
    return all(line.isprintable() for line in text.split("\n")) and len(text) <= most


any_records = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])(
    given(st.lists(records(), min_size=1, max_size=3))
)

ESCAPES = record(b"\x1b[2J\x9b", b"\x9b\xff", [("dlq.reason", b"\x1b[31mX\n")], -(2**63))


@example([ESCAPES])
@any_records
def test_dead_letters_are_listed_whatever_they_are(found: Records) -> None:
    listed = command(found, "dead-letters", "list")
    as_json = command(found, "dead-letters", "list", "--json")

    assert (listed.code, as_json.code) == (0, 0)
    assert is_fit(listed, found)
    assert is_fit(as_json, found)
    assert len(listed.lines) >= 1 + len(found)
    offsets = sorted(json.loads(line)["offset"] for line in as_json.lines)
    assert offsets == list(range(len(found)))


@example([ESCAPES])
@any_records
def test_a_dead_letter_is_shown_whatever_it_is(found: Records) -> None:
    shown = command(found, "dead-letters", "show", "0")

    assert shown.code == 0
    assert is_fit(shown, found)
    assert len(shown.lines) == len(found[0].headers) + 2


@example([ESCAPES])
@any_records
def test_a_redrive_passes_over_what_it_can_not_send(found: Records) -> None:
    redriven = command(found, "dead-letters", "redrive", "--dry-run")

    assert redriven.code == 0
    assert is_fit(redriven, found)


@any_records
async def test_what_a_redrive_sends_the_worker_can_read(found: Records) -> None:
    letters = [
        read_letter(0, offset, each.key, each.value, each.headers)
        for offset, each in enumerate(found)
    ]
    stood = standings(letters, frozenset(), lambda source: source.partition >= PARTITIONS)
    chosen = in_turn([letter for letter, standing in stood if standing == "open"])
    clock = LeapingClock()
    publisher = Recording(clock)

    async for _ in redriving.redrive(chosen, publisher, TOPICS, clock, per_second=1):
        pass

    assert len(publisher.sent) == len(chosen)
    for sent in publisher.sent:
        if sent.topic == TOPICS.retries:
            assert read_returned(sent.headers).source.partition == sent.partition
            assert sent.partition is not None
            assert sent.partition < PARTITIONS


@example([ESCAPES, record(None, encoded(OUTCOME), (), 2**63 - 1)])
@example([record(b"", encoded(OUTCOME | {"decidedAt": "\x1b\x9b" * 1_000}))])
@any_records
def test_outcomes_are_shown_whatever_they_are(found: Records) -> None:
    readable = [isinstance(read_outcome(each.value), Outcome) for each in found]
    shown = command(found, "outcomes")
    as_json = command(found, "outcomes", "--json")

    assert (shown.code, as_json.code) == (0, 0)
    assert is_fit(shown, found)
    assert is_fit(as_json, found)
    assert len(shown.lines) == 1 + sum(readable)
    assert len(shown.err.splitlines()) == len(found) - sum(readable)
    objects = [json.loads(line) for line in as_json.lines]
    assert ["unreadable" not in each for each in objects] == readable
    for offset, each in enumerate(objects):
        if not readable[offset]:
            assert (each["topic"], each["partition"]) == (TOPICS.outcomes, 0)
            assert each["offset"] == offset
            assert epoch_ms(each["at"]) is not None


@any_records
async def test_a_replay_passes_over_what_it_can_not_read(found: Records) -> None:
    reading = InteractionsReading(Policy(code=None, threshold_ms=0, dry_run=True))
    with kafka_with(found), printing() as printed:
        surveyed = await survey(Settings.load().kafka, Stretch(-(2**63)), reading)
        replay.say_unread(surveyed)

    out, err = printed()
    assert is_fit(Printed(0, out, err), found)
    assert surveyed.records == len(found)
    unreadable = sum(not isinstance(read_outcome(each.value), Outcome) for each in found)
    assert surveyed.unread_outcomes.number == unreadable
    assert err.count(f"unreadable: {TOPICS.outcomes}/0/") == unreadable


@example([ESCAPES, record(CALL.encode(), b"\x9b", [("retry.reason", b"\x1b[31m")])])
@example(
    [record(CALL.encode(), encoded(OUTCOME | {"error": {"code": "", "message": "\x9b" * 99}}))]
)
@any_records
def test_an_interaction_is_explained_whatever_lies_in_the_topics(found: Records) -> None:
    """Each record is in every topic here, and told once for each where it is of the call."""
    told = command(found, "explain", CALL)
    as_json = command(found, "explain", CALL, "--json")

    assert (told.code, as_json.code, told.err, as_json.err) == (0, 0, "", "")
    assert is_fit(told, [*found, *found])
    objects = [json.loads(line) for line in as_json.lines]
    assert objects[-1]["kind"] == "conclusion"
    places = [each["record"] for each in objects[:-1] if each["kind"] != "call"]
    assert len({tuple(place.values()) for place in places}) == len(places)
    for offset, each in enumerate(found):
        if each.key == CALL.encode():
            topics = {place["topic"] for place in places if place["offset"] == offset}
            assert topics >= {TOPICS.retries, TOPICS.dead_letters}


@example([ESCAPES])
@any_records
def test_any_topics_are_audited(found: Records) -> None:
    """The group has committed all of them, and hardly any has what it needs."""
    page = command(found, "audit")
    as_json = command(found, "audit", "--json")

    assert (page.code, as_json.code) == (1, 1)
    assert is_fit(page, [*found, *found])
    assert is_fit(as_json, [*found, *found])
    named = [json.loads(line) for line in as_json.lines]
    assert len(page.lines) == len(named) + len(as_json.err.splitlines())
    assert all(each["kind"] in set(Kind) for each in named)
    undecided = [each for each in named if each["kind"] == "committed-past-open"]
    assert named
    assert all(each["record"]["offset"] < len(found) for each in undecided)


async def test_a_replay_of_one_interaction_reads_its_partition_and_takes_its_records_alone() -> (
    None
):
    other = EVENT | {"detail": {"interactionId": "other", "sequenceId": 1, "state": "completed"}}
    found = [
        record(CALL.encode(), encoded(EVENT)),
        record(b"other", encoded(other)),
        record(CALL.encode(), b"\xff"),
        record(b"other", b"\xff"),
    ]
    stretch = Stretch(0, None, CALL)
    with kafka_with(found):
        reading = InteractionsReading(Policy(code=None))
        surveyed = await survey(Settings.load().kafka, stretch, reading)

    assert stretch.partitions(PARTITIONS) == [partition_of(CALL.encode(), PARTITIONS)]
    assert [each.interaction_id for each in surveyed.questions] == [CALL]
    assert surveyed.records == 2
    assert (surveyed.unread_events.number, surveyed.unread_outcomes.number) == (1, 2)


def test_the_outcomes_of_one_interaction_are_those_of_its_key_and_those_of_its_name() -> None:
    found = [
        record(CALL.encode(), b"\xff"),
        record(None, encoded(OUTCOME)),
        record(b"another", b"\xff"),
    ]
    as_json = command(found, "outcomes", "--json", "--interaction", CALL)

    assert [json.loads(line).get("offset") for line in as_json.lines] == [0, None]
    assert json.loads(as_json.lines[1]) == OUTCOME
    assert as_json.err == ""


def test_the_outcome_of_a_leg_names_it() -> None:
    on_leg = OUTCOME | {"sequenceId": None, "leg": {"participantId": "leg-of-ann"}}
    shown = command([record(b"", encoded(each)) for each in (OUTCOME, on_leg)], "outcomes")

    column = shown.lines[0].index("LEG")
    assert [line[column:].split()[0] for line in shown.lines] == ["LEG", "-", "leg-of-ann"]


def test_an_interaction_without_an_outcome_is_looked_for_in_the_dead_letters() -> None:
    refused = record(b"call-17", b'{"detail": {}}', [("dlq.stage", b"bridge")])
    outcome = command(
        [record(b"call-18", encoded(OUTCOME))], "outcomes", "--interaction", "call-17"
    )
    letter = command([refused], "dead-letters", "list", "--interaction", "call-17", "--json")

    assert (outcome.code, outcome.err.count("\n")) == (0, 1)
    assert "dead-letters list --interaction call-17" in outcome.err
    assert [json.loads(line)["key"] for line in letter.lines] == ["call-17"]


def test_a_replay_names_the_first_of_many_and_counts_the_rest() -> None:
    unread = surveying.UnreadRecords()
    for offset in range(surveying.MOST_NAMED + 5):
        unread.add(TOPICS.events, 0, offset, "not JSON")

    assert (unread.number, len(unread.named)) == (surveying.MOST_NAMED + 5, surveying.MOST_NAMED)
    assert unread.named[0] == f"{TOPICS.events}/0/0: not JSON"
