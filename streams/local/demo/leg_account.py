"""Accounts for every event and every leg of the demo's conversations: what was sent, published and
written, beside what is right. Pure, and without the worker's own readers: it reads plain JSON."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from streams.local.conversations.rights import LegKey, Rights, Said
from streams.local.conversations.scenario import Scenario
from streams.local.demo.deviations import deviation
from streams.local.demo.ledger import Percentiles, Place
from streams.local.generator.delivery import DeliveryReport

Json = Mapping[str, Any]


@dataclass(slots=True)
class ConversationLedger:
    """Filled while the demo runs.

    ``sent``: ids of the events handed out for the bridge. ``records``: the conversation of each
    record in the events topic, and when it got there, epoch milliseconds. ``final``: final outcomes
    of source records with their times. ``legs``: those of legs. ``answers``: how many say what.
    """

    sent: list[str] = field(default_factory=list)
    records: dict[Place, tuple[str, int]] = field(default_factory=dict)
    final: defaultdict[Place, list[tuple[Json, int]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    legs: defaultdict[LegKey, list[Json]] = field(default_factory=lambda: defaultdict(list))
    answers: Counter[Said] = field(default_factory=Counter)

    def read_event(self, place: Place, value: bytes, timestamp_ms: int) -> None:
        """Enter a record of the events topic."""
        event = msgspec.json.decode(value)
        self.records[place] = event["detail"]["eventBody"]["conversationId"], timestamp_ms

    def read_outcome(self, value: bytes, timestamp_ms: int) -> None:
        """Enter a record of the outcomes topic."""
        self.enter(msgspec.json.decode(value), timestamp_ms)

    def enter(self, outcome: Json, timestamp_ms: int) -> None:
        """Enter an outcome; one that is not final is ignored."""
        if not outcome["final"]:
            return
        self.answers[said(outcome)] += 1
        leg = outcome.get("leg")
        if leg is not None:
            self.legs[outcome["interactionId"], leg["participantId"]].append(outcome)
            return
        source = outcome["source"]
        self.final[source["partition"], source["offset"]].append((outcome, timestamp_ms))

    @property
    def complete(self) -> bool:
        """Whether every record in Kafka has a final outcome."""
        return self.records.keys() <= self.final.keys()

    def latencies_ms(self) -> list[int]:
        """From an event's arrival in Kafka to its outcome's, for each event that has one. Most wait
        for the look at their conversation."""
        return [
            published[0][1] - self.records[place][1]
            for place, published in self.final.items()
            if place in self.records
        ]


def said(outcome: Json) -> Said:
    return outcome["decision"], outcome["reason"]


@dataclass(frozen=True, slots=True)
class LegAccount:
    """The demo's result. ``deviations``: one sentence each, empty when all is as it must be.

    ``decided``: records with an outcome. ``set_once``: legs that got their code, of the ``due``
    ones. ``early``: written to before the agent's own time was over. ``gets``: GETs for each
    conversation that was looked at.
    """

    sent: int
    accepted: int
    retries: int
    records: int
    decided: int
    conversations: int
    legs: int
    due: int
    set_once: int
    refused: int
    early: int
    gets: float | None
    answers: Counter[Said]
    latency: Percentiles
    seconds: float
    example: str
    deviations: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.deviations


def account_for_legs(
    ledger: ConversationLedger,
    *,
    delivery: DeliveryReport,
    scenarios: Sequence[Scenario],
    writes: Sequence[Json],
    gets: Mapping[str, int],
    seconds: float,
) -> LegAccount:
    """Make the account.

    ``scenarios``: at the times at which they were played. ``writes``: every code that the simulated
    org was sent. ``gets``: how often each conversation was asked for.
    """
    rights = Rights.of(scenarios)
    due = rights.due
    taken = Counter(_leg_of(each) for each in writes if each["status"] < 300)
    tried = Counter(map(_leg_of, writes))
    early = sorted(
        _leg_of(each) for each in writes if each["atMs"] < due.get(_leg_of(each), each["atMs"])
    )
    missing = [place for place in ledger.records if place not in ledger.final]
    several = [place for place, published in ledger.final.items() if len(published) > 1]
    looked_at = {each for each, number in gets.items() if number}
    coded = {key[0] for key in tried}
    untold = [
        key
        for key in rights
        if key not in ledger.legs and rights.must_be_told(key, looked_at, coded)
    ]
    deviations = (
        *_of_the_way_in(ledger, delivery),
        *deviation("events without a final outcome", _named(ledger, missing)),
        *deviation("events with more than one final outcome", _named(ledger, several)),
        *deviation("legs that were looked at and have no outcome", map(_shown, untold)),
        *deviation(
            "legs with more than one final outcome",
            (_shown(key) for key, told in ledger.legs.items() if len(told) > 1),
        ),
        *deviation(
            "outcomes of legs that there are not",
            (_shown(key) for key in ledger.legs if key not in rights),
        ),
        *deviation("legs decided otherwise than is right", _wrong(ledger, rights)),
        *deviation("legs without their code", (_shown(key) for key in due if not taken[key])),
        *deviation("legs that got it more than once", (_shown(k) for k in taken if taken[k] > 1)),
        *deviation("legs that got it and must not", (_shown(k) for k in tried if k in rights.left)),
        *deviation("codes sent before the agent's own time was over", map(_shown, early)),
    )
    seen = [number for number in gets.values() if number]
    return LegAccount(
        sent=len(ledger.sent),
        accepted=delivery.accepted,
        retries=delivery.retries,
        records=len(ledger.records),
        decided=len(ledger.records) - len(missing),
        conversations=len(scenarios),
        legs=len(rights),
        due=len(due),
        set_once=sum(1 for key in due if taken[key] == 1),
        refused=len(rights.refused),
        early=len(early),
        gets=sum(seen) / len(seen) if seen else None,
        answers=ledger.answers,
        latency=Percentiles.of(ledger.latencies_ms()),
        seconds=seconds,
        example=min(
            (key[0] for key in taken),
            default=min((each.conversation_id for each in scenarios), default=""),
        ),
        deviations=deviations,
    )


def _leg_of(write: Json) -> LegKey:
    return write["conversationId"], write["participantId"]


def _of_the_way_in(ledger: ConversationLedger, delivery: DeliveryReport) -> list[str]:
    """What the bridge skips is in no topic; all else that was sent is."""
    answered = delivery.accepted + delivery.skipped
    surplus = len(ledger.records) - delivery.accepted
    return [
        *deviation(
            "events that the bridge did not take", delivery.refusals, len(ledger.sent) - answered
        ),
        *deviation("events that are not in Kafka", [], max(0, -surplus)),
        *deviation(
            "events in Kafka more often than they were sent",
            [],
            # An event that the bridge could not tell about is rightly sent again.
            max(0, surplus - delivery.retries),
        ),
    ]


def _wrong(ledger: ConversationLedger, rights: Rights) -> list[str]:
    found = []
    for key, told in ledger.legs.items():
        got = said(told[0])
        if key in rights and got not in (allowed := rights.allowed(key)):
            instead = " or ".join("/".join(each) for each in sorted(allowed))
            found.append(f"{_shown(key)} is {'/'.join(got)} instead of {instead}")
    return found


def _named(ledger: ConversationLedger, places: Iterable[Place]) -> list[str]:
    return [
        f"{ledger.records[place][0] if place in ledger.records else 'no event'} at "
        f"{place[0]}/{place[1]}"
        for place in places
    ]


def _shown(key: LegKey) -> str:
    conversation_id, participant_id = key
    return f"{participant_id} of {conversation_id}"
