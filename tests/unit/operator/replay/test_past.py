"""What became of the calls of a stretch of time."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from streams.core.conversations.record import ConversationRecord, Told
from streams.core.decision import Policy
from streams.core.envelope import parse
from streams.core.records import Decision, Leg, Reason, Source
from streams.operator.replay.past import Past, Question, asks
from streams.wire.leg_ids import leg_outcome_id
from streams.wire.outcomes import outcome_id
from tests.support.world import COMPLETED, event
from tests.unit.operator.replay.outcomes import outcome

TOPIC = "genesys.interaction.events"
RECORD = Source(TOPIC, 3, 41)
QUESTION = Question("i-1", RECORD, 1_767_600_000_000, b"i-1", event())
PUBLISHED = outcome(RECORD)


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

    assert past({**patched, "source": other}).has_code(QUESTION)
    assert not past({**patched, "interaction_id": "i-2"}).has_code(QUESTION)
    rehearsed = {"decision": Decision.WOULD_PATCH, "reason": Reason.ELIGIBLE}
    assert not past(rehearsed).has_code(QUESTION)


def test_other_records_of_the_interaction_are_not_its_answer() -> None:
    assert past({"source": Source(TOPIC, 3, 42)}).latest(QUESTION) is None


def test_each_redrive_has_a_number_of_its_own() -> None:
    assert past({}).next_time(QUESTION) == 1
    again = {"outcome_id": outcome_id(RECORD, redriven=1)}
    assert past({}, again).next_time(QUESTION) == 2
    assert past({}, again, again).next_time(QUESTION) == 2


def test_a_redrive_in_a_log_that_was_cut_has_a_number_of_its_own_too() -> None:
    """Its id has the life of the log in it. A second replay would find it redriven, and undecided,
    for as long as its copy is kept."""

    def in_life(redriven: int = 0) -> dict[str, Any]:
        return {"outcome_id": outcome_id(RECORD, redriven=redriven, life="topic@17676")}

    assert past(in_life()).next_time(QUESTION) == 1
    assert past(in_life(), in_life(1)).next_time(QUESTION) == 2
    assert past(in_life(), in_life(1), in_life(1), in_life(2)).next_time(QUESTION) == 3

    before: tuple[dict[str, Any], ...] = ({}, {"outcome_id": outcome_id(RECORD, redriven=1)})
    assert past(*before, in_life()).next_time(QUESTION) == 2
    assert past(*before, in_life(), in_life(2)).next_time(QUESTION) == 3


class TestLegs:
    ANN, BEN = Leg("ann"), Leg("ben")
    CONVERSATION = Question(
        "i-1",
        RECORD,
        1_767_600_000_000,
        b"i-1",
        b"",
        ConversationRecord(
            "i-1",
            told=(
                Told("customer", ended=True),
                Told("ann", ANN, talked_ms=60_000),
                Told("ben", BEN, talked_ms=60_000),
                Told("cho", Leg("cho"), talked_ms=0),
            ),
        ),
    )

    def past(self, *decided: tuple[Leg, Decision, int]) -> Past:
        made = Past([self.CONVERSATION])
        for leg, decision, redriven in decided:
            made.add(
                msgspec.structs.replace(
                    PUBLISHED,
                    outcome_id=leg_outcome_id("i-1", leg.participant_id, redriven=redriven),
                    decision=decision,
                    leg=leg,
                )
            )
        return made

    def test_a_conversation_has_its_code_once_each_that_talked_has(self) -> None:
        ann, ben = (self.ANN, Decision.PATCHED, 0), (self.BEN, Decision.PATCHED, 0)
        assert not self.past().has_code(self.CONVERSATION)
        assert not self.past(ann).has_code(self.CONVERSATION)
        assert not self.past(ann, (self.BEN, Decision.INELIGIBLE, 0)).has_code(self.CONVERSATION)
        assert self.past(ann, ben).has_code(self.CONVERSATION)

    def test_the_latest_outcome_of_each_leg_is_its_own(self) -> None:
        past = self.past((self.ANN, Decision.FAILED, 0), (self.ANN, Decision.PATCHED, 1))
        latest = past.latest(self.CONVERSATION, self.ANN)
        assert latest is not None
        assert latest.decision is Decision.PATCHED
        assert past.latest(self.CONVERSATION, self.BEN) is None
        assert past.latest(self.CONVERSATION) is None, "that of a leg is none of the record"

    def test_no_redrive_has_the_number_of_a_leg_that_was_redriven(self) -> None:
        assert self.past((self.ANN, Decision.FAILED, 0)).next_time(self.CONVERSATION) == 1
        assert self.past((self.ANN, Decision.FAILED, 1)).next_time(self.CONVERSATION) == 2
