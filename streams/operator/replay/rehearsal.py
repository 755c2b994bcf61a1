"""Applies today's rules to what the API says today. Nothing is written and nothing is changed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from dataclasses import dataclass, replace

from streams.core.decision import Policy, Settle
from streams.core.deferral import put_off
from streams.core.envelope import InteractionEvent
from streams.core.inquiry import Inquiry
from streams.core.interaction import Interaction
from streams.core.records import Decision, InteractionRecord, Leg, Verdict
from streams.core.rules import COMPLETED, VOICE
from streams.errors import ApiError
from streams.genesys.api import CallContext, GenesysApi
from streams.operator.replay.past import Question

# How many questions are asked at a time: the answers of a slow API overlap, and some of its budget
# is left for others.
AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """``verdict``: what a worker in a dry run would decide today. A ``deferred`` verdict says that
    the API could not be asked. ``legs``: the same of each leg of a conversation that is over."""

    question: Question
    verdict: Verdict
    legs: tuple[tuple[Leg, Verdict], ...] = ()

    @property
    def verdicts(self) -> tuple[tuple[Leg | None, Verdict], ...]:
        """Those on its legs; where it has none, its own."""
        return self.legs or ((None, self.verdict),)

    @property
    def eligible(self) -> bool:
        """Whether it, or one of its legs, would get a code."""
        return any(verdict.decision is Decision.WOULD_PATCH for _, verdict in self.verdicts)

    @property
    def unanswered(self) -> bool:
        """The API failed or refused, so nothing is known."""
        return self.verdict.decision in (Decision.DEFERRED, Decision.FAILED)


# Asks the API one question. Never raises an ApiError.
Ask = Callable[[Question], Awaitable[Rehearsed]]


async def rehearse(questions: Iterable[Question], ask: Ask) -> AsyncGenerator[Rehearsed]:
    """Yields the answer to each question, in the order of the questions."""
    asked: deque[asyncio.Future[Rehearsed]] = deque()
    left = iter(questions)
    try:
        while True:
            while len(asked) < AT_ONCE and (question := next(left, None)) is not None:
                asked.append(asyncio.ensure_future(ask(question)))
            if not asked:
                return
            answer = await asked[0]
            asked.popleft()
            yield answer
    finally:
        for task in asked:
            task.cancel()
        if asked:
            await asyncio.wait(asked)


async def ask_interaction(question: Question, api: GenesysApi, policy: Policy) -> Rehearsed:
    """What a worker would decide of an interaction. ``policy`` is used as in a dry run."""
    verdict, _ = await ask(question.interaction_id, api, policy)
    return Rehearsed(question, verdict)


async def ask(
    interaction_id: str, api: GenesysApi, policy: Policy
) -> tuple[Verdict, Interaction | None]:
    """What a worker in a dry run would decide today about an unknown interaction that is over, and
    what the API says of it; None when it gives none."""
    interaction: Interaction | None = None
    event = InteractionEvent(interaction_id, 0, 0, VOICE, COMPLETED, None, None)
    stranger = InteractionRecord(interaction_id=interaction_id)
    inquiry = Inquiry(stranger, event, 0, replace(policy, dry_run=True))
    try:
        while not isinstance(inquiry.step, Settle):
            interaction = await api.fetch(interaction_id, CallContext())
            inquiry.fetched(interaction)
    except ApiError as error:
        if inquiry.failed(error):
            return put_off(error, 1, 0, policy, most=1), None
    return inquiry.verdict, interaction
