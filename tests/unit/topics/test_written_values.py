"""Whatever the program writes is valid by the schemas that its readers were given."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cached_property
from random import Random
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from streams.clock import rfc3339
from streams.core.calls import MOST_CALLS
from streams.core.conversations.policy import WrapUpPolicy
from streams.core.records import (
    Basis,
    Call,
    Decision,
    Deferred,
    Fault,
    Intent,
    InteractionRecord,
    Leg,
    Reason,
    Seen,
    Source,
    Unpublished,
    Verdict,
    encode_record,
)
from streams.wire.outcomes import Outcome, encode_outcome, outcome_id
from tests.support.conversation_desk import Cloud, Desk, parsed
from tests.support.wrap_up_model import OURS, THEIRS, TIMEOUT, Story, StoryLeg, events, states

Schema = Callable[..., Draft202012Validator]

REASONS = {
    Decision.NOTED: [Reason.LOOK_PLANNED, Reason.LOOK_JOINED],
    Decision.PATCHED: [Reason.ELIGIBLE],
    Decision.WOULD_PATCH: [Reason.ELIGIBLE],
    Decision.INELIGIBLE: [Reason.NON_VOICE, Reason.NOT_COMPLETED, Reason.TOO_SHORT],
    Decision.DUPLICATE: [Reason.DUPLICATE_SEQUENCE, Reason.DUPLICATE_EVENT],
    Decision.STALE: [Reason.STALE_SEQUENCE],
    Decision.CONFLICT: [Reason.CONCURRENT_MODIFICATION],
    Decision.NOT_FOUND: [Reason.NOT_FOUND],
    Decision.REFUSED: [Reason.WRAP_UP_CLOSED],
    Decision.UNCONFIRMED: [Reason.NOT_VISIBLE],
    Decision.DEFERRED: [Reason.SERVER_ERROR, Reason.UNAUTHORIZED],
    Decision.FAILED: [Reason.FORBIDDEN, Reason.UNAUTHORIZED, Reason.MALFORMED],
}

counts = st.integers(0, 2**40)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
codes = texts.filter(bool)
ids = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", fullmatch=True)
numbers = st.integers(-(10**127) + 1, 10**128 - 1)
opaques = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=128)
times = st.floats(0, 4e9).map(rfc3339)
statuses = st.integers(400, 599)
faults = st.builds(
    Fault,
    code=texts,
    message=texts,
    status=st.none() | statuses,
    correlation_id=st.none() | texts,
)
legs = st.builds(
    Leg,
    participant_id=ids,
    user_id=st.none() | ids,
    queue_id=st.none() | ids,
    communication_id=st.none() | ids,
    medium=st.none() | texts,
)

# Decisions that are on a leg alone.
OF_LEGS = (Decision.REFUSED, Decision.UNCONFIRMED)

calls = st.builds(
    Call,
    at=times,
    method=st.sampled_from(["GET", "PATCH"]),
    status=st.none() | st.integers(0, 999),
    error=st.none() | st.sampled_from(["ApiTimeout", "ConnectionLost"]),
    waited_ms=st.floats(0, 1e9),
    took_ms=st.floats(0, 1e9),
    correlation_id=st.none() | st.text(st.characters(codec="ascii"), max_size=64),
)


@st.composite
def verdicts(draw: st.DrawFn) -> Verdict:
    decision = draw(st.sampled_from(Decision))
    reason = draw(st.sampled_from(REASONS[decision]))
    verdict = Verdict(
        decision,
        reason,
        draw(st.sampled_from(Basis)),
        dry_run=draw(st.booleans()),
        duration_ms=draw(st.none() | counts),
        api_calls=draw(counts),
        attempts=draw(counts),
        decided_at=draw(times),
        latency_ms=draw(st.floats(0, 1e9)),
        end_to_end_ms=draw(st.floats(-1e9, 1e9)),
        calls=tuple(draw(st.lists(calls, max_size=MOST_CALLS))),
    )
    change: dict[str, Any] = {}
    match decision:
        case Decision.PATCHED:
            recovered = draw(st.booleans())
            change = {
                "dry_run": False,
                "basis": Basis.API,
                "disposition_code_id": draw(codes),
                "recovered": recovered,
                "patch_status": None if recovered else draw(st.integers(200, 299)),
            }
        case Decision.WOULD_PATCH:
            change = {
                "dry_run": True,
                "basis": Basis.API,
                "disposition_code_id": draw(st.none() | codes),
            }
        case Decision.DUPLICATE | Decision.STALE:
            change = {"basis": Basis.CACHE}
        case (
            Decision.CONFLICT
            | Decision.NOT_FOUND
            | Decision.REFUSED
            | Decision.UNCONFIRMED
            | Decision.FAILED
            | Decision.DEFERRED
        ):
            change = {
                "basis": Basis.API,
                "disposition_code_id": draw(st.none() | codes),
                "patch_status": draw(st.none() | statuses),
                "error": draw(faults),
            }
    return msgspec.structs.replace(verdict, **change)


@st.composite
def outcomes(draw: st.DrawFn) -> Outcome:
    verdict = draw(verdicts())
    unreadable = verdict.reason in (Reason.MALFORMED, Reason.SKIPPED)
    source = Source("genesys.interaction.events", draw(st.integers(0, 500)), draw(counts))
    return Outcome(
        outcome_id=outcome_id(source),
        final=verdict.decision is not Decision.DEFERRED,
        interaction_id=None if unreadable else draw(ids),
        sequence_id=None if unreadable else draw(numbers | opaques),
        event_id=draw(st.none() | texts),
        event_time=draw(times),
        source=source,
        trace_id=draw(st.none() | st.uuids().map(lambda trace: trace.hex)),
        next_at=draw(times) if verdict.decision is Decision.DEFERRED else None,
        leg=draw(legs) if verdict.decision in OF_LEGS else None,
        **{
            name: getattr(verdict, name)
            for name in Verdict.__struct_fields__
            if name in Outcome.__struct_fields__
        },
    )


@st.composite
def records(draw: st.DrawFn) -> InteractionRecord:
    bounds = draw(st.lists(numbers, max_size=8, unique=True).map(sorted))
    ranges = tuple(zip(bounds[::2], bounds[1::2], strict=False))
    lasting = [Decision.PATCHED, Decision.WOULD_PATCH, Decision.INELIGIBLE]
    return InteractionRecord(
        interaction_id=draw(ids),
        seen=Seen(ranges, tuple(draw(st.lists(opaques, max_size=3)))),
        interaction_type=draw(st.none() | texts),
        state=draw(st.none() | texts),
        settled=draw(st.none() | verdicts().filter(lambda verdict: verdict.decision in lasting)),
        verdict=draw(st.none() | verdicts()),
        last_offset=draw(st.none() | counts),
        unpublished=tuple(
            draw(st.lists(st.builds(Unpublished, offset=counts, verdict=verdicts()), max_size=3))
        ),
        intent=draw(st.none() | st.builds(Intent, offset=counts, disposition_code_id=codes)),
        deferred=tuple(
            draw(
                st.lists(
                    st.builds(
                        Deferred, offset=counts, verdict=verdicts(), returned_at=st.none() | counts
                    ),
                    max_size=3,
                )
            )
        ),
        events=draw(counts),
        first_seen_at=draw(counts),
        updated_at=draw(counts),
    )


@given(outcomes())
def test_every_outcome_that_is_written_is_valid(schema: Schema, outcome: Outcome) -> None:
    schema("outcome").validate(json.loads(encode_outcome(outcome)))


@given(records())
def test_every_record_that_is_written_is_valid(schema: Schema, record: InteractionRecord) -> None:
    schema("interaction-record").validate(json.loads(encode_record(record)))


@given(
    st.randoms(use_true_random=False),
    st.sampled_from([None, THEIRS, TIMEOUT]),
    st.lists(st.integers(1, 60), max_size=3),
)
def test_every_record_of_a_conversation_is_valid(
    schema: Schema, random: Random, code: str | None, crashes: list[int]
) -> None:
    """As a worker leaves it, wherever it crashes."""
    timed_out = StoryLeg(0, 100_000, acw_ends=60_000, code=code)
    story = Story((timed_out, StoryLeg(0, 20_000, connected=False)), 100_000, lag_ms=900)
    log = [(at, event) for at, raw in events(story) for event in parsed([raw])]
    written = Written(log, Cloud(states(story)), WrapUpPolicy(OURS))
    written.live(random, crashes)
    assert written.values
    for value in written.values:
        schema("conversation-record").validate(json.loads(value))


class Written(Desk):
    """Keeps each value of the table."""

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "table" and value is not None:
            self.values.append(value)

    @cached_property
    def values(self) -> list[bytes]:
        return []
