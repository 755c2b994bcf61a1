"""Accounts for every event: compares what was sent and seen with what the model says. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from streams.core.records import Decision, Reason
from streams.core.rules import VOICE
from streams.local import model
from streams.local.demo.deviations import deviation
from streams.local.demo.ledger import Answer, Ledger, Percentiles, Place
from streams.local.generator.delivery import DeliveryReport
from streams.local.model import Expected
from streams.wire.outcomes import Outcome


@dataclass(frozen=True, slots=True)
class ApiCounts:
    """What the simulated API saw of one interaction."""

    calls: int = 0
    patches_applied: int = 0


@dataclass(frozen=True, slots=True)
class Account:
    """The demo's result. ``deviations``: one sentence each, empty when all is as it must be.

    ``calls_per_eligible``, ``calls_per_other_voice``: API requests on average, None without such
    interactions. ``seconds``: from the first event sent to the last outcome. ``example``: an
    interaction worth a look; one that got its code, if there is any.
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
    example: str
    deviations: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.deviations

    @property
    def rate(self) -> float:
        """Events decided a second."""
        return self.decided / self.seconds if self.seconds else 0.0


def account_for(
    ledger: Ledger,
    *,
    delivery: DeliveryReport,
    truths: Mapping[str, Mapping[str, Any]],
    api: Mapping[str, ApiCounts],
    seconds: float,
) -> Account:
    """Make the account.

    ``truths``: every interaction by id, as the API returned it at the start. ``api``: what the API
    saw of each interaction that it was asked for.
    """
    expected, eligible = _expectations(ledger, truths)
    decided = [place for place in ledger.records if place in ledger.final]
    missing = [place for place in ledger.records if place not in ledger.final]
    several = [place for place in decided if len(ledger.final[place]) > 1]
    differing = [place for place in decided if _differs(ledger, place, expected[place])]
    applied = {each: counts.patches_applied for each, counts in api.items()}
    patched_more = sorted(each for each, patches in applied.items() if patches > 1)
    patched_wrongly = sorted(each for each in applied if applied[each] and each not in eligible)
    unpatched = sorted(each for each in eligible if not applied.get(each))
    deviations = (
        *_of_the_way_in(ledger, delivery),
        *deviation("events without a final outcome", _named(ledger, missing)),
        *deviation("events with more than one final outcome", _named(ledger, several)),
        *deviation("outcomes of no event that is in Kafka", _strays(ledger)),
        *deviation("outcomes that name another event than theirs", _mixed_up(ledger)),
        *deviation("decisions other than the model's", _compared(ledger, differing, expected)),
        *deviation("eligible interactions without a PATCH", unpatched),
        *deviation("interactions PATCHed more than once", patched_more),
        *deviation("interactions PATCHed that are not eligible", patched_wrongly),
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
        expected=Counter(
            (Decision(each.decision), Reason(each.reason)) for each in expected.values()
        ),
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
        example=min((each for each in eligible if applied.get(each)), default=min(truths)),
        deviations=deviations,
    )


def _expectations(
    ledger: Ledger, truths: Mapping[str, Mapping[str, Any]]
) -> tuple[dict[Place, Expected], set[str]]:
    """The model's answer for each record, and the interactions that it PATCHes."""
    places = sorted(ledger.records)
    events = [ledger.records[place].event for place in places]
    modelled = model.expected(events, truths, model.Rules())
    answers = {each: iter(interaction.outcomes) for each, interaction in modelled.items()}
    expected = {place: next(answers[ledger.records[place].interaction_id]) for place in places}
    return expected, {each for each, interaction in modelled.items() if interaction.patches}


def _of_the_way_in(ledger: Ledger, delivery: DeliveryReport) -> list[str]:
    """The deviations between the bridge's answers and the records in Kafka."""
    sent = Counter(ledger.sent)
    there = Counter(record.event_id for record in ledger.records.values())
    not_accepted = len(ledger.sent) - delivery.accepted
    lost = sorted((sent - there).elements())
    # When the bridge could not tell whether Kafka had an event, the event is rightly sent again.
    surplus = sorted((there - sent).elements())
    return [
        *deviation("events that the bridge did not accept", delivery.refusals, not_accepted),
        *deviation("events that are not in Kafka", lost),
        *deviation(
            "events in Kafka more often than they were sent",
            surplus,
            max(0, len(surplus) - delivery.retries),
        ),
    ]


def _named(ledger: Ledger, places: Iterable[Place]) -> list[str]:
    return [f"{ledger.records[place].interaction_id} at {_at(place)}" for place in places]


def _at(place: Place) -> str:
    return f"{place[0]}/{place[1]}"


def _answer(outcome: Outcome) -> Expected:
    return Expected(outcome.decision, outcome.reason, outcome.basis)


def _differs(ledger: Ledger, place: Place, expected: Expected) -> bool:
    return any(_answer(published.outcome) != expected for published in ledger.final[place])


def _compared(
    ledger: Ledger, places: Iterable[Place], expected: Mapping[Place, Expected]
) -> list[str]:
    compared = []
    for place in places:
        got, due = _answer(ledger.final[place][0].outcome), expected[place]
        compared.append(
            f"{ledger.records[place].interaction_id} at {_at(place)} is "
            f"{got.decision}/{got.reason}/{got.basis} "
            f"instead of {due.decision}/{due.reason}/{due.basis}"
        )
    return compared


def _strays(ledger: Ledger) -> list[str]:
    return [_at(place) for place in ledger.final if place not in ledger.records]


def _mixed_up(ledger: Ledger) -> list[str]:
    mixed_up = []
    for place, published in ledger.final.items():
        record = ledger.records.get(place)
        named = {(each.outcome.interaction_id, each.outcome.event_id) for each in published}
        if record and named != {(record.interaction_id, record.event_id)}:
            mixed_up.append(f"{record.interaction_id} at {_at(place)}")
    return mixed_up


def _average_calls(interactions: set[str], api: Mapping[str, ApiCounts]) -> float | None:
    if not interactions:
        return None
    return sum(api.get(each, ApiCounts()).calls for each in interactions) / len(interactions)
