"""The verdict on conversations: a storm in which all went well, and each way in which it could have
not."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from streams.local.conversations.playing import SPEED
from streams.local.conversations.population import conversations
from streams.local.conversations.rights import Rights
from streams.local.conversations.scenario import all_moved
from streams.local.simulator.conversation_store import Write
from tests.chaos.conversations import on_the_edge
from tests.chaos.judge import Wrong
from tests.chaos.ledger import GENERATION, Answer
from tests.chaos.leg_judge import judge_legs
from tests.chaos.leg_ledger import LegLedger
from tests.chaos.poison import HEADER
from tests.support.conversation_desk import Desk, parsed
from tests.support.oracle import Record
from tests.support.played_conversations import POLICY, cloud_of
from tests.support.scenarios import START_MS

DUE = ("c", "due")
LEFT = ("c", "left")
CLOSED = ("d", "closed")
POISON = (0, 8)
NOT_BEFORE = 1_000
GENERATIONS = ((GENERATION, b"1"),)


class Seen:
    """What was seen of a storm of four conversations and one poison record."""

    def __init__(self) -> None:
        self.ledger = LegLedger(fenced=True)
        self.accepted: Counter[str] = Counter()
        self.rights = Rights(due={DUE: NOT_BEFORE}, refused={CLOSED})
        self.rights.left[LEFT] = "wrap-up-already-set"
        self.writes = [self.write(DUE, NOT_BEFORE, 202), self.write(CLOSED, 5, 400)]
        self.gets = {"c": 2, "d": 1, "nobody": 1}
        self.told(0, "c", "user.end", "due", "noted/look-planned", waits=True)
        self.told(1, "c", "user.end", "left", "noted/look-joined")
        self.told(2, "c", "acw", "left", "ineligible/event-not-needed")
        self.told(3, "c", "acw", "left", "duplicate/duplicate-event", id="e-2")
        self.told(4, "d", "user.end", "closed", "noted/look-planned", waits=True)
        self.told(5, "nobody", "customer.end", "x", "ineligible/no-agent-leg", waits=True)
        self.told(6, "chat", "user.end", "x", "ineligible/event-not-needed", medium="MESSAGE")
        self.told(7, "chat", "outbound", "x", "ineligible/event-not-needed")
        self.ledger.take_source(Record(*POISON, b"k", b"\xff", ((HEADER, b"no JSON"),)))
        placed = (("dlq.source.partition", b"0"), ("dlq.source.offset", b"8"))
        self.ledger.take_letter(Record(0, 0, b"k", b"\xff", placed))
        self.outcome(8, None, "failed", "malformed-event")
        self.leg(0, DUE, "patched", "eligible")
        self.leg(0, LEFT, "ineligible", "wrap-up-already-set")
        self.leg(4, CLOSED, "refused", "wrap-up-closed")

    @staticmethod
    def write(key: tuple[str, str], at_ms: int, status: int) -> Write:
        shows = at_ms if status < 300 else None
        return Write(at_ms, "participant", *key, None, "code", True, status, shows)

    def told(
        self,
        offset: int,
        conversation_id: str,
        name: str,
        participant_id: str,
        said: str,
        *,
        waits: bool = False,
        medium: str = "VOICE",
        **more: Any,
    ) -> None:
        """An event, and what became of it. ``waits``: its copy is in the retries topic."""
        body = {
            "conversationId": conversation_id,
            "participantId": participant_id,
            "sessionId": "s",
            "mediaType": medium,
            "eventTime": offset,
        }
        event = {
            "id": f"e-{offset}",
            "detail-type": "v2.detail.events.conversation.{id}." + name,
            "detail": {"eventBody": body},
        } | more
        self.accepted[event["id"]] += 1
        self.ledger.take_source(Record(0, offset, b"", json.dumps(event).encode(), ()))
        if waits:
            self.copy(offset, at=offset)
        self.outcome(offset, conversation_id, *said.split("/"))

    def copy(self, offset: int, *, at: int) -> None:
        """The copy of a record in the retries topic."""
        headers = (("retry.source.partition", b"0"), ("retry.source.offset", b"%d" % offset))
        self.ledger.take_return(Record(0, at, b"", b"", (*headers, ("retry.attempt", b"1"))))

    def outcome(self, offset: int, conversation_id: str | None, *said: str, **more: Any) -> None:
        decision, reason = said
        value = {
            "outcomeId": f"o-{offset}",
            "final": True,
            "interactionId": conversation_id,
            "decision": decision,
            "reason": reason,
            "basis": "api",
            "recovered": False,
            "source": {"partition": 0, "offset": offset},
        } | more
        self.ledger.take_outcome(Record(0, offset, b"", json.dumps(value).encode(), GENERATIONS))

    def leg(self, offset: int, key: tuple[str, str], *answer: str, **more: Any) -> None:
        of_leg = {"leg": {"participantId": key[1]}, "outcomeId": f"o-{key}"}
        self.outcome(offset, key[0], *answer, **(of_leg | more))

    def wrong(self) -> dict[Wrong, list[str]]:
        findings = judge_legs(
            self.ledger,
            accepted=self.accepted,
            rights=self.rights,
            writes=self.writes,
            gets=self.gets,
        )
        assert set(findings) == set(Wrong)
        return {kind: found for kind, found in findings.items() if found}


def test_when_all_went_well_nothing_is_wrong() -> None:
    assert Seen().wrong() == {}


def _answer(seen: Seen, offset: int, decision: str, reason: str) -> None:
    seen.ledger.published[(0, offset)] = Answer(f"o-{offset}", decision, reason, "api")


def _other_leg_answer(seen: Seen, key: tuple[str, str], decision: str, reason: str) -> None:
    seen.ledger.legs[key] = Answer(f"o-{key}", decision, reason, "api")


def _out_of_order(seen: Seen) -> None:
    """A record that waits for nothing, told after one that came later."""
    seen.told(10, "c", "user.end", "y", "noted/look-joined")
    seen.told(9, "c", "user.end", "z", "noted/look-joined")


def _sent_again(seen: Seen) -> None:
    seen.writes.append(seen.write(DUE, NOT_BEFORE + 5_000, 202))


BREAKS: list[tuple[Wrong, Callable[[Seen], object]]] = [
    (Wrong.NOT_STORED, lambda seen: seen.accepted.update({"e-9": 1})),
    (Wrong.LOST, lambda seen: seen.ledger.published.pop((0, 0))),
    (Wrong.LOST, lambda seen: seen.ledger.published.pop(POISON)),
    (Wrong.DIFFERENT, lambda seen: seen.outcome(1, "c", "ineligible", "event-not-needed")),
    (Wrong.DIFFERENT, lambda seen: seen.leg(0, DUE, "failed", "retries-exhausted")),
    (Wrong.DIFFERENT, lambda seen: seen.leg(0, DUE, "patched", "eligible", outcomeId="o-2")),
    (Wrong.NOT_MODELLED, lambda seen: _answer(seen, 3, "noted", "look-joined")),
    (Wrong.NOT_MODELLED, lambda seen: _answer(seen, 1, "duplicate", "duplicate-event")),
    (Wrong.NOT_MODELLED, lambda seen: _answer(seen, 0, "ineligible", "no-agent-leg")),
    (Wrong.NOT_MODELLED, lambda seen: _answer(seen, 0, "not-found", "interaction-not-found")),
    (Wrong.NOT_MODELLED, lambda seen: _answer(seen, 6, "noted", "look-planned")),
    (Wrong.NOT_MODELLED, lambda seen: _answer(seen, 7, "noted", "look-joined")),
    (Wrong.NOT_MODELLED, lambda seen: _answer(seen, 8, "noted", "look-joined")),
    (Wrong.NOT_MODELLED, lambda seen: _other_leg_answer(seen, DUE, "unconfirmed", "not-visible")),
    (Wrong.NOT_MODELLED, lambda seen: _other_leg_answer(seen, LEFT, "patched", "eligible")),
    (Wrong.NOT_MODELLED, lambda seen: _other_leg_answer(seen, LEFT, "ineligible", "campaign")),
    (Wrong.NOT_MODELLED, lambda seen: _other_leg_answer(seen, CLOSED, "patched", "eligible")),
    (Wrong.OF_NOTHING, lambda seen: seen.outcome(70, "c", "noted", "look-joined")),
    (Wrong.OF_NOTHING, lambda seen: seen.leg(0, ("c", "nobody"), "patched", "eligible")),
    (Wrong.OF_NOTHING, lambda seen: seen.ledger.decided_by.update({DUE: (0, 4)})),
    (Wrong.OF_NOTHING, lambda seen: seen.ledger.decided_by.update({DUE: (0, 70)})),
    (Wrong.OUT_OF_ORDER, _out_of_order),
    (Wrong.UNTOLD, lambda seen: seen.ledger.legs.pop(DUE)),
    (Wrong.UNTOLD, lambda seen: seen.ledger.legs.pop(LEFT)),
    (Wrong.UNTOLD, lambda seen: seen.ledger.legs.pop(CLOSED)),
    (Wrong.DOUBLED, _sent_again),
    (Wrong.UNPATCHED, lambda seen: seen.writes.pop(0)),
    (Wrong.EARLY, lambda seen: seen.rights.due.update({DUE: NOT_BEFORE + 1})),
    (Wrong.NOT_ELIGIBLE, lambda seen: seen.writes.append(seen.write(LEFT, 5_000, 202))),
    (Wrong.NOT_ELIGIBLE, lambda seen: seen.writes.append(seen.write(LEFT, 5_000, 400))),
    (Wrong.NOT_ELIGIBLE, lambda seen: seen.writes.append(seen.write(("c", "x"), 5_000, 404))),
    (Wrong.NO_DEAD_LETTER, lambda seen: seen.ledger.letters.clear()),
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


def test_a_campaigns_leg_may_be_left_as_such_before_its_agent_codes() -> None:
    seen = Seen()
    seen.rights.campaigns.add("c")
    _other_leg_answer(seen, LEFT, "ineligible", "campaign")
    assert seen.wrong() == {}


def test_a_refused_leg_may_be_tried_again() -> None:
    """The answer was lost, and so was what it said."""
    seen = Seen()
    seen.writes.append(seen.write(CLOSED, 9_000, 400))
    assert seen.wrong() == {}


@pytest.mark.parametrize("seed", range(6))
def test_what_the_core_decides_is_right_however_often_it_dies(seed: int) -> None:
    """Real conversations, each in a partition of its own, decided by the core without a worker."""
    random = Random(seed)
    seen = Seen()
    ledger = seen.ledger = LegLedger(fenced=False)
    playable = [each for each in conversations(seed, 40) if not on_the_edge(each)]
    told = all_moved(playable, START_MS, 1 / SPEED)
    seen.accepted, seen.writes, seen.gets = Counter(), [], {}
    seen.rights = Rights.of(told)
    for number, scenario in enumerate(told):
        raw = [(at_ms, each) for at_ms, each in scenario.arrivals() if parsed([each])]
        if not raw:
            continue
        log = [(at_ms, event) for at_ms, each in raw for event in parsed([each])]
        for offset, (_, event) in enumerate(raw):
            ledger.take_source(Record(number, offset, b"", json.dumps(event).encode(), ()))
            seen.accepted[event["id"]] += 1
        desk = Desk(log, cloud_of(scenario), POLICY)
        desk.live(random, [random.randint(1, 60) for _ in range(3)])
        _publish(ledger, number, scenario.conversation_id, desk)
        applied = {(at_ms, participant_id) for at_ms, participant_id, _ in desk.cloud.applied}
        seen.writes += [
            seen.write(
                (scenario.conversation_id, each[1]), each[0], 202 if each in applied else 400
            )
            for each in desk.cloud.patches
        ]
        seen.gets[scenario.conversation_id] = len(desk.cloud.gets)
    assert seen.rights.due
    assert seen.wrong() == {}
    assert all(not ledger.past_unfinished({n: 1}) for n, _ in ledger.events)


def _publish(ledger: LegLedger, partition: int, conversation_id: str, desk: Desk) -> None:
    """All outcomes of a desk, in their order, and the copies in its retries."""
    for at, copy in enumerate(desk.retries):
        named = {"partition": partition, "offset": copy.offset}
        headers = [(f"retry.source.{name}", str(each).encode()) for name, each in named.items()]
        attempt = ("retry.attempt", b"1")
        ledger.take_return(Record(partition, at, b"", b"", (*headers, attempt)))
    for key, verdicts in desk.published.items():
        for verdict in verdicts:
            value = {
                "outcomeId": str(key),
                "final": verdict.final,
                "interactionId": conversation_id,
                "decision": verdict.decision,
                "reason": verdict.reason,
                "basis": verdict.basis,
                "recovered": verdict.recovered,
                "source": {"partition": partition, "offset": 0 if key[0] == "leg" else key[1]},
                "leg": {"participantId": key[1]} if key[0] == "leg" else None,
            }
            ledger.take_outcome(Record(partition, 0, b"", json.dumps(value).encode(), ()))
