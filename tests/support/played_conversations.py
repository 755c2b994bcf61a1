"""The demo's conversations, decided by the core without a worker: what its ledger would hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from streams.core.conversations.policy import WrapUpPolicy
from streams.errors import WrapUpClosed
from streams.local.conversations.playing import SPEED
from streams.local.conversations.population import conversations
from streams.local.conversations.scenario import Reply, Scenario, all_moved
from streams.local.demo.leg_account import ConversationLedger, LegAccount, account_for_legs
from streams.local.generator.delivery import DeliveryReport
from tests.support.conversation_desk import Cloud, Desk, parsed
from tests.support.scenarios import CODE, START_MS

CLOSED_CODE = "conversation.error.participant.no.active.conversations"

# More PATCHes than any conversation gets.
MANY = 50

# The contract's defaults, as fast as the demo plays.
POLICY = WrapUpPolicy(
    code=CODE,
    margin_ms=round(10_000 / SPEED),
    patience_ms=round(900_000 / SPEED),
    verify_ms=round(60_000 / SPEED),
    threshold_ms=round(30_000 / SPEED),
    lag_window_ms=round(60_000 / SPEED),
)


def scenarios(seed: int, count: int) -> list[Scenario]:
    """As the demo plays them, at a fixed time."""
    return all_moved(list(conversations(seed, count)), START_MS, 1 / SPEED)


@dataclass
class Played:
    """A demo in which all went well, for a test to spoil."""

    scenarios: list[Scenario]
    ledger: ConversationLedger = field(default_factory=ConversationLedger)
    delivery: DeliveryReport = field(default_factory=DeliveryReport)
    writes: list[dict[str, Any]] = field(default_factory=list)
    gets: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, told: list[Scenario]) -> Played:
        played = cls(told)
        for number, scenario in enumerate(told):
            played.decide(number, scenario)
        return played

    def account(self) -> LegAccount:
        return account_for_legs(
            self.ledger,
            delivery=self.delivery,
            scenarios=self.scenarios,
            writes=self.writes,
            gets=self.gets,
            seconds=30.0,
        )

    def decide(self, number: int, scenario: Scenario) -> None:
        """One conversation, in a partition of its own."""
        arrivals = list(scenario.arrivals())
        self.ledger.sent += [event["id"] for _, event in arrivals]
        log = [(at_ms, event) for at_ms, raw in arrivals for event in parsed([raw])]
        self.delivery.accepted += len(log)
        self.delivery.skipped += len(arrivals) - len(log)
        if not log:
            return
        desk = Desk(log, cloud_of(scenario), POLICY)
        desk.live()
        conversation_id = scenario.conversation_id
        for offset, (at_ms, _) in enumerate(log):
            self.ledger.records[number, offset] = conversation_id, at_ms
        for key, verdict in desk.final().items():
            leg = {"participantId": key[1]} if key[0] == "leg" else None
            source = {"partition": number, "offset": key[1] if leg is None else 0}
            said = {"decision": verdict.decision.value, "reason": verdict.reason.value}
            about = {"final": True, "interactionId": conversation_id, "leg": leg}
            self.ledger.enter(about | said | {"source": source}, log[-1][0])
        self.gets[conversation_id] = len(desk.cloud.gets)
        applied = {(at_ms, participant_id) for at_ms, participant_id, _ in desk.cloud.applied}
        self.writes += [
            {
                "atMs": at_ms,
                "conversationId": conversation_id,
                "participantId": participant_id,
                "status": 202 if (at_ms, participant_id) in applied else 400,
            }
            for at_ms, participant_id in desk.cloud.patches
        ]


def cloud_of(scenario: Scenario) -> Cloud:
    """Genesys Cloud, as the scenario has it."""
    refuses = isinstance(scenario.answers.patch, Reply)
    closed = WrapUpClosed("closed", status=400, code=CLOSED_CODE)
    return Cloud(
        [(state.since_ms, state.conversation) for state in scenario.get.states],
        visible_ms=round((scenario.answers.visible_after_seconds or 0) * 1000),
        patch_faults=(closed,) * MANY if refuses else (),
    )
