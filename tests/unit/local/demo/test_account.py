"""The verdict: whatever goes wrong on the way, the demo must not call it a success."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from streams.core.records import Basis, Decision, Reason, Source
from streams.local import model
from streams.local.demo.account import Account, ApiCounts, account_for
from streams.local.demo.ledger import Ledger, Place, PublishedOutcome, SourceRecord
from streams.local.generator.delivery import DeliveryReport
from streams.local.generator.population import population
from streams.local.generator.stream import stream
from streams.wire.outcomes import Outcome

SEED = 1
EVERYONE = population(SEED, 20)
TRUTHS = {each.id: each.truth for each in EVERYONE}
EVENTS = list(stream(EVERYONE, SEED))
MODELLED = model.expected(EVENTS, TRUTHS, model.Rules())
ELIGIBLE = sorted(each for each, modelled in MODELLED.items() if modelled.patches)
OTHERS = sorted(MODELLED.keys() - ELIGIBLE)


@dataclass
class Run:
    """A demo in which all went well, for a test to spoil."""

    ledger: Ledger = field(default_factory=Ledger)
    delivery: DeliveryReport = field(default_factory=DeliveryReport)
    api: dict[str, ApiCounts] = field(default_factory=dict)

    def account(self) -> Account:
        return account_for(
            self.ledger, delivery=self.delivery, truths=TRUTHS, api=self.api, seconds=2.0
        )

    def place(self, decision: Decision) -> Place:
        """Some record that was decided so."""
        return next(
            place
            for place, published in self.ledger.final.items()
            if published[0].outcome.decision is decision
        )

    def change(self, place: Place, **fields: Any) -> None:
        published = self.ledger.final[place][0]
        changed = msgspec.structs.replace(published.outcome, **fields)
        self.ledger.final[place] = [PublishedOutcome(changed, published.timestamp_ms)]


@pytest.fixture
def run() -> Run:
    run = Run()
    answers = {each: iter(modelled.outcomes) for each, modelled in MODELLED.items()}
    next_offset = dict.fromkeys(range(4), 0)
    for event in EVENTS:
        interaction_id = event["detail"]["interactionId"]
        partition = zlib.crc32(interaction_id.encode()) % 4
        place = (partition, next_offset[partition])
        next_offset[partition] += 1
        run.ledger.sent.append(event["id"])
        run.ledger.records[place] = SourceRecord(event, timestamp_ms=1_000)
        run.ledger.enter(
            PublishedOutcome(outcome(event, place, next(answers[interaction_id])), 1_040)
        )
    run.delivery.accepted = len(EVENTS)
    run.api = {
        each: ApiCounts(calls=modelled.gets + modelled.patches, patches_applied=modelled.patches)
        for each, modelled in MODELLED.items()
        if modelled.gets
    }
    return run


def outcome(event: dict[str, Any], place: Place, expected: model.Expected) -> Outcome:
    return Outcome(
        outcome_id=f"outcome of {place}",
        final=True,
        interaction_id=event["detail"]["interactionId"],
        sequence_id=event["detail"]["sequenceId"],
        event_id=event["id"],
        decision=Decision(expected.decision),
        reason=Reason(expected.reason),
        basis=Basis(expected.basis),
        dry_run=False,
        disposition_code_id=None,
        patch_status=None,
        recovered=False,
        api_calls=0,
        attempts=0,
        duration_ms=None,
        event_time=event["time"],
        decided_at=event["time"],
        latency_ms=1.0,
        end_to_end_ms=2.0,
        source=Source("genesys.interaction.events", *place),
        trace_id=None,
        error=None,
    )


def test_a_run_in_which_all_went_well_passes(run: Run) -> None:
    account = run.account()
    assert account.deviations == ()
    assert account.passed
    assert account.sent == account.accepted == account.records == account.decided == len(EVENTS)
    assert (account.missing, account.more_than_one, account.differing) == (0, 0, 0)
    assert account.answers == account.expected
    assert account.answers[Decision.PATCHED, Reason.ELIGIBLE] == len(ELIGIBLE)
    assert account.answers[Decision.DUPLICATE, Reason.DUPLICATE_SEQUENCE] > 0
    assert (account.interactions, account.eligible) == (20, len(ELIGIBLE))
    assert (account.patched_once, account.patched_more, account.patched_wrongly) == (
        len(ELIGIBLE),
        0,
        0,
    )
    assert account.calls_per_eligible == 2.0
    assert account.calls_per_other_voice is not None
    assert account.calls_per_other_voice <= 1.0
    assert account.latency.p50 == account.latency.p99 == 40
    assert account.rate == len(EVENTS) / 2.0
    assert account.example in ELIGIBLE


def not_accepted(run: Run) -> None:
    run.delivery.accepted -= 1
    run.delivery.refuse("400 no event")


def lost(run: Run) -> None:
    place = max(run.ledger.records)
    del run.ledger.records[place], run.ledger.final[place]


def written_twice(run: Run) -> None:
    partition, offset = max(run.ledger.records)
    again = (partition, offset + 1)
    record = run.ledger.records[again] = run.ledger.records[partition, offset]
    due = model.Expected("duplicate", "duplicate-sequence", "cache")
    run.ledger.enter(PublishedOutcome(outcome(dict(record.event), again, due), 1_040))


def no_outcome(run: Run) -> None:
    del run.ledger.final[run.place(Decision.INELIGIBLE)]


def only_deferred(run: Run) -> None:
    place = run.place(Decision.PATCHED)
    published = run.ledger.final.pop(place)[0]
    deferral = msgspec.structs.replace(published.outcome, final=False, decision=Decision.DEFERRED)
    run.ledger.enter(PublishedOutcome(deferral, published.timestamp_ms))


def two_outcomes(run: Run) -> None:
    run.ledger.enter(run.ledger.final[run.place(Decision.INELIGIBLE)][0])


def stray_outcome(run: Run) -> None:
    published = run.ledger.final[run.place(Decision.INELIGIBLE)][0]
    nowhere = Source("genesys.interaction.events", 3, 999_999)
    run.ledger.enter(
        PublishedOutcome(msgspec.structs.replace(published.outcome, source=nowhere), 1_040)
    )


def another_event(run: Run) -> None:
    run.change(run.place(Decision.DUPLICATE), event_id="another")


def another_interaction(run: Run) -> None:
    run.change(run.place(Decision.DUPLICATE), interaction_id="another")


def another_decision(run: Run) -> None:
    run.change(run.place(Decision.STALE), decision=Decision.DUPLICATE)


def another_reason(run: Run) -> None:
    run.change(run.place(Decision.INELIGIBLE), reason=Reason.WRAP_UP_SET)


def another_basis(run: Run) -> None:
    run.change(run.place(Decision.PATCHED), basis=Basis.CACHE)


def no_patch(run: Run) -> None:
    run.api[ELIGIBLE[0]] = ApiCounts(calls=2, patches_applied=0)


def never_asked(run: Run) -> None:
    del run.api[ELIGIBLE[0]]


def patched_twice(run: Run) -> None:
    run.api[ELIGIBLE[0]] = ApiCounts(calls=3, patches_applied=2)


def patched_wrongly(run: Run) -> None:
    run.api[OTHERS[0]] = ApiCounts(calls=2, patches_applied=1)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (not_accepted, "events that the bridge did not accept: 1 (400 no event"),
        (lost, "events that are not in Kafka: 1 ("),
        (written_twice, "events in Kafka more often than they were sent: 1 ("),
        (no_outcome, "events without a final outcome: 1 ("),
        (only_deferred, "events without a final outcome: 1 ("),
        (two_outcomes, "events with more than one final outcome: 1 ("),
        (stray_outcome, "outcomes of no event that is in Kafka: 1 (3/999999"),
        (another_event, "outcomes that name another event than theirs: 1 ("),
        (another_interaction, "outcomes that name another event than theirs: 1 ("),
        (another_decision, "instead of stale/stale-sequence/cache"),
        (another_reason, "is ineligible/wrap-up-already-set/"),
        (another_basis, "is patched/eligible/cache instead of patched/eligible/api"),
        (no_patch, f"eligible interactions without a PATCH: 1 ({ELIGIBLE[0]}"),
        (never_asked, f"eligible interactions without a PATCH: 1 ({ELIGIBLE[0]}"),
        (patched_twice, f"interactions PATCHed more than once: 1 ({ELIGIBLE[0]}"),
        (patched_wrongly, f"interactions PATCHed that are not eligible: 1 ({OTHERS[0]}"),
    ],
)
def test_each_deviation_fails_the_run_and_is_shown(
    run: Run, spoil: Callable[[Run], None], said: str
) -> None:
    spoil(run)
    account = run.account()
    assert not account.passed
    assert [each for each in account.deviations if said in each] == list(account.deviations)


def test_an_event_sent_again_may_be_in_kafka_twice(run: Run) -> None:
    """The bridge had to say 503, and Kafka had the event all the same."""
    written_twice(run)
    run.delivery.retries = 1
    account = run.account()
    assert account.passed
    assert account.records == account.sent + 1


def test_of_many_only_a_few_are_named(run: Run) -> None:
    run.ledger.final.clear()
    deviation = run.account().deviations[0]
    assert deviation.startswith(f"events without a final outcome: {len(EVENTS)} (")
    assert deviation.endswith(", …)")
    assert deviation.count(" at ") == 3


def test_the_example_is_there_without_eligible_interactions() -> None:
    account = account_for(
        Ledger(), delivery=DeliveryReport(), truths={"a": {"type": "chat"}}, api={}, seconds=0.0
    )
    assert account.example == "a"
    assert (account.calls_per_eligible, account.calls_per_other_voice) == (None, None)
    assert account.rate == 0.0
