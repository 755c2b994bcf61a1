"""Which interactions are asked about, and what of the answer contradicts their outcomes."""

from __future__ import annotations

from typing import Any

import pytest

from streams.core.records import Basis, Decision, Leg, Reason, Source, Verdict
from streams.operator.audit.truth import Claim, choose, claims, contradictions, questions_about
from streams.operator.audit.violation import Kind
from streams.operator.replay.past import Question
from streams.operator.replay.rehearsal import Rehearsed
from tests.unit.operator.audit.history import CODE, TOPICS, History

PATCHED: dict[str, Any] = {
    "decision": Decision.PATCHED,
    "reason": Reason.ELIGIBLE,
    "disposition_code_id": CODE,
}
DUE = Verdict(Decision.WOULD_PATCH, Reason.ELIGIBLE, Basis.API)
CODED = Verdict(Decision.INELIGIBLE, Reason.DISPOSITION_SET, Basis.API)


def centre() -> History:
    history = History()
    for number in range(30):
        history.outcome(history.event(f"call-{number}"))
    history.outcome(history.event(None))
    history.outcome(history.event("../../users/me"))
    history.commit_all()
    return history


def test_the_same_seed_chooses_the_same_and_another_one_others() -> None:
    with centre().take() as evidence:
        one, again, other = (choose(evidence, 10, seed, whole=True) for seed in (1, 1, 2))
    assert one == again
    assert set(one) != set(other)
    assert len(set(one)) == 10


def test_no_more_are_chosen_than_there_are_and_none_that_fits_no_url() -> None:
    with centre().take() as evidence:
        chosen = choose(evidence, 100, 1, whole=True)
    assert sorted(chosen) == sorted(f"call-{number}" for number in range(30))


def test_of_an_interaction_it_counts_that_it_was_patched_else_the_last_that_says_anything() -> None:
    history = History()
    patched, ineligible = history.event("call-1"), history.event("call-2")
    history.outcome(patched, **PATCHED)
    history.outcome(history.event("call-1"), reason=Reason.DISPOSITION_SET)
    history.outcome(ineligible, reason=Reason.NOT_COMPLETED)
    history.outcome(history.event("call-2"), reason=Reason.TOO_SHORT)
    history.outcome(
        history.event("call-2"), decision=Decision.DUPLICATE, reason=Reason.DUPLICATE_SEQUENCE
    )
    with history.take() as evidence:
        made = claims(evidence, ["call-1", "call-2"])
    assert [each.said for each in made["call-1"]] == ["patched eligible"]
    assert [each.said for each in made["call-2"]] == ["ineligible duration-below-threshold"]
    assert made["call-1"][0].source == Source(TOPICS.events, *patched)


def test_each_leg_has_its_own_claim() -> None:
    history = History()
    place = history.event("conversation-1")
    history.leg(place, "agent-1", **PATCHED)
    history.leg(place, "agent-2", reason=Reason.NOT_CONNECTED)
    history.outcome(place, decision=Decision.NOTED, reason=Reason.LOOK_PLANNED)
    with history.take() as evidence:
        made = claims(evidence, ["conversation-1"])
    said = {each.participant_id: each.said for each in made["conversation-1"]}
    assert said == {"agent-1": "patched eligible", "agent-2": "ineligible not-connected"}


def claim(said: str, participant: str | None = None) -> Claim:
    at = Source(TOPICS.outcomes, 0, 7)
    return Claim(Source(TOPICS.events, 0, 3), participant, said, at)


def question() -> Question:
    (made,) = questions_about(["call-1"])
    return made


@pytest.mark.parametrize(
    ("said", "verdict", "contradicted"),
    [
        ("patched eligible", DUE, True),
        ("patched eligible", CODED, False),
        ("ineligible wrap-up-already-set", DUE, True),
        ("ineligible duration-below-threshold", DUE, True),
        # No event has said that it is over.
        ("ineligible interaction-not-completed", DUE, False),
        ("not-found interaction-not-found", DUE, False),
        ("failed forbidden", DUE, False),
        ("conflict concurrent-modification", DUE, False),
        ("would-patch eligible", DUE, False),
    ],
)
def test_a_claim_is_held_against_the_answer(
    said: str, verdict: Verdict, contradicted: bool
) -> None:
    found = list(contradictions([claim(said)], Rehearsed(question(), verdict)))
    assert [each.kind for each in found] == [Kind.UNTRUE] * contradicted
    assert all(each.record == Source(TOPICS.events, 0, 3) for each in found)


def test_a_leg_is_held_against_the_answer_on_itself() -> None:
    legs = ((Leg("agent-1"), CODED), (Leg("agent-2"), DUE))
    noted = Verdict(Decision.NOTED, Reason.LOOK_PLANNED, Basis.API)
    claimed = [claim("patched eligible", name) for name in ("agent-1", "agent-2", "agent-3")]
    (found,) = contradictions(claimed, Rehearsed(question(), noted, legs))
    assert (found.participant_id, found.interaction_id) == ("agent-2", "call-1")
