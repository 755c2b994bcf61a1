"""A replay of ``conversations``: what past events tell, and what a look would decide today."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from streams.core.conversations.arrival import noting, wants
from streams.core.conversations.conversation import Conversation
from streams.core.conversations.events import (
    ConversationEvent,
    EventName,
    parse_conversation_event,
)
from streams.core.conversations.legs import Leave, SetNow
from streams.core.conversations.policy import WrapUpPolicy
from streams.core.conversations.record import ConversationRecord
from streams.core.conversations.rehearsal import JudgedLeg, judged
from streams.core.conversations.verdicts import lasting
from streams.core.faults import fault, passing
from streams.core.records import Basis, Decision, Fault, Leg, Reason, Verdict
from streams.errors import ApiError, NotFound
from streams.genesys.api import CallContext
from streams.operator.replay.past import Question
from streams.operator.replay.rehearsal import Rehearsed


class LooksAtConversations(Protocol):
    """Collaborator: reads conversations (``streams/genesys/conversations_client.py``)."""

    async def look(self, conversation_id: str, context: CallContext) -> Conversation:
        """GET the conversation. Raises ApiError."""
        ...


@dataclass(frozen=True, slots=True)
class ConversationsReading:
    """A Reading of ``streams/operator/replay/past.py``."""

    policy: WrapUpPolicy
    parse = staticmethod(parse_conversation_event)

    def asks(self, event: ConversationEvent, offset: int) -> bool:
        """Whether a worker would plan a look for this event, of a conversation that it has not
        heard of. One look is enough, however many events ask for it."""
        return event.name is not EventName.OUTBOUND and wants(event, self.policy)

    def told(
        self, before: ConversationRecord | None, event: ConversationEvent
    ) -> ConversationRecord:
        """What events have told, with this one."""
        known = before or ConversationRecord(event.conversation_id)
        return noting(known, event, self.policy)


async def ask_conversation(
    question: Question, api: LooksAtConversations, policy: WrapUpPolicy, now_ms: int
) -> Rehearsed:
    """What a worker would decide of each leg. ``policy``: of a dry run."""
    verdict, legs = await ask_legs(question.interaction_id, question.told, api, policy, now_ms)
    return Rehearsed(question, verdict, legs)


async def ask_legs(
    conversation_id: str,
    told: ConversationRecord | None,
    api: LooksAtConversations,
    policy: WrapUpPolicy,
    now_ms: int,
) -> tuple[Verdict, tuple[tuple[Leg, Verdict], ...]]:
    """The verdict on a record of the conversation, and those on its legs, once it is over.
    ``told``: what events have told of it."""
    try:
        conversation = await api.look(conversation_id, CallContext())
    except NotFound as error:
        return _verdict(Decision.NOT_FOUND, Reason.NOT_FOUND, fault(error)), ()
    except ApiError as error:
        put_off = (Decision.DEFERRED, passing(error))
        decision, reason = put_off if error.retriable else lasting(error)
        return _verdict(decision, reason, fault(error)), ()
    if not conversation.over:
        return _verdict(Decision.NOTED, Reason.LOOK_PLANNED), ()
    if not conversation.legs:
        return _verdict(Decision.INELIGIBLE, Reason.NO_AGENT_LEG), ()
    legs = judged(conversation, policy, now_ms, told)
    return (
        _verdict(Decision.NOTED, Reason.LOOK_PLANNED),
        tuple((each.leg, _of_leg(each, policy)) for each in legs),
    )


def _of_leg(each: JudgedLeg, policy: WrapUpPolicy) -> Verdict:
    """The verdict on a leg; that a look is planned, if its agent has time left."""
    match each.judgement:
        case SetNow():
            decision, reason, code = Decision.WOULD_PATCH, Reason.ELIGIBLE, policy.code
        case Leave(left_for):
            decision, reason, code = Decision.INELIGIBLE, left_for, None
        case _:
            decision, reason, code = Decision.NOTED, Reason.LOOK_PLANNED, None
    return Verdict(
        decision,
        reason,
        Basis.API,
        dry_run=True,
        disposition_code_id=code,
        duration_ms=each.duration_ms,
    )


def _verdict(decision: Decision, reason: Reason, error: Fault | None = None) -> Verdict:
    return Verdict(decision, reason, Basis.API, dry_run=True, error=error)
