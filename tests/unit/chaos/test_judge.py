"""The verdict: a small storm in which all went well, and each way in which it could have not."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.chaos.judge import Wrong, judge
from tests.chaos.ledger import GENERATION, Answer, InteractionLedger
from tests.chaos.poison import HEADER
from tests.support.oracle import Record

ELIGIBLE = {
    "id": "call",
    "type": "voice",
    "state": "completed",
    "metadata": {"startTime": "2026-01-05T08:00:00Z", "endTime": "2026-01-05T08:05:00Z"},
}
CHAT = {**ELIGIBLE, "id": "chat", "type": "chat"}
POISON = (0, 3)


class Seen:
    """What was seen of a storm of three events and one poison record."""

    def __init__(self) -> None:
        self.ledger = InteractionLedger(fenced=True)
        self.accepted = Counter({"e-0": 1, "e-1": 1, "e-2": 1})
        self.applied = {"call": 1}
        self.event(0, "call", "connected", "voice")
        self.event(1, "call", "completed", "voice")
        self.event(2, "chat", "completed", "chat")
        bad = Record(*POISON, b"k", b"\xff", ((HEADER, b"no JSON"),))
        self.ledger.take_source(bad)
        placed = (("dlq.source.partition", b"0"), ("dlq.source.offset", b"3"))
        self.ledger.take_letter(Record(0, 0, b"k", b"\xff", placed))
        self.outcome(0, "call", "ineligible", "interaction-not-completed", "event")
        self.outcome(1, "call", "patched", "eligible", "api")
        self.outcome(2, "chat", "ineligible", "non-voice-interaction", "event")
        self.outcome(3, None, "failed", "malformed-event", "event")

    def event(self, offset: int, interaction_id: str, state: str, kind: str) -> None:
        detail = {
            "interactionId": interaction_id,
            "sequenceId": offset,
            "state": state,
            "interactionType": kind,
        }
        value = json.dumps({"id": f"e-{offset}", "detail": detail}).encode()
        self.ledger.take_source(Record(0, offset, b"", value, ()))

    def outcome(self, offset: int, interaction_id: str | None, *answer: str, **more: Any) -> None:
        decision, reason, basis = answer
        value = {
            "outcomeId": f"o-{offset}",
            "final": True,
            "interactionId": interaction_id,
            "decision": decision,
            "reason": reason,
            "basis": basis,
            "recovered": False,
            "source": {"partition": 0, "offset": offset},
            **more,
        }
        headers = ((GENERATION, b"1"),)
        self.ledger.take_outcome(Record(0, offset, b"", json.dumps(value).encode(), headers))

    def wrong(self) -> dict[Wrong, list[str]]:
        findings = judge(
            self.ledger,
            accepted=self.accepted,
            truths={"call": ELIGIBLE, "chat": CHAT},
            applied=self.applied,
        )
        assert set(findings) == set(Wrong)
        return {kind: found for kind, found in findings.items() if found}


def test_when_all_went_well_nothing_is_wrong() -> None:
    assert Seen().wrong() == {}


def _answer(seen: Seen, offset: int, decision: str, reason: str) -> None:
    seen.ledger.published[(0, offset)] = Answer(f"o-{offset}", decision, reason, "api")


def _put_off(seen: Seen, offset: int, *, decided: bool) -> None:
    if not decided:
        del seen.ledger.published[(0, offset)]
    deferral = {"outcomeId": f"o-{offset}#1", "final": False}
    seen.outcome(offset, "call", "deferred", "timeout", "api", **deferral)


def _never_decided(seen: Seen) -> None:
    """A record put off of an interaction that is not to be patched."""
    del seen.ledger.published[(0, 2)]
    deferral = {"outcomeId": "o-2#1", "final": False}
    seen.outcome(2, "chat", "deferred", "timeout", "api", **deferral)


def _claimed_twice(seen: Seen) -> None:
    _put_off(seen, 1, decided=True)
    seen.event(4, "call", "completed", "voice")
    seen.accepted.update({"e-4": 1})
    seen.outcome(4, "call", "patched", "eligible", "api")


def test_a_later_event_may_get_the_code_in_the_stead_of_one_put_off() -> None:
    seen = Seen()
    _put_off(seen, 1, decided=False)
    seen.event(4, "call", "completed", "voice")
    seen.accepted.update({"e-4": 1})
    seen.outcome(4, "call", "patched", "eligible", "api")
    seen.outcome(1, "call", "ineligible", "disposition-already-set", "cache")

    assert seen.wrong() == {}


BREAKS: list[tuple[Wrong, Callable[[Seen], object]]] = [
    (Wrong.NOT_STORED, lambda seen: seen.accepted.update({"e-9": 1})),
    (Wrong.NOT_STORED, lambda seen: seen.accepted.update({"e-1": 1})),
    (Wrong.LOST, lambda seen: seen.ledger.published.pop((0, 0))),
    (Wrong.LOST, lambda seen: seen.ledger.published.pop(POISON)),
    (
        Wrong.DIFFERENT,
        lambda seen: seen.outcome(1, "call", "duplicate", "duplicate-sequence", "cache"),
    ),
    (Wrong.LOST, _never_decided),
    (Wrong.NOT_MODELLED, _claimed_twice),
    (Wrong.NOT_MODELLED, lambda seen: _answer(seen, 1, "conflict", "concurrent-modification")),
    (Wrong.NOT_MODELLED, lambda seen: _answer(seen, 3, "ineligible", "non-voice-interaction")),
    (Wrong.OF_NOTHING, lambda seen: seen.outcome(7, "other", "patched", "eligible", "api")),
    (Wrong.OUT_OF_ORDER, lambda seen: seen.ledger.out_of_order.append("i")),
    (Wrong.DOUBLED, lambda seen: seen.applied.update(call=2)),
    (Wrong.UNPATCHED, lambda seen: seen.applied.clear()),
    (Wrong.NOT_ELIGIBLE, lambda seen: seen.applied.update(chat=1)),
    (Wrong.NOT_ELIGIBLE, lambda seen: seen.applied.update(unheard_of=1)),
    (Wrong.NO_DEAD_LETTER, lambda seen: seen.ledger.letters.clear()),
    (Wrong.NO_DEAD_LETTER, lambda seen: seen.ledger.letters.update({POISON: b"other bytes"})),
    (Wrong.GENERATION, lambda seen: seen.ledger.generations.violations.append("i")),
]


@pytest.mark.parametrize(("kind", "happen"), BREAKS)
def test_each_broken_promise_is_found_once_and_as_what_it_is(
    kind: Wrong, happen: Callable[[Seen], object]
) -> None:
    seen = Seen()
    happen(seen)
    wrong = seen.wrong()
    assert list(wrong) == [kind]
    assert len(wrong[kind]) == 1


def test_a_redelivery_of_the_bridges_is_a_duplicate_like_any_other() -> None:
    seen = Seen()
    value = {
        "id": "e-1",
        "detail": {"interactionId": "call", "sequenceId": 1, "state": "completed"},
    }
    seen.ledger.take_source(Record(0, 4, b"", json.dumps(value).encode(), ()))
    seen.outcome(4, "call", "duplicate", "duplicate-sequence", "cache")
    assert seen.wrong() == {}
