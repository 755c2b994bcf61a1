"""What happened is told in plain sentences, with the places and traces to look it up by."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from streams.core.interaction import Interaction
from streams.core.records import Basis, Call, Decision, Reason, Verdict
from streams.operator.explain.fields import Answer, fields
from streams.operator.explain.found import Found
from streams.operator.explain.history import history
from streams.operator.explain.telling import Telling, tell, tell_answer
from streams.wire.dead_letters import Stage
from tests.unit.operator.explain.records import (
    FAULT,
    ID,
    NOON,
    TRACE,
    call,
    event_record,
    found,
    letter_record,
    outcome,
    outcome_record,
    return_record,
)

THRESHOLD_MS = 30_000


def told(of: Found) -> list[Telling]:
    return [tell(each, THRESHOLD_MS) for each in history(of)]


def test_an_event_says_when_it_was_where() -> None:
    event = event_record(0, 7)
    first, _ = told(found(event, outcome_record(0, outcome(0))))

    assert (first.kind, first.at, first.what) == (
        "event",
        NOON,
        "sequence 7, voice, completed: new",
    )
    assert first.more == (
        "happened 2026-01-05T07:59:59.900Z, at the bridge 95 ms later, in Kafka 5 ms later, "
        "at the worker 30 ms later",
        f"record shop.events/3/0, trace {TRACE}",
    )


def test_a_decision_says_which_event_it_is_about() -> None:
    (decision,) = told(found(outcome_record(4, outcome(0, sequence_id=7))))
    assert decision.more == (
        f"of sequence 7 in shop.events/3/0, record shop.outcomes/1/4, trace {TRACE}",
    )


def test_another_producers_event_says_what_it_can() -> None:
    bare = replace(event_record(0, "a", kind=None, state=None), received_at=None, trace_id=None)
    (only,) = told(found(replace(bare, at=-1)))

    assert only.what == "sequence a, type not said, state not said: new"
    assert only.at is None
    assert only.more == ("happened 2026-01-05T07:59:59.900Z", "record shop.events/3/0")


@pytest.mark.parametrize(
    ("sequences", "said"),
    [
        ([1, 1], "a duplicate of 3/0"),
        ([2, 1], "late, behind a higher sequence"),
        ([1, 3], "new; 2 had not come by then"),
        ([1, 9], "new; 2 to 8 had not come by then"),
    ],
)
def test_how_an_event_compares_with_those_before_it(sequences: list[int], said: str) -> None:
    events = [event_record(at, number) for at, number in enumerate(sequences)]
    assert told(found(*events))[-1].what.endswith(f": {said}")


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (call(1), "GET: 200 in 88 ms, after a wait of 12 ms, correlation id corr-1"),
        (
            Call("2026-01-05T08:00:00.030Z", "PATCH", None, "ApiTimeout", 0.2, 10_000.0, None),
            "PATCH: ApiTimeout in 10 s",
        ),
        (
            Call("2026-01-05T08:00:00.030Z", "GET", 407, "ConnectionLost", 0.0, 1.0, None),
            "GET: 407 (ConnectionLost) in 1 ms",
        ),
    ],
)
def test_a_request_says_its_answer_and_its_wait(made: Call, said: str) -> None:
    _, request, _ = told(found(event_record(0), outcome_record(0, outcome(0, calls=(made,)))))
    assert (request.kind, request.what) == ("call", said)


@pytest.mark.parametrize(
    ("record", "kind", "said"),
    [
        (
            return_record(0, 0, attempt=2, reason="server-error"),
            "put-off",
            "waits in retries until 2026-01-05T08:00:30.000Z, deferral 2: server-error",
        ),
        (
            return_record(0, 0, attempt=0, redriven=1, reason="forbidden"),
            "redrive",
            "an operator sent it back to be decided anew, time 1: forbidden",
        ),
        (
            return_record(0, 0, attempt=0, redriven=2, reason="replay"),
            "replay",
            "a replay sent it back to be decided anew, time 2",
        ),
        (
            letter_record(0, 0),
            "dead-letter",
            "dead at the worker stage: forbidden: give it the scope; its bytes are no event, so no "
            "redrive takes it",
        ),
        (
            letter_record(0, stage=Stage.BRIDGE, reason="malformed-event"),
            "refused",
            "the bridge refused it, and kept its bytes: malformed-event: give it the scope",
        ),
    ],
)
def test_what_was_put_off_sent_back_or_died(record: Any, kind: str, said: str) -> None:
    (only,) = told(found(record))
    assert (only.kind, only.what) == (kind, said)


def test_what_is_published_again_is_told_at_its_own_time() -> None:
    patched = outcome(
        0, Decision.PATCHED, Reason.ELIGIBLE, patch_status=200, disposition_code_id="code-1"
    )
    first, again = told(found(outcome_record(0, patched), outcome_record(1, patched, ms=9_000)))
    assert (first.at, again.at) == (NOON + 50, NOON + 9_000)
    assert again.what == f"published again after a crash: {first.what}"


WOULD = Verdict(Decision.WOULD_PATCH, Reason.ELIGIBLE, Basis.API)
SEEN = Interaction(
    id=ID,
    type="voice",
    state="completed",
    disposition_code_id=None,
    wrap_up_code_id="w-1",
    duration_ms=218_000,
    etag=None,
    ended=True,
)


def test_what_the_api_says_now_and_what_would_come_of_it() -> None:
    answer = Answer(NOON / 1000, WOULD, SEEN)
    told = tell_answer(answer, THRESHOLD_MS)
    assert (told.kind, told.at) == ("now", NOON)
    assert told.what == (
        "Genesys Cloud says type voice, state completed, disposition none, wrap-up w-1, "
        "length 3 min 38 s; today it would get the code"
    )
    assert answer.fields()["interaction"] == {
        "type": "voice",
        "state": "completed",
        "dispositionCodeId": None,
        "wrapUpCodeId": "w-1",
        "durationMs": 218_000,
        "ended": True,
    }


def test_an_api_that_does_not_answer_is_told_as_such() -> None:
    refused = Verdict(Decision.FAILED, Reason.FORBIDDEN, Basis.API, error=FAULT)
    answer = Answer(NOON / 1000, refused, None)
    assert FAULT.message in tell_answer(answer, THRESHOLD_MS).what
    assert answer.fields()["interaction"] is None


def test_the_fields_of_each_kind() -> None:
    deferred = outcome(0, Decision.DEFERRED, Reason.TIMEOUT, attempt=1, calls=(call(0),))
    happenings = history(
        found(
            event_record(0, 7),
            outcome_record(0, deferred),
            return_record(0, 0, reason="timeout"),
            letter_record(0, 0),
        )
    )
    by_kind = {tell(each, THRESHOLD_MS).kind: fields(each) for each in happenings}
    assert by_kind["event"] == {
        "eventId": "event-0",
        "eventTime": "2026-01-05T07:59:59.900Z",
        "receivedAt": "2026-01-05T07:59:59.995Z",
        "storedAt": "2026-01-05T08:00:00.000Z",
        "takenUpAt": "2026-01-05T08:00:00.030Z",
        "sequenceId": 7,
        "interactionType": "voice",
        "state": "completed",
        "standing": "new",
        "repeats": None,
        "missing": None,
    }
    assert by_kind["call"] == {"call": call(0), "source": deferred.source}
    assert by_kind["decision"] == {"again": False, "outcome": deferred}
    assert by_kind["put-off"] == {
        "reason": "timeout",
        "attempt": 1,
        "notBefore": "2026-01-05T08:00:30.000Z",
        "redriven": 0,
        "by": None,
        "why": None,
        "source": deferred.source,
    }
    assert by_kind["dead-letter"] == {
        "reason": "forbidden",
        "message": "give it the scope",
        "stage": "worker",
        "now": "no event",
        "redriven": 0,
        "source": deferred.source,
    }
