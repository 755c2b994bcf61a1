"""Every event accounted for: what was sent and seen, held against what the model says. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from streams.local.demo.ledger import Answer, Ledger, Percentiles, Place
from streams.local.generator.delivery import DeliveryReport
from streams.records import Decision
from streams.rules import VOICE

# Named for each deviation: enough to start looking, not a page of ids.
EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class ApiCounts:
    """What the simulated API saw of one interaction."""

    calls: int = 0
    patches_applied: int = 0


@dataclass(frozen=True, slots=True)
class Account:
    """The demo's result. ``deviations``: one sentence each, empty when all is as it must be.

    ``calls_per_eligible``, ``calls_per_other_voice``: API requests on average, None without such
    interactions. ``seconds``: from the first event sent to the last outcome.
    """

    sent: int
    accepted: int
    retries: int
    records: int
    decided: int
    missing: int
    more_than_one: int
    answers: Counter[Answer]
    expected: Counter[Answer]
    differing: int
    interactions: int
    eligible: int
    patched_once: int
    patched_more: int
    patched_wrongly: int
    calls_per_eligible: float | None
    calls_per_other_voice: float | None
    latency: Percentiles
    seconds: float
    deviations: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.deviations

    @property
    def rate(self) -> float:
        """Events decided a second."""
        return self.decided / self.seconds if self.seconds else 0.0


def settle(
    ledger: Ledger,
    *,
    delivery: DeliveryReport,
    expected: Mapping[Place, Answer],
    truths: Mapping[str, Mapping[str, Any]],
    api: Mapping[str, ApiCounts],
    seconds: float,
) -> Account:
    """Close the books.

    ``expected``: the model's answer for each record. ``truths``: every interaction as the API
    first told it, by id; ``api``: what it saw of each that it was asked for.
    """
    decided = [place for place in ledger.records if place in ledger.final]
    missing = [place for place in ledger.records if place not in ledger.final]
    several = [place for place in decided if len(ledger.final[place]) > 1]
    differing = [place for place in decided if _differs(ledger, place, expected)]
    eligible = {
        record.event.interaction_id
        for place, record in ledger.records.items()
        if expected.get(place, (None,))[0] is Decision.PATCHED
    }
    applied = {each: counts.patches_applied for each, counts in api.items()}
    patched_more = sorted(each for each, patches in applied.items() if patches > 1)
    patched_wrongly = sorted(each for each in applied if applied[each] and each not in eligible)
    unpatched = sorted(each for each in eligible if not applied.get(each))
    deviations = (
        *_of_the_way_in(ledger, delivery),
        *_told("events have no final outcome", _named(ledger, missing)),
        *_told("events have more than one final outcome", _named(ledger, several)),
        *_told("outcomes speak of no event that is in Kafka", _strays(ledger)),
        *_told("outcomes name another event than the one they speak of", _mixed_up(ledger)),
        *_told("decisions differ from the model's", _compared(ledger, differing, expected)),
        *_told("eligible interactions got no PATCH", unpatched),
        *_told("interactions were PATCHed more than once", patched_more),
        *_told("interactions were PATCHed and are not eligible", patched_wrongly),
    )
    other_voice = {each for each, truth in truths.items() if truth["type"] == VOICE} - eligible
    return Account(
        sent=len(ledger.sent),
        accepted=delivery.accepted,
        retries=delivery.retries,
        records=len(ledger.records),
        decided=len(decided),
        missing=len(missing),
        more_than_one=len(several),
        answers=ledger.answers,
        expected=Counter(expected.values()),
        differing=len(differing),
        interactions=len(truths),
        eligible=len(eligible),
        patched_once=sum(1 for each in eligible if applied.get(each) == 1),
        patched_more=len(patched_more),
        patched_wrongly=len(patched_wrongly),
        calls_per_eligible=_average_calls(eligible, api),
        calls_per_other_voice=_average_calls(other_voice, api),
        latency=Percentiles.of(ledger.latencies_ms()),
        seconds=seconds,
        deviations=deviations,
    )


def _of_the_way_in(ledger: Ledger, delivery: DeliveryReport) -> list[str]:
    """The bridge's answers against what is in Kafka."""
    sent = Counter(ledger.sent)
    there = Counter(str(record.event.event_id) for record in ledger.records.values())
    not_accepted = len(ledger.sent) - delivery.accepted
    lost = sorted((sent - there).elements())
    # A bridge that could not tell whether Kafka had the event is sent it again, and rightly so.
    surplus = sorted((there - sent).elements())
    return [
        *_told("events were not accepted by the bridge", delivery.refusals, not_accepted),
        *_told("events are not in Kafka", lost),
        *_told(
            "events are in Kafka more often than they were sent",
            surplus,
            max(0, len(surplus) - delivery.retries),
        ),
    ]


def _told(what: str, examples: Iterable[str], count: int | None = None) -> list[str]:
    """``3 events are not in Kafka: ID, ID, ID``; nothing when there are none."""
    examples = list(examples)
    count = len(examples) if count is None else count
    if not count:
        return []
    shown = ", ".join(examples[:EXAMPLES])
    more = ", …" if count > EXAMPLES else ""
    return [f"{count:,} {what}{f': {shown}{more}' if shown else ''}"]


def _named(ledger: Ledger, places: Iterable[Place]) -> list[str]:
    return [f"{ledger.records[place].event.interaction_id} at {_at(place)}" for place in places]


def _at(place: Place) -> str:
    return f"{place[0]}/{place[1]}"


def _differs(ledger: Ledger, place: Place, expected: Mapping[Place, Answer]) -> bool:
    return any(
        (told.outcome.decision, told.outcome.reason) != expected.get(place)
        for told in ledger.final[place]
    )


def _compared(
    ledger: Ledger, places: Iterable[Place], expected: Mapping[Place, Answer]
) -> list[str]:
    compared = []
    for place in places:
        got = ledger.final[place][0].outcome
        decision, reason = expected.get(place, ("nothing", "unknown"))
        compared.append(
            f"{got.interaction_id} at {_at(place)} is {got.decision}/{got.reason} "
            f"and should be {decision}/{reason}"
        )
    return compared


def _strays(ledger: Ledger) -> list[str]:
    return [_at(place) for place in ledger.final if place not in ledger.records]


def _mixed_up(ledger: Ledger) -> list[str]:
    mixed_up = []
    for place, told in ledger.final.items():
        record = ledger.records.get(place)
        named = {(each.outcome.interaction_id, each.outcome.event_id) for each in told}
        if record and named != {(record.event.interaction_id, record.event.event_id)}:
            mixed_up.append(f"{record.event.interaction_id} at {_at(place)}")
    return mixed_up


def _average_calls(interactions: set[str], api: Mapping[str, ApiCounts]) -> float | None:
    if not interactions:
        return None
    return sum(api.get(each, ApiCounts()).calls for each in interactions) / len(interactions)
