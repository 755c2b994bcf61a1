"""What of Kafka is read to find one interaction, and what of that is its own."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from typing import Any

import pytest
from aiokafka import ConsumerRecord

from streams.core.conversations.events import ConversationEvent
from streams.core.envelope import UPDATE_DETAIL_TYPE
from streams.core.records import PutOff, Source
from streams.kafka.partitioner import partition_of
from streams.kafka.settings import KafkaSettings, TopicNames
from streams.operator.explain import reading
from streams.operator.explain.found import Found, Kept
from streams.operator.explain.reading import InteractionReader
from streams.wire.dead_letters import DeadLetter, Stage
from streams.wire.outcomes import encode_outcome
from streams.wire.reading import Unreadable
from streams.wire.retries import retry_headers
from tests.support.conversation_events import raw
from tests.support.scripted import LeapingClock
from tests.unit.operator.explain.records import ID, NOON, TRACE, outcome

TOPICS = TopicNames("shop.")
SETTINGS = KafkaSettings("127.0.0.1:1", TOPICS, "shop", 60.0)
NUMBERS = {TOPICS.events: 12, TOPICS.outcomes: 7, TOPICS.retries: 12, TOPICS.dead_letters: 2}
HOME = partition_of(ID.encode(), NUMBERS[TOPICS.events])

HOUR, DAY = 3_600_000, 24 * 3_600_000
LATER, NOW_MS = NOON + DAY, NOON + 40 * DAY

Log = Mapping[str, Sequence[tuple[bytes | None, bytes | None, Any]]]


class Kafka:
    """Topics that have these records, in the partition that is read first."""

    def __init__(self, logs: Log, begins_at: int = 0, times: Sequence[int] = ()) -> None:
        self._logs = logs
        self._begins_at = begins_at
        self._times = iter(times)
        self.read: dict[str, tuple[list[int], int | None]] = {}

    async def partitions_of(self, settings: KafkaSettings, topic: str) -> int:
        return NUMBERS[topic]

    async def read_topic(
        self,
        settings: KafkaSettings,
        topic: str,
        partitions: Iterable[int],
        *,
        since: int | None = None,
    ) -> AsyncGenerator[ConsumerRecord]:
        numbers = list(partitions)
        self.read[topic] = (numbers, since)
        for offset, (key, value, headers) in enumerate(self._logs.get(topic, ()), self._begins_at):
            yield ConsumerRecord(
                topic,
                numbers[0],
                offset,
                next(self._times, NOON),
                0,
                key,
                value,
                None,
                0,
                0,
                tuple(headers),
            )


async def find(monkeypatch: pytest.MonkeyPatch, kafka: Kafka, since: int | None = None) -> Found:
    monkeypatch.setattr(reading, "read_topic", kafka.read_topic)
    monkeypatch.setattr(reading, "partitions_of", kafka.partitions_of)
    clock = LeapingClock()
    clock.now += NOW_MS / 1000 - clock.time()
    return await InteractionReader(SETTINGS, ID, since, clock=clock).find()


def event(name: str, sequence: int = 1) -> bytes:
    detail = {"interactionId": name, "sequenceId": sequence, "state": "completed"}
    return json.dumps({"detail-type": UPDATE_DETAIL_TYPE, "detail": detail}).encode()


async def test_a_conversations_events_are_its_own_under_any_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bodies = [raw("acw", conversationId=ID), raw("acw"), raw("transfer", conversationId=ID)]
    keys = [b"another-key", ID.encode(), ID.encode()]
    log = [(key, body, ()) for key, body in zip(keys, bodies, strict=True)]
    found = await find(monkeypatch, Kafka({TOPICS.events: log}))

    mine, skipped = found.events
    assert isinstance(mine.event, ConversationEvent)
    assert (mine.event.conversation_id, mine.place.offset) == (ID, 0)
    assert isinstance(skipped.event, Unreadable), "another producer put it there"
    assert skipped.place.offset == 2


@pytest.mark.parametrize("since", [None, NOON])
async def test_only_the_partitions_are_read_in_which_it_can_lie(
    monkeypatch: pytest.MonkeyPatch, since: int | None
) -> None:
    kafka = Kafka({})
    found = await find(monkeypatch, kafka, since)
    came_since = None if since is None else since - HOUR

    assert kafka.read == {
        TOPICS.events: ([HOME], since),
        TOPICS.outcomes: ([partition_of(ID.encode(), 7)], came_since),
        TOPICS.retries: ([HOME], came_since),
        TOPICS.dead_letters: ([0, 1], came_since),
    }
    assert found.kept == Kept(TOPICS.events, HOME, None, None)
    assert found.since == since


@pytest.mark.parametrize(
    ("times", "since", "read_since"),
    [
        ([NOON, LATER + 5, LATER], None, LATER - HOUR),
        ([NOON, LATER, LATER], LATER + 5, LATER + 5 - HOUR),
        ([NOON, LATER - 1, LATER], None, None),
        ([NOON, LATER - 1, LATER], NOON - 7, NOON - 7 - HOUR),
        ([NOON, NOW_MS + 9 * DAY, NOW_MS + 9 * DAY], None, NOW_MS - HOUR),
        ([NOON, -1, LATER], None, None),
        ([-1, LATER, LATER], None, None),
    ],
    ids=[
        *("younger", "since-wins", "perhaps-not-the-first", "perhaps-not-the-first-since"),
        *("from-the-future", "without-a-time", "a-log-without-times"),
    ],
)
async def test_what_came_of_its_events_is_not_looked_for_before_them(
    monkeypatch: pytest.MonkeyPatch, times: list[int], since: int | None, read_since: int | None
) -> None:
    log = [(b"another", event("another"), ()), *((ID.encode(), event(ID, n), ()) for n in (1, 2))]
    kafka = Kafka({TOPICS.events: log}, times=times)
    await find(monkeypatch, kafka, since)

    assert {kafka.read[each][1] for each in (TOPICS.outcomes, TOPICS.retries)} == {read_since}
    # The bridge may have refused one before it let the first event in.
    assert kafka.read[TOPICS.events][1] == since
    assert kafka.read[TOPICS.dead_letters][1] == (None if since is None else since - HOUR)


async def test_its_events_are_those_that_name_it_and_what_lies_under_its_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    traced = [("traceparent", f"00-{TRACE}-00f067aa0ba902b7-01".encode())]
    received = [("bridge.received-at", b"2026-01-05T08:00:00.000Z")]
    log: list[tuple[bytes | None, bytes | None, Any]] = [
        (b"another", event("another"), []),
        (ID.encode(), event(ID), [*traced, *received]),
        (None, event(ID, 2), []),
        (ID.encode(), b"\xff", [("bridge.received-at", b"\xff")]),
        (ID.encode(), b'{"detail-type": "another"}', []),
        (b"another", json.dumps({"about": ID}).encode(), []),
        (ID.encode(), event("another"), []),
        (ID.encode(), None, []),
    ]
    found = await find(monkeypatch, Kafka({TOPICS.events: log}, begins_at=40))

    assert [each.place.offset for each in found.events] == [41, 42, 43, 44, 47]
    assert [isinstance(each.event, Unreadable) for each in found.events] == [
        *(False, False, True, True, True)
    ]
    assert (found.events[0].trace_id, found.events[0].received_at) == (TRACE, NOON)
    assert (found.events[2].trace_id, found.events[2].received_at) == (None, None)
    assert found.kept == Kept(TOPICS.events, HOME, 40, NOON)


async def test_what_came_of_its_events_is_its_own_whatever_it_is_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, other = Source(TOPICS.events, HOME, 0), Source(TOPICS.events, HOME, 9)
    of_it = encode_outcome(outcome(0, source=source))
    unnamed = encode_outcome(outcome(0, source=source, interaction_id=None))
    of_another = encode_outcome(outcome(0, source=other, interaction_id="another"))

    def letter(of: Source | None) -> tuple[bytes | None, bytes, Any]:
        died = DeadLetter(None, b"{}", "forbidden", "no", Stage.WORKER, 1, "", of)
        return None, b"{}", died.headers()

    logs: dict[str, list[tuple[bytes | None, bytes | None, Any]]] = {
        TOPICS.events: [(ID.encode(), event(ID), [])],
        TOPICS.outcomes: [
            (ID.encode(), of_it, []),
            (ID.encode(), unnamed, []),
            (b"another", of_another, []),
            (ID.encode(), b"\xff", []),
            (b"another", b"\xff", []),
        ],
        TOPICS.retries: [
            (None, b"{}", retry_headers(source, PutOff(1, NOON), "timeout")),
            (None, b"{}", retry_headers(other, PutOff(1, NOON), "timeout")),
            (ID.encode(), b"{}", []),
            (b"another", b"{}", [("retry.reason", None)]),
        ],
        TOPICS.dead_letters: [letter(source), letter(other), letter(None)],
    }
    found = await find(monkeypatch, Kafka(logs))

    assert [each.place.offset for each in found.outcomes] == [0, 1, 3]
    assert [each.place.offset for each in found.returns] == [0, 2]
    assert [each.reason for each in found.returns] == ["timeout", ""]
    assert found.returns[1].returned is None
    assert [each.place.offset for each in found.letters] == [0]


async def test_what_clocks_that_differ_put_before_since_is_found_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A worker whose clock is behind says that it decided an event before it came."""
    event_of, sent_back = Source(TOPICS.events, HOME, 1), Source(TOPICS.events, HOME, 0)
    older = Source(TOPICS.events, HOME, 7)

    def came_of(*sources: Source) -> list[tuple[bytes | None, bytes | None, Any]]:
        return [(ID.encode(), encode_outcome(outcome(0, source=each)), []) for each in sources]

    def letter(of: Source) -> tuple[bytes | None, bytes, Any]:
        died = DeadLetter(ID.encode(), b"{}", "forbidden", "no", Stage.WORKER, 1, "", of)
        return died.key, b"{}", died.headers()

    copy = (ID.encode(), b"{}", retry_headers(sent_back, PutOff(0, 0), "forbidden", redriven=1))
    early = (ID.encode(), b"{}", retry_headers(older, PutOff(1, 0), "timeout"))
    logs: Log = {
        TOPICS.events: [(b"another", event("another"), []), (ID.encode(), event(ID), [])],
        TOPICS.retries: [copy, early],
        TOPICS.outcomes: [*came_of(older, sent_back, event_of), (ID.encode(), b"\xff", [])],
        TOPICS.dead_letters: [letter(each) for each in (older, sent_back, event_of)],
    }
    since = NOON + 5
    in_time, behind = [since, since], NOON
    found = await find(monkeypatch, Kafka(logs, times=[*in_time, since, behind]), since)

    assert [each.place.offset for each in found.returns] == [0]
    assert [each.place.offset for each in found.outcomes] == [1, 2]
    assert [each.place.offset for each in found.letters] == [1, 2]


@pytest.mark.parametrize("since", [None, NOON])
@pytest.mark.parametrize("redriven", [0, 1])
async def test_from_when_on_outcomes_are_kept_is_asked_where_something_was_redriven(
    monkeypatch: pytest.MonkeyPatch, since: int | None, redriven: int
) -> None:
    source = Source(TOPICS.events, HOME, 0)
    copy = retry_headers(source, PutOff(0, 0), "forbidden", redriven=redriven)
    logs: Log = {
        TOPICS.retries: [(ID.encode(), b"{}", copy)],
        TOPICS.outcomes: [(b"another", b"{}", [])],
    }
    kafka = Kafka(logs, begins_at=40)
    found = await find(monkeypatch, kafka, since)

    (home,), read_since = kafka.read[TOPICS.outcomes]
    if redriven:
        assert found.outcomes_kept == Kept(TOPICS.outcomes, home, 40, NOON)
        assert read_since is None, "since says nothing of what was deleted"
    else:
        assert found.outcomes_kept is None


async def test_of_outcomes_that_are_all_gone_none_is_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copy = retry_headers(Source(TOPICS.events, HOME, 0), PutOff(0, 0), "forbidden", redriven=1)
    found = await find(monkeypatch, Kafka({TOPICS.retries: [(ID.encode(), b"{}", copy)]}), NOON)

    home = partition_of(ID.encode(), NUMBERS[TOPICS.outcomes])
    assert found.outcomes_kept == Kept(TOPICS.outcomes, home, None, None)
