"""What is right for a leg, from what happened."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streams.clock import rfc3339
from streams.local.conversations.history import History, Work
from streams.local.conversations.truth import Rules, expected
from tests.support.scenarios import START_MS, call

END = START_MS + 61_000


def verdict(history: History, rules: Rules | None = None, **how: bool) -> str:
    """Why the agent's leg is left, or from when on it may be set."""
    right = expected(history, rules or Rules(), **how)
    said = [leg.not_before for leg in right.set]
    said += [leg.why for leg in right.leave + right.refused]
    (only,) = said
    return only


def with_agent(history: History, **change: object) -> History:
    customer, agent = history.legs
    return replace(history, legs=(customer, replace(agent, **change)))  # type: ignore[arg-type]


def at(ms: int) -> str:
    return rfc3339(ms / 1000)


def test_pending_is_waited_for_with_a_margin() -> None:
    assert verdict(call()) == at(END + 120_000 + 10_000)


@pytest.mark.parametrize("prompt", ["mandatory", "optional"])
def test_pending_without_a_time_is_waited_for_with_patience(prompt: str) -> None:
    history = with_agent(call(), prompt=prompt, timeout_ms=None)
    assert verdict(history) == at(END + 900_000)


@pytest.mark.parametrize("code", ["ININ-WRAP-UP-TIMEOUT", "ININ-WRAP-UP-SKIPPED", None])
def test_an_end_without_a_code_that_counts_ends_the_wait(code: str | None) -> None:
    assert verdict(call(Work(END, END + 5_000, code))) == at(END + 5_000)


def test_never_before_the_call_is_over() -> None:
    history = call(Work(END, END + 5_000, "ININ-WRAP-UP-TIMEOUT"))
    customer, agent = history.legs
    stays = replace(history, legs=(replace(customer, end_ms=END + 60_000), agent))
    assert verdict(stays) == at(END + 60_000)


@pytest.mark.parametrize(
    ("history", "reason"),
    [
        (call(connected=False), "not-connected"),
        (call(seconds=29), "duration-below-threshold"),
        (call(Work(END, END + 5_000, "of-the-agent")), "wrap-up-already-set"),
        (call(Work(END, END + 5_000, "picked", picked_ms=END + 1)), "wrap-up-already-set"),
        (with_agent(call(), prompt=None), "wrap-up-not-required"),
        (replace(call(), campaign_id="k-1"), "campaign"),
    ],
)
def test_what_is_left(history: History, reason: str) -> None:
    assert verdict(history) == reason


def test_the_edge_of_the_threshold_is_enough() -> None:
    assert verdict(call(seconds=30)).startswith("2026-")


def test_what_is_closed_is_refused_where_it_would_be_set() -> None:
    assert verdict(call(), refused=True) == "wrap-up-closed"
    assert verdict(call(connected=False), refused=True) == "not-connected"


def test_the_operator_may_want_other_legs() -> None:
    assert verdict(replace(call(), campaign_id="k-1"), Rules(campaigns=True)).startswith("2026-")
    assert verdict(call(), Rules(media=frozenset({"message"}))) == "non-voice-interaction"
    first = call()
    customer, agent = first.legs
    later = replace(agent, id="later", end_ms=agent.end_ms + 1)
    both = replace(first, legs=(customer, agent, later))
    right = expected(both, Rules(last_leg_only=True))
    assert [leg.participant_id for leg in right.set] == ["later"]
    assert [leg.why for leg in right.leave] == ["not-the-last-leg"]
