"""Every decision is a plain sentence that says what would have had to be different."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.envelope import InteractionEvent
from streams.core.records import Basis, Decision, Fault, Leg, Reason, Verdict
from streams.operator.explain.verdicts import sentence, would
from tests.unit.operator.explain.records import FAULT, ID, outcome

THRESHOLD_MS = 30_000
EVENT = InteractionEvent(ID, 1, 1, "chat", "connected", None, None)

API: dict[str, Any] = {"basis": Basis.API}
CACHE: dict[str, Any] = {"basis": Basis.CACHE}
LEG: dict[str, Any] = API | {"leg": Leg("participant-1", medium="message")}
NEXT = "2026-01-05T08:00:30.000Z"

SENTENCES: list[tuple[Decision, Reason, dict[str, Any], str]] = [
    (
        Decision.PATCHED,
        Reason.ELIGIBLE,
        API | {"disposition_code_id": "code-1", "patch_status": 200},
        "it got the code code-1 (PATCH 200)",
    ),
    (
        Decision.PATCHED,
        Reason.ELIGIBLE,
        API | {"disposition_code_id": "code-1", "recovered": True},
        "a look at the interaction showed that it had been done",
    ),
    (
        Decision.WOULD_PATCH,
        Reason.ELIGIBLE,
        API | {"disposition_code_id": "code-1"},
        "it would get the code code-1; DRY_RUN=false would have set it",
    ),
    (
        Decision.INELIGIBLE,
        Reason.NON_VOICE,
        {},
        "no code: the event says that it is chat, not voice; a voice interaction would have been",
    ),
    (
        Decision.INELIGIBLE,
        Reason.NON_VOICE,
        API,
        "no code: Genesys Cloud says that it is not voice; a voice",
    ),
    (
        Decision.INELIGIBLE,
        Reason.NOT_COMPLETED,
        {},
        "no code: the event says that it is connected, not completed; once it is completed",
    ),
    (
        Decision.INELIGIBLE,
        Reason.NOT_COMPLETED,
        API,
        "Genesys Cloud says that it is not completed; once it is completed",
    ),
    (
        Decision.INELIGIBLE,
        Reason.DISPOSITION_SET,
        CACHE,
        "an earlier event or answer said that it has one already; without one",
    ),
    (Decision.INELIGIBLE, Reason.WRAP_UP_SET, API, "that it has a wrap-up code; without one"),
    (
        Decision.INELIGIBLE,
        Reason.TOO_SHORT,
        API | {"duration_ms": 12_000},
        "no code: it lasted 12 s; 30 s would have done (DURATION_THRESHOLD_MS)",
    ),
    (
        Decision.INELIGIBLE,
        Reason.TOO_SHORT,
        API | {"duration_ms": 0},
        "gave no start and end from which its length could be told; 30 s would have done",
    ),
    (
        Decision.INELIGIBLE,
        Reason.TOO_SHORT,
        API | {"duration_ms": 60_000},
        "it lasted 1 min, and the worker's DURATION_THRESHOLD_MS was above that; the 30 s that",
    ),
    (Decision.DUPLICATE, Reason.DUPLICATE_SEQUENCE, CACHE, "sequence 1 had been decided before"),
    (Decision.STALE, Reason.STALE_SEQUENCE, CACHE, "a sequence above 1 had been decided before"),
    (
        Decision.CONFLICT,
        Reason.CONCURRENT_MODIFICATION,
        API | {"patch_status": 412, "error": FAULT},
        "between our GET and our PATCH (412); without that change it would have got the code",
    ),
    (Decision.NOT_FOUND, Reason.NOT_FOUND, API | {"error": FAULT}, "does not know the interaction"),
    *(
        (Decision.DEFERRED, reason, API | {"error": FAULT, "next_at": NEXT}, f"next try {NEXT}")
        for reason in (
            Reason.SERVER_ERROR,
            Reason.RATE_LIMITED,
            Reason.TIMEOUT,
            Reason.CIRCUIT_OPEN,
            Reason.UNAUTHORIZED,
            Reason.NOT_YET_VISIBLE,
            Reason.INTERNAL_ERROR,
        )
    ),
    *(
        (Decision.FAILED, reason, API | {"error": FAULT}, f": {FAULT.message}")
        for reason in (
            Reason.FORBIDDEN,
            Reason.UNAUTHORIZED,
            Reason.BAD_REQUEST,
            Reason.RETRIES_EXHAUSTED,
            Reason.MALFORMED,
            Reason.INTERNAL_ERROR,
        )
    ),
    (Decision.FAILED, Reason.SKIPPED, {"error": FAULT}, "named in SKIP_RECORDS, so it was not"),
    (Decision.NOTED, Reason.LOOK_PLANNED, {}, "a look at the conversation was planned for it"),
    (Decision.NOTED, Reason.LOOK_JOINED, CACHE, "was planned already, and serves this event too"),
    (Decision.DUPLICATE, Reason.DUPLICATE_EVENT, CACHE, "the same event had come before"),
    (Decision.INELIGIBLE, Reason.NO_AGENT_LEG, API, "no code: the conversation is over and had no"),
    (Decision.INELIGIBLE, Reason.EVENT_NOT_NEEDED, {}, "no look was needed for this event"),
    (
        Decision.PATCHED,
        Reason.ELIGIBLE,
        LEG | {"disposition_code_id": "code-1", "patch_status": 202},
        "it got the code code-1 (PATCH 202)",
    ),
    (Decision.INELIGIBLE, Reason.NOT_CONNECTED, LEG, "connected for 30 s would have been set"),
    (Decision.INELIGIBLE, Reason.NON_VOICE, LEG, "its medium, message, is not asked for; with it"),
    (
        Decision.INELIGIBLE,
        Reason.WRAP_UP_SET,
        LEG,
        "Genesys Cloud says that it has a wrap-up code; without one, or with one of WRAP_UP_NONE",
    ),
    (
        Decision.INELIGIBLE,
        Reason.WRAP_UP_SET,
        LEG | {"basis": Basis.EVENT},
        "an event says that it has a wrap-up code",
    ),
    (Decision.INELIGIBLE, Reason.WRAP_UP_NOT_REQUIRED, LEG, "in a queue that requires one it"),
    (Decision.INELIGIBLE, Reason.CAMPAIGN, LEG, "with WRAP_UP_CAMPAIGNS=set it would have been"),
    (Decision.INELIGIBLE, Reason.NOT_THE_LAST_LEG, LEG, "with WRAP_UP_LEGS=all this one would"),
    (
        Decision.REFUSED,
        Reason.WRAP_UP_CLOSED,
        LEG | {"error": FAULT, "patch_status": 400},
        f"takes none for this leg any more: {FAULT.message}; sent sooner it might have been taken",
    ),
    (
        Decision.UNCONFIRMED,
        Reason.NOT_VISIBLE,
        LEG | {"disposition_code_id": "code-1", "patch_status": 202},
        "accepted the code code-1 (202), and did not show it within WRAP_UP_VERIFY_SECONDS",
    ),
]


@pytest.mark.parametrize(("decision", "reason", "changes", "part"), SENTENCES)
def test_what_was_decided_and_what_else_would_have_done(
    decision: Decision, reason: Reason, changes: dict[str, Any], part: str
) -> None:
    said = sentence(outcome(0, decision, reason, **changes), EVENT, THRESHOLD_MS)

    assert part in said
    assert said.isprintable()


def test_every_reason_has_its_sentence() -> None:
    assert {reason for _, reason, _, _ in SENTENCES} == set(Reason)
    said = [
        sentence(outcome(0, decision, reason, **changes), EVENT, THRESHOLD_MS)
        for decision, reason, changes, _ in SENTENCES
    ]
    assert len(set(said)) == len(said)


@given(
    st.sampled_from(Decision),
    st.sampled_from(Reason),
    st.sampled_from(Basis),
    st.none() | st.integers(0, 10**15),
    st.none() | st.builds(Fault, code=st.text(max_size=5), message=st.text(max_size=50)),
)
def test_any_outcome_has_one(
    decision: Decision,
    reason: Reason,
    basis: Basis,
    duration_ms: int | None,
    error: Fault | None,
) -> None:
    """Another release may pair decisions and reasons otherwise."""
    for leg in (None, Leg("participant-1")):
        of = outcome(
            0, decision, reason, basis=basis, duration_ms=duration_ms, error=error, leg=leg
        )
        for event in (EVENT, None):
            assert len(sentence(of, event, THRESHOLD_MS)) > 10


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        (Verdict(Decision.WOULD_PATCH, Reason.ELIGIBLE, Basis.API), "today it would get the code"),
        (
            Verdict(Decision.INELIGIBLE, Reason.TOO_SHORT, Basis.API, duration_ms=12_000),
            "today it would get no code: it lasted 12 s, and 30 s would have done "
            "(DURATION_THRESHOLD_MS)",
        ),
        (
            Verdict(Decision.INELIGIBLE, Reason.WRAP_UP_SET, Basis.API),
            "today it would get no code (wrap-up-already-set)",
        ),
        (
            Verdict(Decision.FAILED, Reason.FORBIDDEN, Basis.API, error=FAULT),
            f"what it says now is not known (forbidden): {FAULT.message}",
        ),
    ],
)
def test_what_todays_settings_make_of_it(verdict: Verdict, said: str) -> None:
    assert would(verdict, THRESHOLD_MS) == said
