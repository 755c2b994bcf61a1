"""The verdict: what was seen held against what the contract promises and the model says. Pure.

``judge`` is that on interactions. ``leg_judge.py`` has that on conversations and their legs, with
the same words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

from streams.core.records import Decision, Reason
from streams.local.model import Expected, ExpectedInteraction, Rules, expected
from tests.chaos.ledger import InteractionLedger, Ledger
from tests.support.oracle import Place, agrees


class Wrong(StrEnum):
    """Each way to break a promise, in the words of the report."""

    NOT_STORED = "accepted by the bridge, not in Kafka"
    LOST = "records lost: no final outcome"
    DIFFERENT = "records published differently"
    NOT_MODELLED = "decisions other than the model's"
    OF_NOTHING = "outcomes of no record"
    OUT_OF_ORDER = "outcomes out of order"
    DOUBLED = "PATCHed more than once"
    UNPATCHED = "eligible, without a PATCH"
    EARLY = "PATCHed before its time"
    NOT_ELIGIBLE = "PATCHes of what is not eligible"
    UNTOLD = "legs without a final outcome"
    NO_DEAD_LETTER = "poison without its dead letter"
    FRONTIER = "committed past an unfinished record"
    NOT_COMMITTED = "finished, but not committed"
    GENERATION = "written after the partition was lost"
    AUDIT = "found by the program's own audit"


Findings = Mapping[Wrong, list[str]]
"""What is wrong, one line each; a kind without any has an empty list."""


def judge(
    ledger: InteractionLedger,
    *,
    accepted: Counter[str],
    truths: Mapping[str, Mapping[str, Any]],
    applied: Mapping[str, int],
) -> dict[Wrong, list[str]]:
    """What the topics and the API's own counters show; the watch adds what it saw meanwhile.

    ``accepted``: ids of the events that the bridge took, as often as it did. ``truths``:
    interactions as the API gives them before the first event. ``applied``: PATCHes that took
    effect, by interaction.

    No other decision than the model's is let pass: faults of the API that pass, crashes and
    repeated requests change how an answer is found, never what it is.
    """
    model = modelled(ledger, truths)
    findings = of_records(ledger, accepted)
    findings[Wrong.NOT_MODELLED] += [*_other_decisions(ledger, model), *_claims(ledger, model)]
    for interaction_id in truths.keys() | applied.keys():
        wanted = model[interaction_id].patches if interaction_id in model else 0
        got = applied.get(interaction_id, 0)
        if not wanted and got:
            findings[Wrong.NOT_ELIGIBLE].append(f"{interaction_id}: {got} PATCHes")
        elif got > wanted:
            findings[Wrong.DOUBLED].append(f"{interaction_id}: {got} PATCHes")
        elif got < wanted:
            findings[Wrong.UNPATCHED].append(interaction_id)
    return findings


def of_records(ledger: Ledger[Any], accepted: Counter[str]) -> dict[Wrong, list[str]]:
    """What holds for the records of every dialect: none is lost, each has one answer, in its order
    and from who owned it, and poison is in the dead letters. Every kind is there."""
    findings: dict[Wrong, list[str]] = {kind: [] for kind in Wrong}
    findings[Wrong.NOT_STORED] += sorted((accepted - ledger.stored).elements())
    findings[Wrong.OUT_OF_ORDER] += ledger.out_of_order
    findings[Wrong.GENERATION] += ledger.generations.violations
    findings[Wrong.LOST] += [
        at(place) for place in _sources(ledger) if place not in ledger.published
    ]
    findings[Wrong.OF_NOTHING] += [
        at(place)
        for place in ledger.published
        if place not in ledger.events and place not in ledger.poison
    ]
    findings[Wrong.DIFFERENT] += [
        f"{at(place)}: {sorted(f'{each.decision}/{each.reason}' for each in answers)}"
        for place, answers in ledger.differing.items()
    ]
    findings[Wrong.NOT_MODELLED] += _poison_not_failed(ledger)
    findings[Wrong.NO_DEAD_LETTER] += _without_dead_letter(ledger)
    return findings


def modelled(
    ledger: InteractionLedger, truths: Mapping[str, Mapping[str, Any]]
) -> dict[str, ExpectedInteraction]:
    """What the model makes of the events as they lie in the topic."""
    return expected((_detail(ledger, place) for place in sorted(ledger.events)), truths, Rules())


def _sources(ledger: Ledger[Any]) -> Iterator[Place]:
    yield from ledger.events
    yield from ledger.poison


def _detail(ledger: InteractionLedger, place: Place) -> dict[str, Any]:
    event = ledger.events[place]
    return {
        "interactionId": event.interaction_id,
        "sequenceId": event.sequence_id,
        "interactionType": event.interaction_type,
        "state": event.state,
    }


def _other_decisions(
    ledger: InteractionLedger, model: Mapping[str, ExpectedInteraction]
) -> Iterator[str]:
    nth: Counter[str] = Counter()
    for place in sorted(ledger.events):
        interaction_id = ledger.events[place].interaction_id
        want = model[interaction_id].outcomes[nth[interaction_id]]
        nth[interaction_id] += 1
        got = ledger.published.get(place)
        if got is not None and not agrees(
            Expected(got.decision, got.reason, got.basis),
            want,
            put_off=interaction_id in ledger.interactions_put_off,
        ):
            yield (
                f"{at(place)} {interaction_id}: {got.decision}/{got.reason}/{got.basis}, the "
                f"model says {want.decision}/{want.reason}/{want.basis}"
            )


def _claims(ledger: InteractionLedger, model: Mapping[str, ExpectedInteraction]) -> Iterator[str]:
    """One outcome says that it patched, for each interaction that was."""
    claimed = Counter(
        ledger.events[place].interaction_id
        for place, got in ledger.published.items()
        if got.decision == Decision.PATCHED and place in ledger.events
    )
    for interaction_id in ledger.interactions_put_off:
        wanted = model[interaction_id].patches
        if claimed[interaction_id] != wanted:
            yield f"{interaction_id}: {claimed[interaction_id]} say patched, not {wanted}"


def _poison_not_failed(ledger: Ledger[Any]) -> Iterator[str]:
    wanted = (Decision.FAILED, Reason.MALFORMED)
    for place, (kind, _) in ledger.poison.items():
        got = ledger.published.get(place)
        if got is not None and (got.decision, got.reason) != wanted:
            yield f"{at(place)} poison ({kind}): {got.decision}/{got.reason}"


def _without_dead_letter(ledger: Ledger[Any]) -> Iterator[str]:
    for place, (kind, digest) in ledger.poison.items():
        if place not in ledger.letters:
            yield f"{at(place)} ({kind}): no dead letter"
        elif ledger.letters[place] != digest:
            yield f"{at(place)} ({kind}): its dead letter has other bytes"


def at(place: Place) -> str:
    """A source record's place, in a line."""
    return f"{place[0]}/{place[1]}"
