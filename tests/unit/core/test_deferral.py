"""Whether a record is put off, for how many times, and until when."""

from __future__ import annotations

from itertools import pairwise

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given

from streams import errors
from streams.core import decision
from streams.core.decision import Policy, Settle
from streams.core.deferral import LOOKS, look_again, put_off, waited
from streams.core.envelope import InteractionEvent
from streams.core.interaction import Interaction
from streams.core.records import (
    Basis,
    Call,
    Decision,
    InteractionRecord,
    PutOff,
    Reason,
    Verdict,
)

WINDOW_MS = 60_000
POLICY = Policy(code="code", lag_window_ms=WINDOW_MS)
NOW_MS = 1_765_552_507_000
RIGHT = Interaction(
    id="i-1",
    type="voice",
    state="completed",
    disposition_code_id=None,
    wrap_up_code_id=None,
    duration_ms=60_000,
)
COMPLETED = InteractionEvent("i-1", 1, 1, "voice", "completed", None, None)
NOT_FOUND = decision.after_error(errors.NotFound("no", status=404), None, None, POLICY)


def answer(**changes: object) -> Verdict:
    """What the rules make of such an interaction."""
    interaction = Interaction(**({f: getattr(RIGHT, f) for f in RIGHT.__slots__} | changes))
    step = decision.after_fetch(interaction, None, POLICY)
    assert isinstance(step, Settle)
    return step.verdict


def not_found() -> Verdict:
    assert isinstance(NOT_FOUND, Settle)
    return NOT_FOUND.verdict


LAGGING = {
    "not known": not_found(),
    "not over": answer(state="connected"),
    "no end time": answer(duration_ms=0, ended=False),
}
DECIDED = {
    "not a call": answer(type="chat"),
    "has a code": answer(disposition_code_id="theirs"),
    "has a wrap-up": answer(wrap_up_code_id="theirs"),
    "too short": answer(duration_ms=10),
    "gone on the PATCH": msgspec.structs.replace(not_found(), patch_status=404),
}


def look(
    verdict: Verdict,
    record: InteractionRecord | None = None,
    *,
    event: InteractionEvent = COMPLETED,
    attempt: int = 1,
    now_ms: int = NOW_MS,
    policy: Policy = POLICY,
) -> Verdict:
    return look_again(
        verdict,
        event,
        record or InteractionRecord("i-1"),
        offset=5,
        attempt=attempt,
        now_ms=now_ms,
        policy=policy,
    )


@pytest.mark.parametrize("seen", LAGGING)
def test_an_api_that_lags_behind_its_event_is_looked_at_again(seen: str) -> None:
    verdict = look(LAGGING[seen])
    assert (verdict.decision, verdict.reason) == (Decision.DEFERRED, Reason.NOT_YET_VISIBLE)
    assert verdict.put_off == PutOff(1, NOW_MS + 10_000, 1, NOW_MS + WINDOW_MS)


@pytest.mark.parametrize("seen", LAGGING)
def test_a_deferral_counts_the_requests_that_were_made(seen: str) -> None:
    made = (Call("2025-12-12T15:15:07.657Z", "GET", 404, None, 0.0, 1.0, None),)
    verdict = look(msgspec.structs.replace(LAGGING[seen], api_calls=1, attempts=1, calls=made))
    assert (verdict.api_calls, verdict.attempts, verdict.calls) == (1, 1, made)


@pytest.mark.parametrize("seen", DECIDED)
def test_what_cannot_be_a_lag_is_decided_at_once(seen: str) -> None:
    assert look(DECIDED[seen]) == DECIDED[seen]


@pytest.mark.parametrize("seen", LAGGING)
def test_only_an_event_that_says_it_is_over_waits(seen: str) -> None:
    connected = InteractionEvent("i-1", 1, 1, "voice", "connected", None, None)
    assert look(LAGGING[seen], event=connected) == LAGGING[seen]


@pytest.mark.parametrize("seen", LAGGING)
def test_without_a_window_the_first_look_decides(seen: str) -> None:
    assert look(LAGGING[seen], policy=Policy(code="code")) == LAGGING[seen]


@pytest.mark.parametrize("seen", LAGGING)
def test_it_is_looked_at_four_times_and_the_last_look_decides(seen: str) -> None:
    record, now_ms, looks = InteractionRecord("i-1"), NOW_MS, []
    verdict = look(LAGGING[seen], record)
    while verdict.put_off is not None:
        looks.append(now_ms - NOW_MS)
        returned_at = None if len(looks) == 1 else len(looks)
        record = decision.apply(record, COMPLETED, 5, verdict, now_ms, returned_at=returned_at)
        now_ms = verdict.put_off.not_before
        verdict = look(LAGGING[seen], record, attempt=len(looks) + 1, now_ms=now_ms)
    looks.append(now_ms - NOW_MS)
    assert looks == [0, 10_000, 30_000, 60_000]
    assert verdict == LAGGING[seen]
    after = decision.apply(record, COMPLETED, 5, verdict, now_ms, returned_at=9)
    assert after.settled is None, "a later event may still give it its code"


def test_a_missing_end_settles_nothing_and_a_short_call_does() -> None:
    record = InteractionRecord("i-1")
    open_ended = decision.apply(record, COMPLETED, 5, LAGGING["no end time"], NOW_MS)
    short = decision.apply(record, COMPLETED, 5, DECIDED["too short"], NOW_MS)
    assert open_ended.settled is None
    assert short.settled is not None


def test_a_look_counts_for_nothing_where_failures_are_counted() -> None:
    busy = errors.ServerError("503")
    verdict = put_off(busy, 13, NOW_MS, POLICY, most=10, looks=3, visible_by=NOW_MS + 1)
    assert verdict.put_off == PutOff(13, NOW_MS, 3, NOW_MS + 1)
    assert put_off(busy, 14, NOW_MS, POLICY, most=10, looks=3).decision is Decision.FAILED


def test_a_failure_in_between_does_not_begin_the_window_anew() -> None:
    record = InteractionRecord("i-1")
    first = look(not_found(), record)
    record = decision.apply(record, COMPLETED, 5, first, NOW_MS)
    busy = put_off(errors.ServerError("503"), 2, NOW_MS, POLICY, most=10, looks=1, visible_by=77)
    record = decision.apply(record, COMPLETED, 5, busy, NOW_MS, returned_at=1)
    assert waited(record, 5) == (1, 77)
    assert look(not_found(), record, attempt=3) == not_found()


def test_a_fault_of_ours_is_put_off_and_at_last_dead_under_its_own_reason() -> None:
    fault = errors.InternalError("a bug")
    verdict = put_off(fault, 1, NOW_MS, POLICY, most=1)
    assert (verdict.decision, verdict.reason) == (Decision.DEFERRED, Reason.INTERNAL_ERROR)
    dead = put_off(fault, 2, NOW_MS, POLICY, most=1)
    assert (dead.decision, dead.reason) == (Decision.FAILED, Reason.INTERNAL_ERROR)
    assert verdict.basis is dead.basis is Basis.EVENT


@given(
    st.integers(0, 3_600_000),
    st.lists(st.integers(0, 4_000_000) | st.just(0), min_size=4, max_size=4),
    st.sampled_from(sorted(LAGGING)),
)
def test_each_look_is_made_however_late_each_comes(
    window_ms: int, delays: list[int], seen: str
) -> None:
    """Late, or early by a clock that was set forward: the API has the time between them."""
    policy = Policy(code="code", lag_window_ms=window_ms)
    record = InteractionRecord("i-1")
    planned, times = NOW_MS, []
    for number, late in enumerate(delays):
        times.append(planned + late)
        verdict = look(LAGGING[seen], record, attempt=number + 1, now_ms=times[-1], policy=policy)
        if verdict.put_off is None:
            break
        assert times[-1] < verdict.put_off.not_before <= verdict.put_off.visible_by
        planned = verdict.put_off.not_before
        record = decision.apply(
            record, COMPLETED, 5, verdict, times[-1], returned_at=number or None
        )
    assert verdict == LAGGING[seen]
    waited_for = [after - before for before, after in pairwise(times)]
    assert sum(waited_for) >= window_ms
    assert all(each >= round(window_ms * LOOKS[0]) - 1 for each in waited_for)
    assert len(waited_for) <= len(LOOKS)


def test_a_clock_set_forward_ends_no_window() -> None:
    record = InteractionRecord("i-1")
    first = look(not_found(), record)
    assert first.put_off is not None
    record = decision.apply(record, COMPLETED, 5, first, NOW_MS)
    ahead = NOW_MS + 3_600_000

    second = look(not_found(), record, attempt=2, now_ms=ahead)

    assert second.put_off is not None
    assert second.put_off.visible_by - ahead == first.put_off.visible_by - first.put_off.not_before
