"""What would become of each leg of a conversation now: nothing is written, and nothing changed."""

from __future__ import annotations

from dataclasses import dataclass

from streams.core.conversations.conversation import Conversation, Participant
from streams.core.conversations.legs import Judgement, duration_ms, judge
from streams.core.conversations.look import leg_of, setting_of, told_of
from streams.core.conversations.policy import WrapUpPolicy
from streams.core.conversations.record import ConversationRecord
from streams.core.records import Leg


@dataclass(frozen=True, slots=True)
class JudgedLeg:
    """One leg and what would be done with it."""

    participant: Participant
    judgement: Judgement
    duration_ms: int

    @property
    def leg(self) -> Leg:
        """It, as an outcome shows it."""
        return leg_of(self.participant)


def judged(
    conversation: Conversation,
    policy: WrapUpPolicy,
    now_ms: int,
    known: ConversationRecord | None = None,
) -> list[JudgedLeg]:
    """Each leg of a conversation that is over. ``known``: what events have told of it; by default
    nothing, and the API alone says whether an agent's work has ended."""
    record = known or ConversationRecord(conversation.id)
    setting = setting_of(record, conversation, now_ms, now_ms, policy)
    return [
        JudgedLeg(leg, judge(leg, told_of(record, leg), setting), duration_ms(leg, conversation))
        for leg in conversation.legs
    ]
