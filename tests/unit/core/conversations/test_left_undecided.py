"""Legs that a look leaves undecided: each has an outcome in the end, whatever comes after it."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from msgspec.structs import replace

from streams.core.conversations.conversation import Conversation
from streams.core.conversations.events import EventName
from streams.core.conversations.look import assess, setting_of
from streams.core.conversations.policy import LookPolicy, WrapUpPolicy
from streams.core.conversations.record import (
    MOST_DECIDED_AT_ONCE,
    ConversationRecord,
    Look,
    OpenLeg,
    Told,
    Waiting,
)
from streams.core.conversations.telling import decided_by_events, told_with
from streams.core.records import Leg
from streams.errors import ApiError, Forbidden, ServerError
from tests.support.conversation_desk import Cloud, Desk, parsed
from tests.support.wrap_up_model import (
    OURS,
    START,
    THEIRS,
    TIMEOUT,
    Story,
    StoryLeg,
    events,
    name,
    states,
)

TALKED = StoryLeg(20_000, 100_000, acw_ends=60_000, code=TIMEOUT)
ALERTED = StoryLeg(0, 900, connected=False)

FORBIDDEN = Forbidden("not allowed", status=403)
DOWN = ServerError("unavailable", status=503)


class FailsLater(Cloud):
    """Answers so many looks, and then none. ``error``: what it answers instead."""

    def __init__(self, answered: int, error: ApiError, states: list[tuple[int, Any]]) -> None:
        super().__init__(states)
        self._answered = answered
        self._error = error

    def get(self, now: int) -> Conversation:
        if len(self.gets) >= self._answered:
            self.gets.append(now)
            raise self._error
        return super().get(now)


def desk(story: Story, cloud: Cloud, looks: LookPolicy | None = None) -> Desk:
    log = [(at, event) for at, raw in events(story) for event in parsed([raw])]
    return Desk(log, cloud, WrapUpPolicy(OURS), looks or LookPolicy())


def without(participant_id: str, shown: list[tuple[int, Any]]) -> list[tuple[int, Any]]:
    """What GET answers, where this participant is not shown."""
    found = []
    for at, body in json.loads(json.dumps(shown)):
        body["participants"] = [e for e in body["participants"] if e["id"] != participant_id]
        found.append((at, body))
    return found


@pytest.mark.parametrize("error", [FORBIDDEN, DOWN], ids=["for good", "too often"])
def test_those_that_were_too_many_for_one_look(error: ApiError) -> None:
    """The record that has planned the look was told, so nobody else is there to tell of them."""
    story = Story((*[ALERTED] * 18, TALKED), 100_000)
    done = desk(story, FailsLater(1, error, states(story)))

    done.live()

    assert done.on_legs().keys() == {name(number) for number in range(19)}
    assert done.on_legs()[name(18)][0] == "failed"
    assert not done.record().pending


def test_those_that_the_api_did_not_show_yet() -> None:
    story = Story((ALERTED, TALKED), 100_000)
    done = desk(story, FailsLater(1, FORBIDDEN, without(name(1), states(story))))

    done.live()

    assert done.on_legs()[name(1)][0] == "failed"
    assert not done.record().pending


def test_one_that_the_api_shows_no_more() -> None:
    leg = StoryLeg(0, 100_000, prompt="mandatory", timeout_ms=None)
    story = Story((leg,), 100_000)
    shown = states(story)
    gone = without(name(0), [(START + 200_000, shown[-1][1])])
    done = desk(story, Cloud([*shown, *gone]), LookPolicy(acw_ms=0))

    done.live()

    assert done.on_legs() == {name(0): ("failed", "retries-exhausted")}
    assert not done.record().pending


def test_no_more_are_told_of_at_once_than_a_record_can_hold() -> None:
    """Of those that the API shows no more."""
    legs = tuple(OpenLeg(Leg(name(number))) for number in range(MOST_DECIDED_AT_ONCE + 2))
    record = ConversationRecord("c-1", open=legs)
    story = Story((), 100_000)
    conversation = Cloud(states(story)).get(START + 200_000)
    setting = setting_of(record, conversation, START + 200_000, 0, WrapUpPolicy(OURS))

    found = assess(record, setting, START, LookPolicy())

    assert (len(found.verdicts), len(found.waiting)) == (MOST_DECIDED_AT_ONCE, 2)
    assert found.left_over


@pytest.mark.parametrize("redriven", [0, 1])
def test_one_that_a_redrive_has_opened_again_needs_its_look(redriven: int) -> None:
    """An event that names the code of another leg tells nothing of it."""
    coded = Told(
        name(1), Leg(name(1), medium="voice"), ended=True, talked_ms=60_000, code=THEIRS, code_at=1
    )
    waiting = Waiting(0, redriven)
    record = ConversationRecord("c-1", told=(coded,), look=Look(START), waiting=(waiting,))

    decided = decided_by_events(record, WrapUpPolicy(OURS))

    assert [each.verdict.reason.value for each in decided] == (
        [] if redriven else ["wrap-up-already-set"]
    )


@pytest.mark.parametrize(
    ("talked", "known"), [((60_000, 0), 60_000), ((0, 60_000), 60_000), ((None, 5), None)]
)
def test_a_second_session_of_an_agent_takes_nothing_from_the_first(
    talked: tuple[int | None, int | None], known: int | None
) -> None:
    """A callback and its call, for one: with the last one alone it would pass for not connected."""
    story = Story((TALKED,), 100_000)
    (end,) = (
        event
        for _, raw in events(story)
        for event in parsed([raw])
        if event.name is EventName.USER_END
    )
    record = ConversationRecord("c-1")
    for number, each in enumerate(talked):
        event = dataclasses.replace(end, talked_ms=each, event_time=end.event_time - number)
        record = replace(record, told=told_with(record, event))

    (told,) = record.told
    assert (told.talked_ms, told.ended_at) == (known, end.event_time)
