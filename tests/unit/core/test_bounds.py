"""Whatever enters an interaction's record or an outcome, Kafka takes what it becomes.

A record that Kafka refuses for its size can not be written by any later try either: its worker
would end, and end again at every start. So what is kept of events and errors is bounded piece by
piece, and here the whole.
"""

from __future__ import annotations

from collections.abc import Callable

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings

from streams import errors
from streams.core import decision
from streams.core.calls import MOST_CALLS
from streams.core.decision import MOST_REMEMBERED, MOST_UNPUBLISHED, Policy
from streams.core.deferral import MOST_WAITING, put_off
from streams.core.envelope import SEQUENCE_MAX_LENGTH, TEXT_MAX_LENGTH, InteractionEvent
from streams.core.faults import fault
from streams.core.records import (
    Basis,
    Decision,
    InteractionRecord,
    Reason,
    Verdict,
    encode_record,
)
from streams.core.sequence import MAX_OPAQUE, MAX_RANGES
from tests.support.examples import times
from tests.support.incarnation import Worker
from tests.support.longest import CORRELATION_ID, longest_call
from tests.support.world import World, event

# What a topic takes by Kafka's own default is 1 MiB, the record's key, headers and frame included;
# a changelog may have been made with it. A fifth is left for what is added in the years to come.
MOST_RECORD_BYTES = 832 * 1024

# A consumer's page of a hundred outcomes stays below what a consumer fetches at once.
MOST_OUTCOME_BYTES = 64 * 1024

# As the boundary with the API bounds an error's texts, in characters.
CODE, MESSAGE = 128, 1000

POLICY = Policy(code="c" * 64)
NOW_MS = 1_765_552_507_000
ID = "i" * 128

# One character each, by what it takes in JSON: two, two, three, four and six bytes.
FILLERS = ['"', "\\", "\N{REPLACEMENT CHARACTER}", "\N{OPEN MAILBOX WITH RAISED FLAG}", "\x01"]


def of_length(filler: str, number: int, length: int) -> str:
    """A text of this length, another one for each number."""
    return f"{number:04}".rjust(length, filler)[:length]


def failure(filler: str, number: int = 0) -> errors.ApiError:
    """With the longest texts that there are."""
    return errors.ServerError(
        of_length(filler, number, MESSAGE),
        status=503,
        code=of_length(filler, number, CODE),
        correlation_id=of_length(filler, number, CORRELATION_ID),
        retry_after=86_400.0,
    )


def opaque(filler: str, number: int) -> InteractionEvent:
    """An event of an id that is no number, with the longest texts that an event may have."""
    text = filler * TEXT_MAX_LENGTH
    identity = of_length(filler, number, SEQUENCE_MAX_LENGTH)
    return InteractionEvent(ID, identity, None, text, text, text, text, text)


def numbered(number: int) -> InteractionEvent:
    """An event of a number of the most digits, that no other one touches."""
    order = 10**SEQUENCE_MAX_LENGTH - 1 - 2 * number
    return InteractionEvent(ID, order, order, "voice", "completed", None, None)


def deferred(error: errors.ApiError, record: InteractionRecord, offset: int) -> Verdict:
    verdict = put_off(
        error,
        2**62,
        2**62,
        POLICY,
        most=2**63,
        others=record.waiting_beside(offset),
        looks=2**62,
        visible_by=2**62,
    )
    return msgspec.structs.replace(verdict, calls=(longest_call(),) * MOST_CALLS)


def failed(error: errors.ApiError) -> Verdict:
    """With all that a verdict can have."""
    return Verdict(
        Decision.FAILED,
        Reason.RETRIES_EXHAUSTED,
        Basis.API,
        dry_run=True,
        disposition_code_id=POLICY.code,
        patch_status=503,
        duration_ms=2**62,
        api_calls=2**62,
        attempts=2**62,
        decided_at="2025-12-12T15:15:07.657Z",
        latency_ms=123456789.123,
        end_to_end_ms=123456789.123,
        error=fault(error),
        calls=(longest_call(),) * MOST_CALLS,
    )


def test_a_call_has_at_most_300_bytes() -> None:
    assert len(msgspec.json.encode(longest_call())) <= 300


def fullest(said: str, sent: str) -> InteractionRecord:
    """As many deferrals, ids and ranges as are kept, each as long as it gets. ``said``: what the
    API's texts are full of; ``sent``: the events'."""
    record = InteractionRecord(interaction_id=ID, life="l" * 64)
    offset = 2**62
    for number in range(MAX_RANGES):
        offset += 1
        verdict = failed(failure(said, number))
        record = decision.apply(record, numbered(number), offset, verdict, NOW_MS)
    for number in range(max(MAX_OPAQUE, MOST_REMEMBERED + MOST_WAITING)):
        offset += 1
        seen = opaque(sent, number)
        verdict = deferred(failure(said, number), record, offset)
        record = decision.apply(record, seen, offset, verdict, NOW_MS)
        if number < MOST_REMEMBERED:
            record = over(record, seen, offset, said)
    # Redriven, and forgotten by now: it takes the place of none that waits.
    record = over(record, opaque(sent, 0), offset + 1, said)
    in_groups = range(offset + 1, offset + MOST_UNPUBLISHED + 2)
    for number, at in enumerate(in_groups):
        verdict = failed(failure(said))
        record = decision.apply(
            record, opaque(sent, number), at, verdict, NOW_MS, is_open=in_groups.__contains__
        )
    return record


def over(
    record: InteractionRecord, seen: InteractionEvent, offset: int, said: str
) -> InteractionRecord:
    """A record that was put off has its final verdict."""
    verdict = failed(failure(said))
    return decision.apply(record, seen, offset, verdict, NOW_MS, returned_at=2**62, redriven=2**62)


@pytest.mark.parametrize("said", FILLERS, ids=ascii)
@pytest.mark.parametrize("sent", FILLERS, ids=ascii)
def test_the_fullest_record_is_accepted_by_kafka(said: str, sent: str) -> None:
    record = fullest(said, sent)
    assert len(record.deferred) == MOST_WAITING + MOST_REMEMBERED
    assert len(record.unpublished) == MOST_UNPUBLISHED
    assert len(record.seen.opaque) == MAX_OPAQUE
    assert len(record.seen.ranges) == MAX_RANGES
    assert len(encode_record(record)) < MOST_RECORD_BYTES


Step = Callable[[InteractionRecord, int], InteractionRecord]


@st.composite
def steps(draw: st.DrawFn) -> tuple[int, Step]:
    """So many records of one kind, one after the other; what one of them adds."""
    filler = draw(st.sampled_from(FILLERS) | st.characters(codec="utf-8"))
    texts = st.text(st.just(filler), max_size=2_000)
    error = draw(
        st.sampled_from([errors.ServerError, errors.BadRequest, errors.ApiTimeout]).flatmap(
            lambda kind: st.builds(
                kind, texts, status=st.integers(100, 999), code=texts, correlation_id=texts
            )
        )
    )
    is_opaque, is_over, again = (draw(st.booleans()) for _ in range(3))

    def add(record: InteractionRecord, offset: int) -> InteractionRecord:
        seen = opaque(filler, offset % 10_000) if is_opaque else numbered(offset)
        verdict = failed(error) if is_over else deferred(error, record, offset)
        returned_at = offset if again else None
        return decision.apply(record, seen, offset, verdict, NOW_MS, returned_at=returned_at)

    return draw(st.integers(1, 70)), add


@settings(max_examples=times(0.4), suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(steps(), min_size=1, max_size=6))
def test_whatever_enters_a_record_it_is_accepted_by_kafka(drawn: list[tuple[int, Step]]) -> None:
    record = InteractionRecord(interaction_id=ID)
    offset = 0
    for often, add in drawn:
        for _ in range(often):
            offset += 1
            record = add(record, offset)
        assert len(encode_record(record)) < MOST_RECORD_BYTES


@pytest.mark.parametrize("filler", FILLERS, ids=ascii)
async def test_the_fullest_outcome_is_accepted_by_kafka(filler: str) -> None:
    world = World()

    def fail(_: World) -> None:
        raise failure(filler)

    world.fetches.append(fail)
    sequence = of_length(filler, 7, SEQUENCE_MAX_LENGTH)
    await Worker(world).process(event(sequence, time=filler * TEXT_MAX_LENGTH))
    assert world.outcomes[0].sequence_id == sequence
    _assert_bounded(world)


@given(
    text=st.text(st.characters(codec="utf-8"), max_size=3_000),
    times=st.integers(1, 1_000),
    status=st.integers(100, 999),
)
@example(text='"', times=1_000_000, status=500)
@example(text="\x1b[31m\r\n\u0085\u202e", times=1_000, status=500)
async def test_whatever_an_error_says_its_outcome_is_accepted_by_kafka(
    text: str, times: int, status: int
) -> None:
    world = World()

    def fail(_: World) -> None:
        long = text * times
        raise errors.BadRequest(long, status=status, code=long, correlation_id=long)

    world.fetches.append(fail)
    await Worker(world).process(event())
    _assert_bounded(world)


def _assert_bounded(world: World) -> None:
    """Every record sent, beside the event's own bytes; and the table's."""
    for sent in world.sent:
        headers = sum(len(name) + len(value) for name, value in sent.headers)
        assert headers < MOST_OUTCOME_BYTES
        if sent.value != event():
            assert sent.value is not None
            assert len(sent.value) + len(sent.key or b"") < MOST_OUTCOME_BYTES
    for record in world.records.values():
        assert len(encode_record(record)) < MOST_RECORD_BYTES
