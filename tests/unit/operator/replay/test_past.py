"""What became of the calls of a stretch of time."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from streams.core.decision import Policy
from streams.core.envelope import parse
from streams.core.records import Basis, Decision, Reason, Source
from streams.operator.replay.past import Past, Question, asks
from streams.wire.outcomes import Outcome, outcome_id
from tests.support.world import COMPLETED, event

TOPIC = "genesys.interaction.events"
RECORD = Source(TOPIC, 3, 41)
QUESTION = Question("i-1", RECORD, 1_767_600_000_000, b"i-1", event())
PUBLISHED = Outcome(
    outcome_id=outcome_id(RECORD),
    final=True,
    interaction_id="i-1",
    sequence_id=1,
    event_id=None,
    decision=Decision.INELIGIBLE,
    reason=Reason.TOO_SHORT,
    basis=Basis.API,
    dry_run=False,
    disposition_code_id=None,
    patch_status=None,
    recovered=False,
    api_calls=1,
    attempts=1,
    duration_ms=20_000,
    event_time="",
    decided_at="",
    latency_ms=0,
    end_to_end_ms=0,
    source=RECORD,
    trace_id=None,
    error=None,
)


def past(*changes: dict[str, Any]) -> Past:
    made = Past([QUESTION])
    for each in changes:
        made.add(msgspec.structs.replace(PUBLISHED, **each))
    return made


@pytest.mark.parametrize(
    ("detail", "policy", "expected"),
    [
        (COMPLETED, Policy(code=None), True),
        ({"state": "completed"}, Policy(code=None), True),
        ({"interactionType": "chat", "state": "completed"}, Policy(code=None), False),
        ({"interactionType": "voice", "state": "connected"}, Policy(code=None), False),
        (
            {"interactionType": "voice", "state": "connected"},
            Policy(code=None, fetch="always"),
            True,
        ),
    ],
)
def test_the_api_is_asked_where_a_worker_would_ask_it(
    detail: dict[str, str], policy: Policy, *, expected: bool
) -> None:
    read = parse(event(**detail))
    assert read is not None
    assert asks(read, 41, policy) is expected


def test_the_latest_final_outcome_of_the_record_counts() -> None:
    deferred = {"decision": Decision.DEFERRED, "reason": Reason.TIMEOUT, "final": False}
    failed = {"decision": Decision.FAILED, "reason": Reason.FORBIDDEN}

    assert past().latest(QUESTION) is None
    assert past(deferred).latest(QUESTION) is None
    latest = past(deferred, {}, failed).latest(QUESTION)
    assert latest is not None
    assert (latest.decision, latest.reason) == (Decision.FAILED, Reason.FORBIDDEN)


def test_a_code_counts_whichever_record_of_the_interaction_brought_it() -> None:
    other = Source(TOPIC, 3, 77)
    patched = {"decision": Decision.PATCHED, "reason": Reason.ELIGIBLE}

    assert past({**patched, "source": other}).coded == {"i-1"}
    assert past({**patched, "interaction_id": "i-2"}).coded == set()
    assert past({"decision": Decision.WOULD_PATCH, "reason": Reason.ELIGIBLE}).coded == set()


def test_other_records_of_the_interaction_are_not_its_answer() -> None:
    assert past({"source": Source(TOPIC, 3, 42)}).latest(QUESTION) is None


def test_each_redrive_has_a_number_of_its_own() -> None:
    assert past({}).next_time(QUESTION) == 1
    again = {"outcome_id": outcome_id(RECORD, redriven=1)}
    assert past({}, again).next_time(QUESTION) == 2
    assert past({}, again, again).next_time(QUESTION) == 2
