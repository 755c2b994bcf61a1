"""A conversation is explained: its events, its looks, its legs, and how it stands."""

from __future__ import annotations

from typing import Any

import pytest

from streams.core.conversations.events import EventName
from streams.core.records import Basis, Decision, Leg, Reason, Verdict
from streams.operator.explain.conclusion import conclude
from streams.operator.explain.fields import LegsAnswer, fields
from streams.operator.explain.found import Found
from streams.operator.explain.history import history
from streams.operator.explain.state import State
from streams.operator.explain.telling import Telling, tell, tell_answer
from tests.unit.operator.explain.conversation_records import (
    ANN,
    BOB,
    answered,
    decided,
    look,
    told,
)
from tests.unit.operator.explain.records import FAULT, NOON, call, found

THRESHOLD_MS = 30_000
NEXT = "2026-01-05T08:00:30.000Z"

GET, PATCH, SEEN = call(2_000), call(2_100, 202), call(4_000)

EVENTS = (
    told(0, talked_ms=100_000),
    told(1, EventName.ACW, ms=300, wrapup_code="ININ-WRAP-UP-TIMEOUT"),
)
JOINED = answered(0, 1, Reason.LOOK_JOINED, ms=310, basis=Basis.CACHE)
LOOKS = (look(0, 0, ms=20, due=2_000), look(1, 0, ms=2_150, due=4_000, attempt=2))
NOTED = answered(1, 0, Reason.LOOK_PLANNED, ms=2_120, calls=(GET, PATCH))
CODED = decided(
    2,
    0,
    ANN,
    Decision.PATCHED,
    Reason.ELIGIBLE,
    ms=4_050,
    disposition_code_id="code-1",
    patch_status=202,
    calls=(PATCH, SEEN),
)
SHORT = decided(
    3, 0, BOB, Decision.INELIGIBLE, Reason.TOO_SHORT, ms=4_050, duration_ms=12_000, calls=(SEEN,)
)
FAILED = decided(4, 0, BOB, Decision.FAILED, Reason.FORBIDDEN, ms=4_050, error=FAULT)
DEFERRED = decided(
    4, 0, BOB, Decision.DEFERRED, Reason.SERVER_ERROR, ms=4_050, error=FAULT, next_at=NEXT
)
UNSEEN = decided(
    4, 0, BOB, Decision.UNCONFIRMED, Reason.NOT_VISIBLE, ms=4_050, disposition_code_id="code-1"
)
WHOLE = (*EVENTS, JOINED, *LOOKS, NOTED, CODED)


def lines(of: Found) -> list[Telling]:
    return [tell(each, THRESHOLD_MS) for each in history(of)]


def test_events_looks_requests_and_legs_are_told_in_their_order() -> None:
    history = lines(found(*WHOLE))
    assert [each.kind for each in history] == [
        *("event", "look", "event", "decision"),
        *("call", "call", "decision", "look"),
        *("call", "decision"),
    ]
    said = [each.what for each in history]
    assert said[0] == "user.end, participant leg-of-ann, voice, talked 1 min 40 s: new"
    assert said[1] == (
        "a look at the conversation is planned for 2026-01-05T08:00:02.000Z; its record waits for "
        "it"
    )
    assert said[2] == "acw, participant leg-of-ann, voice, code ININ-WRAP-UP-TIMEOUT: new"
    assert said[-1] == "leg leg-of-ann: it got the code code-1 (PATCH 202)"
    assert (
        history[-1]
        .more[0]
        .startswith(
            "user user-ann, queue queue-1, voice, by shop.events/3/0, record shop.outcomes/1/2"
        )
    )


def test_an_event_says_when_it_was_at_the_worker_if_that_is_known() -> None:
    planned, joined = (each for each in lines(found(*WHOLE)) if each.kind == "event")
    assert planned.more[0] == (
        "happened 2026-01-05T07:59:59.900Z, at the bridge 95 ms later, in Kafka 5 ms later"
    ), "a look says when its copy came back, and not when the event was taken up"
    assert "at the worker" in joined.more[0]


@pytest.mark.parametrize("same", ["id", "content"])
def test_an_event_that_came_before_is_a_duplicate_of_its_record(same: str) -> None:
    again = told(1, ms=50, event_id="event-0" if same == "id" else "other", event_time=NOON - 100)
    last = history(found(told(0), again))[-1]
    assert tell(last, THRESHOLD_MS).what.endswith(": a duplicate of 3/0")
    assert fields(last)["standing"] == "duplicate"


def test_the_fields_of_an_event() -> None:
    first, *_ = history(found(told(0, talked_ms=100_000)))
    assert fields(first) == {
        "eventId": "event-0",
        "eventTime": "2026-01-05T07:59:59.900Z",
        "receivedAt": "2026-01-05T07:59:59.995Z",
        "storedAt": "2026-01-05T08:00:00.000Z",
        "takenUpAt": None,
        "name": "user.end",
        "participantId": "leg-of-ann",
        "medium": "voice",
        "wrapUpCode": None,
        "talkedMs": 100_000,
        "standing": "new",
        "repeats": None,
    }


CASES = [
    pytest.param(WHOLE, State.CODED, "its one leg: it got the code code-1 (PATCH 202)", id="coded"),
    pytest.param((*WHOLE, SHORT), State.CODED, "2 legs: 1 coded, 1 no-code", id="two legs"),
    pytest.param((*WHOLE, FAILED), State.FAILED, "2 legs: 1 failed, 1 coded", id="one failed"),
    pytest.param((*WHOLE, DEFERRED), State.WAITS, "2 legs: 1 waits, 1 coded", id="one waits"),
    pytest.param((*WHOLE, UNSEEN), State.UNCONFIRMED, "1 unconfirmed, 1 coded", id="one unseen"),
    pytest.param(
        (*EVENTS, JOINED, LOOKS[0]),
        State.WAITS,
        "a look at the conversation was planned for 2026-01-05T08:00:02.000Z",
        id="the first look is to come",
    ),
    pytest.param(
        (*EVENTS, JOINED, *LOOKS, NOTED),
        State.WAITS,
        "a look at the conversation was planned for 2026-01-05T08:00:04.000Z",
        id="another look is to come",
    ),
    pytest.param(
        (
            *EVENTS,
            LOOKS[0],
            JOINED,
            answered(1, 0, Reason.LOOK_PLANNED, ms=330, basis=Basis.EVENT),
            decided(2, 1, ANN, Decision.INELIGIBLE, Reason.WRAP_UP_SET, ms=330),
        ),
        State.NO_CODE,
        "its one leg: no code: Genesys Cloud says that it has a wrap-up code",
        id="an event made the look needless",
    ),
    pytest.param(
        (*EVENTS, JOINED, LOOKS[0], NOTED),
        State.UNDECIDED,
        "when it was last looked at the conversation went on",
        id="it goes on",
    ),
    pytest.param(EVENTS, State.UNDECIDED, "3/0, and 1 more has no outcome yet", id="no worker"),
    pytest.param(
        (
            told(0),
            answered(0, 0, Reason.NO_AGENT_LEG, Decision.INELIGIBLE, ms=2_120),
            told(1, ms=9_000),
            answered(
                1, 1, Reason.EVENT_NOT_NEEDED, Decision.INELIGIBLE, ms=9_010, basis=Basis.CACHE
            ),
        ),
        State.NO_CODE,
        "no code: the conversation is over and had no agent",
        id="nobody to code",
    ),
    pytest.param(
        (
            told(0, medium="message"),
            answered(0, 0, Reason.EVENT_NOT_NEEDED, Decision.INELIGIBLE, ms=10, basis=Basis.EVENT),
        ),
        State.NO_CODE,
        "no look was needed for this event",
        id="not needed",
    ),
]


@pytest.mark.parametrize(("records", "state", "part"), CASES)
def test_how_it_stands(records: tuple[Any, ...], state: State, part: str) -> None:
    conclusion = conclude(found(*records), THRESHOLD_MS)

    assert conclusion.state is state
    assert part in conclusion.what


def test_each_leg_stands_as_it_was_decided_last_and_keeps_our_code() -> None:
    redriven = decided(
        5, 0, BOB, Decision.INELIGIBLE, Reason.TOO_SHORT, ms=9_000, redriven=1, duration_ms=12_000
    )
    replayed = decided(6, 0, ANN, Decision.INELIGIBLE, Reason.WRAP_UP_SET, ms=9_000, redriven=1)
    legs = conclude(found(*WHOLE, FAILED, redriven, replayed), THRESHOLD_MS).legs
    assert [(each.leg, each.state) for each in legs] == [(ANN, State.CODED), (BOB, State.NO_CODE)]
    assert legs[1].what == "no code: it lasted 12 s; 30 s would have done (DURATION_THRESHOLD_MS)"


def on(decision: Decision, reason: Reason) -> Verdict:
    return Verdict(decision, reason, Basis.API, dry_run=True, duration_ms=12_000)


ANSWERS = [
    (
        on(Decision.NOTED, Reason.LOOK_PLANNED),
        [
            (ANN, on(Decision.WOULD_PATCH, Reason.ELIGIBLE)),
            (BOB, on(Decision.NOTED, Reason.LOOK_PLANNED)),
        ],
        "Genesys Cloud says that it is over, with 2 legs of agents",
        [
            "leg leg-of-ann: today it would get the code",
            "leg leg-of-bob: its agent has time left, so it would be looked at again",
        ],
    ),
    (
        on(Decision.NOTED, Reason.LOOK_PLANNED),
        [(ANN, on(Decision.INELIGIBLE, Reason.CAMPAIGN))],
        "Genesys Cloud says that it is over, with one leg of an agent",
        ["leg leg-of-ann: today it would get no code (campaign)"],
    ),
    (
        on(Decision.NOTED, Reason.LOOK_PLANNED),
        [],
        "Genesys Cloud says that it goes on; nothing is decided before it is over",
        [],
    ),
    (
        on(Decision.INELIGIBLE, Reason.NO_AGENT_LEG),
        [],
        "today it would get no code (no-agent-leg)",
        [],
    ),
]


@pytest.mark.parametrize(("verdict", "legs", "said", "more"), ANSWERS)
def test_what_the_api_says_of_it_now(
    verdict: Verdict, legs: list[tuple[Leg, Verdict]], said: str, more: list[str]
) -> None:
    answer = LegsAnswer(NOON / 1000, verdict, legs)
    now = tell_answer(answer, THRESHOLD_MS)
    assert (now.kind, now.at, now.what, list(now.more)) == ("now", NOON, said, more)
    assert answer.fields()["legs"] == [
        {
            "leg": leg,
            "decision": each.decision,
            "reason": each.reason,
            "durationMs": each.duration_ms,
        }
        for leg, each in legs
    ]
