"""Each kind of violation by itself, and what looks like one and is none."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from streams.core.records import Decision, PutOff, Reason, Source
from streams.operator.audit.violation import Kind
from streams.wire.leg_ids import leg_outcome_id
from streams.wire.outcomes import outcome_id
from streams.wire.retries import Returned
from tests.unit.operator.audit.history import (
    CODE,
    TOPICS,
    Copy,
    History,
    Letter,
    audited,
    counted,
    found,
)

PATCHED: dict[str, Any] = {
    "decision": Decision.PATCHED,
    "reason": Reason.ELIGIBLE,
    "disposition_code_id": CODE,
}


def three() -> History:
    """Three records of one interaction, each with its outcome, all committed."""
    history = History()
    for _ in range(3):
        history.outcome(history.event("call-1"))
    history.commit_all()
    return history


def test_what_was_decided_and_committed_is_clean() -> None:
    history = three()
    assert audited(history) == []
    assert counted(history) | {"records": 3, "decided": 3, "open": 0} == counted(history)


def test_a_record_that_others_were_decided_behind_is_lost() -> None:
    history = three()
    del history.outcomes[0][1]
    (violation,) = audited(history)
    assert violation.kind is Kind.LOST
    assert violation.record == Source(TOPICS.events, 0, 1)
    assert violation.interaction_id == "call-1"
    assert violation.expected == "one final outcome"
    assert "committed 3" in violation.found


def test_an_offset_committed_past_records_that_nobody_worked_on_names_the_first() -> None:
    history = three()
    history.event("call-2")
    history.event("call-3")
    history.committed = {0: 5}
    (violation,) = audited(history)
    assert violation.kind is Kind.COMMITTED_PAST
    assert violation.record == Source(TOPICS.events, 0, 3)
    assert violation.expected == "at most offset 3 committed"
    assert violation.found == "5 committed, and 2 records before it are open"


def test_an_offset_committed_past_the_end_is_none_that_a_worker_commits() -> None:
    history = three()
    history.committed = {0: 9}
    assert found(history) == [("committed-past-open", TOPICS.events, 0, 9)]


def test_what_is_not_committed_is_open_and_not_lost() -> None:
    history = three()
    history.event("call-2")
    del history.outcomes[0][1]
    history.committed = {0: 1}
    assert audited(history) == []
    assert counted(history)["open"] == 2


def test_without_a_committed_offset_nothing_is_known_to_be_lost() -> None:
    history = three()
    del history.outcomes[0][1]
    history.committed = {}
    assert audited(history) == []
    assert counted(history)["open"] == 1


def test_what_waits_in_retries_is_not_lost() -> None:
    history = three()
    history.put_off(history.event("call-2"))
    history.commit_all()
    history.committed_returns = {0: 0}
    assert audited(history) == []
    assert counted(history)["waiting"] == 1


def test_a_copy_that_was_passed_and_neither_decided_nor_put_off_again_is_named() -> None:
    history = three()
    place = history.event("call-2")
    history.put_off(place)
    history.put_off(place, attempt=2)
    history.commit_all()
    (violation,) = audited(history)
    assert violation.kind is Kind.COMMITTED_PAST
    assert violation.record == Source(TOPICS.retries, 0, 1)
    assert violation.interaction_id == "call-2"
    history.outcome(place)
    assert audited(history) == []


def test_a_record_that_the_topics_are_too_young_for_is_not_judged() -> None:
    history = three()
    del history.outcomes[0][1]
    history.unjudged = {(0, 1)}
    assert audited(history) == []
    assert counted(history)["olderThanKept"] == 1


def test_records_deleted_before_they_were_decided_are_lost() -> None:
    history = three()
    history.begins, history.committed = {0: 2}, {0: 0}
    history.outcomes[0] = history.outcomes[0][1:]
    (violation,) = audited(history)
    assert (violation.kind, violation.record.offset) == (Kind.LOST, 0)
    assert "deleted 1 records up to offset 2" in violation.found


def test_records_deleted_after_they_were_decided_are_gone_and_no_more() -> None:
    history = three()
    history.begins = {0: 2}
    assert audited(history) == []


def test_the_same_outcome_twice_is_counted_and_no_violation() -> None:
    history = three()
    history.publish(0, history.outcomes[0][1])
    assert audited(history) == []
    assert counted(history)["publishedAgain"] == 1


@pytest.mark.parametrize(
    "other",
    [PATCHED, {"reason": Reason.NON_VOICE}, {"basis": "api"}, {"disposition_code_id": "code-8"}],
)
def test_two_decisions_under_one_id_are_named_with_both(other: dict[str, Any]) -> None:
    history = three()
    changed = msgspec.structs.replace(history.outcomes[0][1], **other)
    history.publish(0, changed)
    (violation,) = audited(history)
    assert violation.kind is Kind.TWO_DECISIONS
    assert violation.record == Source(TOPICS.events, 0, 1)
    assert f"{TOPICS.outcomes}/0/1" in violation.expected
    assert f"{TOPICS.outcomes}/0/3" in violation.found


def test_an_id_that_is_not_the_records_is_named() -> None:
    history = three()
    history.outcome((0, 1), outcome_id=outcome_id(Source(TOPICS.events, 0, 2)))
    assert found(history) == [("foreign-id", TOPICS.events, 0, 1)]


def test_a_second_id_needs_a_redrive() -> None:
    history = three()
    history.outcome((0, 1), redriven=1, **PATCHED)
    assert found(history) == [("foreign-id", TOPICS.events, 0, 1)]
    history.copy((0, 1), attempt=0, redriven=1)
    history.commit_all()
    assert audited(history) == []
    assert counted(history)["redriven"] == 1


def test_a_redrive_that_was_passed_without_an_outcome_of_its_own_is_named() -> None:
    history = three()
    history.copy((0, 1), attempt=0, redriven=1)
    history.commit_all()
    (violation,) = audited(history)
    assert (violation.kind, violation.record.topic) == (Kind.COMMITTED_PAST, TOPICS.retries)
    assert "redriven for the 1. time" in violation.expected


@pytest.mark.parametrize("source", [Source(TOPICS.events, 0, 3), Source(TOPICS.events, 7, 0)])
def test_an_outcome_of_no_record_is_named_by_its_own_place(source: Source) -> None:
    history = three()
    outcome = msgspec.structs.replace(
        history.outcomes[0][0], source=source, outcome_id=outcome_id(source)
    )
    history.publish(0, outcome)
    assert found(history) == [("outcome-of-nothing", TOPICS.outcomes, 0, 3)]


@pytest.mark.parametrize(
    "source", [Source("other.events", 0, 0), Source(TOPICS.events, -1, 0), Source("e", 0, 2**70)]
)
def test_an_outcome_of_no_topic_of_ours_is_named(source: Source) -> None:
    history = three()
    history.publish(0, msgspec.structs.replace(history.outcomes[0][0], source=source))
    assert found(history) == [("outcome-of-nothing", TOPICS.outcomes, 0, 3)]


def test_of_a_stretch_of_time_a_record_that_was_left_out_is_not_missed() -> None:
    history = three()
    history.begins, history.whole = {0: 1}, False
    assert audited(history) == []


def test_an_outcome_behind_that_of_a_later_record_is_out_of_order() -> None:
    history = three()
    history.outcomes[0] = [history.outcomes[0][each] for each in (0, 2, 1)]
    (violation,) = audited(history)
    assert violation.kind is Kind.OUT_OF_ORDER
    assert violation.record == Source(TOPICS.events, 0, 1)
    assert f"before {TOPICS.outcomes}/0/1" in violation.expected
    assert f"{TOPICS.outcomes}/0/2" in violation.found


def test_interactions_have_no_order_among_them() -> None:
    history = History()
    for id_ in ("call-1", "call-2"):
        history.event(id_)
    history.outcome((0, 1))
    history.outcome((0, 0))
    history.commit_all()
    assert audited(history) == []


def test_what_was_put_off_comes_when_its_time_has_come() -> None:
    history = History()
    first, second = history.event("call-1"), history.event("call-1")
    history.put_off(first)
    history.outcome(second)
    history.outcome(first)
    history.commit_all()
    assert audited(history) == []


def test_a_failed_record_needs_its_dead_letter() -> None:
    history = three()
    history.failed(history.event("call-2"))
    history.commit_all()
    assert audited(history) == []
    history.letters.clear()
    assert found(history) == [("no-dead-letter", TOPICS.events, 0, 3)]


def test_each_redrive_that_fails_needs_a_dead_letter_of_its_own() -> None:
    history = three()
    place = history.event("call-2")
    history.failed(place)
    history.copy(place, attempt=0, redriven=1)
    history.failed(place, redriven=1)
    history.commit_all()
    assert audited(history) == []
    del history.letters[1]
    assert found(history) == [("no-dead-letter", TOPICS.events, 0, 3)]


@pytest.mark.parametrize("part", ["key", "value"])
def test_a_dead_letter_with_other_bytes_is_named(part: str) -> None:
    history = three()
    history.failed(history.event("call-2"))
    history.failed(history.event("call-3"))
    history.commit_all()
    setattr(history.letters[1], part, b"other")
    (violation,) = audited(history)
    assert violation.kind is Kind.LETTER_CHANGED
    assert violation.record == Source(TOPICS.dead_letters, 0, 1)
    assert f"{TOPICS.events}/0/4" in violation.expected


def test_a_dead_letter_that_has_the_place_alone_is_whole() -> None:
    history = three()
    history.failed(history.event("call-2"))
    history.commit_all()
    history.letters[0].key = history.letters[0].value = None
    assert audited(history) == []


def test_a_dead_letter_of_the_bridges_is_of_no_record() -> None:
    history = three()
    history.letters.append(Letter(b"call-1", b"<event/>", None))
    assert audited(history) == []
    assert counted(history)["deadLetters"] == 0


@pytest.mark.parametrize(
    "returned", [None, Returned(Source("x", 0, 0), PutOff(1, 0)), "of another partition"]
)
def test_a_stray_record_of_retries_needs_its_dead_letter(returned: object) -> None:
    history = three()
    if returned == "of another partition":
        returned = Returned(Source(TOPICS.events, 1, 0), PutOff(1, 0))
    assert returned is None or isinstance(returned, Returned)
    history.returns[0] = [Copy(b"k", b"v", returned)]
    history.committed_returns = {0: 0}
    assert audited(history) == []
    history.commit_all()
    assert found(history) == [("no-dead-letter", TOPICS.retries, 0, 0)]
    history.letters.append(Letter(b"k", b"v", Source(TOPICS.retries, 0, 0)))
    assert audited(history) == []
    history.letters[0].value = b"other"
    assert found(history) == [("dead-letter-changed", TOPICS.dead_letters, 0, 0)]


def test_outcomes_of_an_earlier_life_of_the_log_are_not_judged() -> None:
    """Another record may have lain at the same offset."""
    history = History(cut={0: "A" * 22 + "@1767600000000"})
    place = history.event("call-1")
    history.outcome(place)
    history.outcome(place, **PATCHED)
    history.commit_all()
    assert audited(history) == []
    assert counted(history)["ofEarlierLife"] == 1
    history.outcome(place, life=history.cut[0])
    history.outcome(place, life=history.cut[0], **PATCHED)
    assert found(history) == [("two-decisions", TOPICS.events, 0, 0)]


class TestLegs:
    def conversation(self) -> History:
        """A record that planned a look, which decided two legs."""
        history = History()
        place = history.event("conversation-1")
        history.copy(place)
        history.leg(place, "agent-1", **PATCHED)
        history.leg(place, "agent-2")
        history.outcome(place, decision=Decision.NOTED, reason=Reason.LOOK_PLANNED)
        history.commit_all()
        return history

    def test_a_look_that_decided_its_legs_is_clean(self) -> None:
        history = self.conversation()
        assert audited(history) == []
        assert counted(history)["legs"] == 2

    def test_a_leg_decided_twice_is_named_with_its_participant(self) -> None:
        history = self.conversation()
        history.leg((0, 0), "agent-2", **PATCHED)
        (violation,) = audited(history)
        assert violation.kind is Kind.TWO_DECISIONS
        assert violation.participant_id == "agent-2"
        assert violation.interaction_id == "conversation-1"

    def test_a_legs_second_id_needs_a_redrive(self) -> None:
        history = self.conversation()
        history.leg((0, 0), "agent-2", redriven=1)
        assert found(history) == [("foreign-id", TOPICS.events, 0, 0)]
        history.copy((0, 0), attempt=0, redriven=1)
        history.outcome((0, 0), redriven=1, decision=Decision.NOTED, reason=Reason.LOOK_PLANNED)
        history.commit_all()
        assert audited(history) == []

    def test_a_leg_that_failed_needs_a_dead_letter(self) -> None:
        history = self.conversation()
        history.leg((0, 0), "agent-3", decision=Decision.FAILED, reason=Reason.FORBIDDEN)
        (violation,) = audited(history)
        assert (violation.kind, violation.participant_id) == (Kind.NO_LETTER, "agent-3")
        history.letter((0, 0))
        assert audited(history) == []

    def test_a_leg_that_was_put_off_and_never_told_is_lost(self) -> None:
        history = self.conversation()
        history.leg(
            (0, 0),
            "agent-3",
            outcome_id=leg_outcome_id("conversation-1", "agent-3", 1),
            final=False,
            decision=Decision.DEFERRED,
            reason=Reason.TIMEOUT,
        )
        (violation,) = audited(history)
        assert (violation.kind, violation.participant_id) == (Kind.LOST, "agent-3")
        # A copy of any record of the conversation brings the next look about.
        history.copy((0, 0))
        assert audited(history) == []
        history.commit_all()
        history.leg((0, 0), "agent-3")
        assert audited(history) == []

    def test_a_leg_by_no_record_is_named(self) -> None:
        history = self.conversation()
        history.leg((0, 0), "agent-3", source=Source(TOPICS.events, 0, 4))
        assert found(history) == [("outcome-of-nothing", TOPICS.outcomes, 0, 3)]
