"""Whatever a record of Kafka holds, it ends as an outcome or a dead letter, and nothing else does.

The real dispatcher, lanes, processor and outcome publisher, in a world of a dict, one interaction
and a list. Beside that, what they send is encoded as it is for Kafka, and held against the schema.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

import hypothesis.strategies as st
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from faust.types import TP
from hypothesis import HealthCheck, example, given, settings

from streams.core.decision import Policy
from streams.core.envelope import InteractionEvent, parse
from streams.core.records import Decision, PutOff, Reason, Source, decode_record, encode_record
from streams.core.retry_policy import DeferralPolicy
from streams.wire.retries import retry_headers
from streams.worker import incoming
from tests.support.dispatching import Dispatching
from tests.support.examples import times
from tests.support.fetched import Fetched, in_one_run
from tests.support.incarnation import OneInteraction, Worker
from tests.support.schemas import validator
from tests.support.scripted import until
from tests.support.world import CODE, EVENTS, RETRIES, TOPICS, Sent, World, event

# What Kafka's own default takes of a request. The encoder needs a size; nothing here is near it.
BATCH_BYTES = 4 << 20

OUTCOME = validator("outcome")

Value = bytes | None
Headers = list[tuple[str, Value]] | dict[str, Value] | None


@dataclass
class TakenUp:
    """What became of one record that was handed in."""

    tp: TP
    record: Fetched
    world: World
    read: incoming.Incoming

    @property
    def letters(self) -> list[Sent]:
        return self.world.dead_letters


async def take_up(handed_out: tuple[TP, Fetched]) -> TakenUp:
    """Hand the record to a worker that is new, and wait until it is done with it."""
    world, (tp, record) = World(), handed_out
    parts = Worker(
        world,
        policy=Policy(code=CODE, lag_window_ms=1_000),
        api=OneInteraction(world),
        deferrals=DeferralPolicy(limit=1, first=1.0),
    )
    desk = Dispatching(parts)
    offset = record.offset
    assignment = desk.begin(offset, offset)
    read = incoming.read(
        tp,
        record,
        world.clock.time(),
        parse=parse,
        events=TOPICS.events,
        retries=TOPICS.retries,
        skipped=frozenset(),
    )
    try:
        await desk.dispatcher.take_up(in_one_run(tp, record))
        frontier = assignment.frontiers[tp]
        # A record put off for a day takes as many turns of the loop as it has looks of the waiting
        # room: seconds of CPU, which a busy machine may not give in ten.
        await until(
            lambda: bool(desk.failures) or frontier.committable == offset + 1,
            seconds=60,
        )
    finally:
        desk.dispatcher.waiting.close()
    assert not desk.failures
    return TakenUp(tp, record, world, read)


def message(
    value: Value,
    *,
    key: Value = b"i-1",
    headers: Headers = None,
    timestamp: Any = 1_765_552_506_500,
    tp: TP = EVENTS,
    offset: int = 5,
) -> tuple[TP, Fetched]:
    given: Any = headers  # the types promise more than Kafka keeps
    return tp, Fetched(offset, value, key, given, timestamp)


def assert_published(taken_up: TakenUp) -> None:
    """One outcome; of what failed a dead letter with its bytes. Of what a stranger has put into
    ``retries``, whose record in ``events`` is nobody's, the dead letter alone."""
    handed_out, world = taken_up.record, taken_up.world
    for sent in world.sent:
        assert_encodes(sent)
    for record in world.records.values():
        assert decode_record(encode_record(record)) == record
    letters = [(each.key, each.value) for each in taken_up.letters]
    stranger = taken_up.tp == RETRIES and taken_up.read.source.topic == RETRIES.topic
    if stranger:
        assert world.outcomes == []
        assert letters == [(handed_out.key, handed_out.value)]
        return
    (outcome,) = world.outcomes
    assert outcome.source == taken_up.read.source
    assert outcome.reason is not Reason.INTERNAL_ERROR
    is_event = isinstance(taken_up.read.event, InteractionEvent)
    assert (outcome.reason is not Reason.MALFORMED) is is_event
    if outcome.decision is Decision.FAILED:
        assert letters == [(handed_out.key, handed_out.value)]
    else:
        assert letters == []
    put_off = [(each.key, each.value) for each in world.put_off]
    deferred = outcome.decision is Decision.DEFERRED
    assert put_off == ([(handed_out.key, handed_out.value)] if deferred else [])
    (sent,) = [each for each in world.sent if each.topic == TOPICS.outcomes]
    assert sent.value is not None
    OUTCOME.validate(json.loads(sent.value))
    if outcome.error is not None:
        texts = (outcome.error.code, outcome.error.message, outcome.error.correlation_id or "")
        assert all(text.isprintable() for text in texts)


def assert_encodes(sent: Sent) -> None:
    """As aiokafka does it; and a text in a header is one line."""
    batch = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=0,
        is_transactional=0,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=BATCH_BYTES,
    )
    appended = batch.append(
        0, timestamp=None, key=sent.key, value=sent.value, headers=list(sent.headers)
    )
    assert appended is not None
    assert all(value.decode().isprintable() for _, value in sent.headers)


RETURNED: dict[str, Value] = dict(
    retry_headers(
        Source(EVENTS.topic, EVENTS.partition, 3), PutOff(2, 1_000), "timeout", redriven=1
    )
)

TRACE = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"

TRACES = [
    f"00-{TRACE}-01",
    f"00-{TRACE}",
    f"ff-{TRACE}-01",
    f"00-{TRACE}-zz",
    f"00-{'0' * 32}-{'0' * 16}-00",
    f"00-{TRACE.upper()}-01",
    f"00-{TRACE}-01-" + "x" * 9_000,
    "a=1,a=2,\x00=\x1b",
    ",".join(f"k{number}={'v' * 256}" for number in range(40)),
]

INT64 = st.integers(-(2**63), 2**63 - 1)
names = st.text(st.characters(codec=None), max_size=20) | st.sampled_from(
    [*RETURNED, "traceparent", "tracestate", "TraceParent", "baggage"]
)
numbers = st.sampled_from([0, -1, 1, 3, 2**31, 2**63 - 1, 2**63, 10**19, 10**300]).map(
    lambda number: str(number).encode()
)
values = (
    st.none()
    | st.binary(max_size=60)
    | numbers
    | st.sampled_from([EVENTS.topic, RETRIES.topic, *TRACES]).map(str.encode)
)
# A stranger's copy of a record that was put off, with some of its headers another.
copies = st.dictionaries(st.sampled_from(sorted(RETURNED)), values, max_size=2).map(
    lambda changes: {**RETURNED, **changes}
)
headers = (
    st.none()
    | st.lists(st.tuples(names, values), max_size=8)
    | st.dictionaries(names, values, max_size=8)
    | copies
    | copies.flatmap(
        lambda whole: st.lists(st.tuples(names, values), max_size=4).map(
            lambda more: [*whole.items(), *more]
        )
    )
)
timestamps = st.none() | INT64 | st.sampled_from([math.nan, math.inf, -math.inf, 0, -1])

# Texts that JSON can carry and a log, a header or a date may not.
texts = st.text(max_size=30) | st.sampled_from(
    ["\x00", "\x1b[31mX\n", "\u0085", "\u202e", "9999-12-31T23:59:59-14:00", "0001-01-01"]
)
sequences: st.SearchStrategy[object] = (
    st.integers(-(10**127) + 1, 10**128 - 1)
    | st.text(min_size=1, max_size=128)
    | st.sampled_from([0, -1, "0", "-0", "007", "1e3", 1.5, True, None, [], {}])
)
events = st.builds(
    lambda interaction, sequence, time, identity, state, kind: json.dumps(
        {
            "id": identity,
            "detail-type": "purecloud:v2:interaction:update",
            "source": identity,
            "time": time,
            "detail": {
                "interactionId": interaction,
                "sequenceId": sequence,
                "interactionType": kind,
                "state": state,
            },
        }
    ).encode(),
    interaction=st.just("i-1") | st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", fullmatch=True),
    sequence=sequences,
    time=texts,
    identity=texts,
    state=st.just("completed") | texts,
    kind=st.sampled_from(["voice", "VOICE", "chat", None]) | texts,
)
# Events cut, and with some of their bytes another.
broken = st.tuples(events, st.integers(0, 10_000), st.binary(max_size=3)).map(
    lambda drawn: drawn[0][: drawn[1] % len(drawn[0])] + drawn[2] + drawn[0][drawn[1] :]
)
bodies = st.none() | st.binary(max_size=300) | events | broken


messages = st.builds(
    message,
    bodies,
    key=st.none() | st.binary(max_size=60) | st.just(b"i-1"),
    headers=headers,
    timestamp=timestamps,
    tp=st.sampled_from([EVENTS, RETRIES]),
    offset=st.integers(0, 2**63 - 2),
)


def returned(
    value: bytes | None = event(), /, *, timestamp: int = 10**12, **changes: Value
) -> tuple[TP, Fetched]:
    """In ``retries``, with headers changed: ``not_before`` for ``retry.not-before``."""
    named = {
        f"retry.{name.replace('source_', 'source.').replace('_', '-')}": change
        for name, change in changes.items()
    }
    assert named.keys() <= RETURNED.keys()
    return message(value, headers=RETURNED | named, timestamp=timestamp, tp=RETRIES)


@settings(max_examples=times(2), suppress_health_check=[HealthCheck.too_slow])
@given(messages)
@example(message(event(), headers=[("any", None)]))
@example(message(event(), headers={"traceparent": None}, timestamp=None))
@example(message(event(), headers=[("\udcff\ud83d", b"\xff")] * 2))
@example(message(event(time="x"), timestamp=2**63 - 1))
@example(message(event(time="x"), timestamp=-(2**63)))
@example(message(event(time="x"), timestamp=math.nan))
@example(message(event("\x00\x1b[31m\u0085"), key=b"\x1b[31m\xff"))
@example(message(None, key=None, headers=[("traceparent", each.encode()) for each in TRACES]))
@example(message(event(), key=None, headers=[("tracestate", each.encode()) for each in TRACES]))
@example(returned(source_topic=None))
@example(returned(source_partition=b"4"))
@example(returned(source_offset=b"9" * 19))
@example(returned(attempt=b"%d" % (2**63 - 1)))
@example(returned(redriven=b"%d" % (2**63 - 1)))
@example(returned(not_before=b"9" * 18, timestamp=2**62))
@example(returned(b"\xff", reason=None))
async def test_whatever_a_record_holds_it_ends_as_an_outcome_or_a_dead_letter(
    handed_out: tuple[TP, Fetched],
) -> None:
    assert_published(await take_up(handed_out))


async def test_a_plain_event_among_them_is_patched() -> None:
    """Or the property would hold of a worker that fails everything."""
    taken_up = await take_up(message(event(), headers=[("any", None)], timestamp=2**62))
    assert_published(taken_up)
    (outcome,) = taken_up.world.outcomes
    assert outcome.decision is Decision.PATCHED
    assert taken_up.world.applied == 1


async def test_a_copy_of_a_record_that_was_put_off_is_decided() -> None:
    taken_up = await take_up(returned())
    assert_published(taken_up)
    (outcome,) = taken_up.world.outcomes
    assert (outcome.decision, outcome.source.offset) == (Decision.PATCHED, 3)
