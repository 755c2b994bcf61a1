"""Today's rules on what the API says today."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from streams.core.decision import Policy
from streams.core.interaction import Interaction
from streams.core.records import Decision, Reason, Source
from streams.errors import ApiError, Forbidden, NotFound, ServerError
from streams.genesys.api import CallContext
from streams.operator.replay.past import Question
from streams.operator.replay.rehearsal import AT_ONCE, Ask, Rehearsed, ask_interaction, rehearse
from tests.support.world import CODE, ELIGIBLE, event

POLICY = Policy(code=CODE, dry_run=True)


def question(number: int) -> Question:
    return Question(f"i-{number}", Source("events", 0, number), number, b"", event())


class ReadOnlyApi:
    """Answers a GET with what the test says, the later ones first. Knows no PATCH."""

    def __init__(self, *answers: Interaction | ApiError) -> None:
        self._answers = answers
        self.at_once = self.most = 0

    async def fetch(self, interaction_id: str, context: CallContext) -> Interaction:
        number = int(interaction_id.removeprefix("i-"))
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        for _ in range(100 - number):
            await asyncio.sleep(0)
        self.at_once -= 1
        answer = self._answers[number]
        if isinstance(answer, ApiError):
            raise answer
        return answer

    async def set_disposition(
        self, interaction_id: str, code: str, etag: str | None, context: CallContext
    ) -> int:
        raise AssertionError("a rehearsal changes nothing")


def asking(api: ReadOnlyApi) -> Ask:
    return lambda question: ask_interaction(question, api, POLICY)


async def answers(*of: Interaction | ApiError) -> Sequence[Rehearsed]:
    questions = [question(number) for number in range(len(of))]
    return [each async for each in rehearse(questions, asking(ReadOnlyApi(*of)))]


async def test_in_the_order_of_the_questions_whenever_the_answers_come() -> None:
    answered = await answers(*[ELIGIBLE] * 30)

    assert [each.question.interaction_id for each in answered] == [f"i-{n}" for n in range(30)]
    assert {each.verdict.decision for each in answered} == {Decision.WOULD_PATCH}
    assert {each.verdict.disposition_code_id for each in answered} == {CODE}


async def test_no_more_than_a_few_are_asked_at_once() -> None:
    api = ReadOnlyApi(*[ELIGIBLE] * 30)
    async for _ in rehearse([question(number) for number in range(30)], asking(api)):
        pass

    assert api.most == AT_ONCE


@pytest.mark.parametrize(
    ("answer", "reason", "eligible", "unanswered"),
    [
        (ELIGIBLE, Reason.ELIGIBLE, True, False),
        (replace(ELIGIBLE, duration_ms=10_000), Reason.TOO_SHORT, False, False),
        (replace(ELIGIBLE, disposition_code_id="x"), Reason.DISPOSITION_SET, False, False),
        (NotFound("gone", status=404), Reason.NOT_FOUND, False, False),
        (Forbidden("no scope", status=403), Reason.FORBIDDEN, False, True),
        (ServerError("down", status=500), Reason.SERVER_ERROR, False, True),
    ],
    ids=lambda value: getattr(value, "value", None),
)
async def test_what_is_known_and_what_is_not(
    answer: Interaction | ApiError, reason: Reason, *, eligible: bool, unanswered: bool
) -> None:
    (answered,) = await answers(answer)

    assert answered.verdict.reason is reason
    assert (answered.eligible, answered.unanswered) == (eligible, unanswered)


async def test_who_stops_reading_leaves_nobody_asking() -> None:
    rehearsing = rehearse([question(number) for number in range(30)], asking(never()))
    reading = asyncio.ensure_future(anext(rehearsing))
    before = asyncio.all_tasks() - {reading}
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks() - before) == 1 + AT_ONCE

    reading.cancel()
    await asyncio.wait({reading})

    assert asyncio.all_tasks() == before


def never() -> ReadOnlyApi:
    class Never(ReadOnlyApi):
        async def fetch(self, interaction_id: str, context: CallContext) -> Interaction:
            await asyncio.Event().wait()
            raise AssertionError

    return Never()
