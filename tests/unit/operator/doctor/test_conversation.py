"""One conversation as the doctor sees it, in a simulated org, and what it does there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from streams.core.conversations.policy import WrapUpPolicy
from streams.local.conversations.history import History, Work
from streams.local.simulator.api import Simulator
from streams.local.simulator.conversations import Org
from streams.local.simulator.server import serving
from streams.operator.doctor.check import Check, Result
from streams.operator.doctor.conversation import ConversationProbe
from streams.operator.doctor.examination import asking, conversations_of
from tests.support.scenarios import CODE, START_MS, call, told
from tests.support.scripted import LeapingClock
from tests.unit.operator.doctor.org import settings_of

POLICY = WrapUpPolicy(code=CODE, verify_ms=10_000)
TIMED_OUT = Work(START_MS + 61_000, START_MS + 181_000, "ININ-WRAP-UP-TIMEOUT")


class Afterwards(LeapingClock):
    """A clock so many seconds after the call began."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._begun = START_MS / 1000 + seconds - self.now

    def time(self) -> float:
        return self._begun + self.now


async def probed(
    history: History,
    *,
    after: float = 3600,
    policy: WrapUpPolicy = POLICY,
    really: bool = False,
    org: Org | None = None,
    conversation_id: str | None = None,
) -> tuple[list[Check], Simulator]:
    """What is said of it so many seconds after its beginning, and the org afterwards."""
    clock = Afterwards(after)
    simulator = Simulator(clock=clock)
    simulator.conversations.org = org or Org(wrap_up_codes={CODE: "Not coded"})
    simulator.conversations.store.load([told(history)])
    async with serving(simulator) as url:
        settings = settings_of(url)
        dialect = conversations_of(settings)
        async with asking(settings, clock, dialect) as calls:
            probe = ConversationProbe(
                calls, base_url=url, dialect=dialect, policy=policy, clock=clock
            )
            checks = probe.run(conversation_id or history.id, really=really)
            return [each async for each in checks], simulator


def writes(simulator: Simulator) -> list[tuple[str, int]]:
    return [(each.code, each.status) for each in simulator.conversations.store.writes]


async def test_a_leg_that_is_due_is_told_and_left_as_it_is() -> None:
    history = call(TIMED_OUT)
    (whole, leg, offered), simulator = await probed(history)
    assert whole.found == "it is over, with 1 legs of agents"
    assert leg.check == f"leg {history.agents[0].id}"
    assert leg.found.startswith(f"it gets {CODE} now: eligible ")
    assert (offered.result, "offers" in offered.found) == (Result.OK, True)
    assert writes(simulator) == []


async def test_really_sets_the_code_once_and_looks_until_it_shows() -> None:
    history = call(TIMED_OUT)
    org = Org(wrap_up_codes={CODE: "Not coded"}, visible_after_seconds=3)
    checks, simulator = await probed(history, really=True, org=org)
    assert {each.result for each in checks} == {Result.OK}
    assert checks[-2].found.startswith("202: ")
    assert checks[-1].found == "the code shows 3 s after it was accepted"
    assert writes(simulator) == [(CODE, 202)]


async def test_a_code_that_never_shows_fails() -> None:
    checks, simulator = await probed(
        call(TIMED_OUT), really=True, org=Org(visible_after_seconds=60)
    )
    assert checks[-1].result is Result.FAILED
    assert "10 s after" in checks[-1].found
    assert writes(simulator) == [(CODE, 202)]


@pytest.mark.parametrize(
    ("org", "said"),
    [
        (Org(closes_after_seconds=0), "takes no wrap-up code for this leg any more"),
        (Org(needs_user=True), "GENESYS_CLOUD_REFRESH_TOKEN"),
        (
            Org(missing_permissions=frozenset({"conversation:participant:wrapup"})),
            "conversation:participant:wrapup",
        ),
    ],
)
async def test_a_refusal_says_what_it_means(org: Org, said: str) -> None:
    checks, _ = await probed(call(TIMED_OUT), really=True, org=org)
    assert checks[-1].result is Result.FAILED
    assert said in str(checks[-1])


@pytest.mark.parametrize(
    ("work", "after", "said"),
    [
        (None, 120.0, "has time for a code until 2026-03-02T09:03:11.000Z"),
        (Work(START_MS + 61_000, START_MS + 70_000, "chosen"), 3600, "wrap-up-already-set"),
    ],
)
async def test_a_leg_that_is_not_due_gets_no_code(work: Any, after: float, said: str) -> None:
    checks, simulator = await probed(call(work), after=after, really=True)
    assert len(checks) == 2
    assert said in checks[1].found
    assert writes(simulator) == []


async def test_a_conversation_that_goes_on() -> None:
    (check,), _ = await probed(call(TIMED_OUT), after=30, really=True)
    assert check.result is Result.OK
    assert check.found.startswith("it goes on")


async def test_one_without_an_agent() -> None:
    history = call()
    customer = History(history.id, history.kind, history.legs[:1])
    (check,), _ = await probed(customer)
    assert "nobody to code" in check.found


async def test_one_that_there_is_not_or_that_we_may_not_see() -> None:
    (check,), _ = await probed(call(), conversation_id="c-2")
    assert (check.check, check.result) == ("conversation", Result.FAILED)
    assert "no conversation c-2" in check.found
    unseen = Org(missing_permissions=frozenset({"conversation:communication:view"}))
    (check,), _ = await probed(call(), org=unseen)
    assert check.result is Result.FAILED
    assert "conversation:communication:view" in check.found


async def test_a_queue_that_does_not_offer_the_code_is_told() -> None:
    checks, _ = await probed(call(TIMED_OUT), org=Org(wrap_up_codes={"other": "Other"}))
    assert checks[-1].result is Result.WARNING
    assert "does not offer" in checks[-1].found


async def test_a_campaigns_call_is_left() -> None:
    history = call(TIMED_OUT)
    customer, agent = history.legs
    dialled = replace(agent, attributes={"dialerCampaignId": "campaign-1"})
    checks, _ = await probed(replace(history, legs=(customer, dialled)))
    assert "campaign" in checks[1].found
