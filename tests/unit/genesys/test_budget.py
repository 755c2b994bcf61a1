"""The pace at which the API's budget is used, against a simulated window."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.genesys.budget import ALLOWED, COUNT, RESET, Budget, Quota, quota_of
from tests.support.examples import times

MINUTES = 5


def test_the_headers() -> None:
    assert quota_of({COUNT: "7", ALLOWED: "300", RESET: "42"}) == Quota(7, 300, 42)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {COUNT: "7", ALLOWED: "300"},
        {COUNT: "7", ALLOWED: "many", RESET: "42"},
        {COUNT: "7", ALLOWED: "0", RESET: "42"},
        {COUNT: "-7", ALLOWED: "300", RESET: "42"},
        {COUNT: "7", ALLOWED: "300", RESET: "-1"},
        {COUNT: "7", ALLOWED: "300", RESET: "3600"},
        {COUNT: "7", ALLOWED: "300", RESET: "1765552507"},
        {COUNT: "7", ALLOWED: "300", RESET: "9" * 400},
        {COUNT: "7", ALLOWED: "9" * 400, RESET: "42"},
        {COUNT: "9" * 400, ALLOWED: "300", RESET: "42"},
    ],
)
def test_headers_one_can_not_keep_to_are_none(headers: dict[str, str]) -> None:
    assert quota_of(headers) is None


def test_one_request_asks_where_the_window_stands() -> None:
    budget = Budget(300)
    assert budget.next_at(0) == 0
    number = budget.send(0)
    assert budget.next_at(0) == math.inf

    budget.answered(number, Quota(1, 300, 60), 0, 0.1)

    assert budget.next_at(0.1) < 0.4


def test_without_headers_the_pace_is_the_settings() -> None:
    budget, now, left = Budget(300), 0.0, []
    for _ in range(50):
        now = max(now, budget.next_at(now))
        left.append(now)
        budget.answered(budget.send(now), None, now, now)

    gaps = [later - earlier for earlier, later in pairwise(left)]
    assert gaps == pytest.approx([0.2] * 49, abs=0.06)


def test_what_the_api_allows_wins_over_the_setting() -> None:
    budget = Budget(300)
    budget.answered(budget.send(0), Quota(1, 600, 60), 0, 0)
    budget.send(0)

    assert budget.next_at(0) == pytest.approx(0.1, abs=0.06)


def test_a_budget_that_is_used_up_waits_for_the_end_of_its_window() -> None:
    budget = Budget(300)
    budget.answered(budget.send(0), Quota(300, 300, 25), 0, 0.2)

    assert budget.next_at(1) == pytest.approx(25.2)


def test_each_answer_narrows_down_when_the_window_ends() -> None:
    """Whole seconds are given: 54 at 5.5, and still 54 at 6.4."""
    budget = Budget(300)
    for sent_at, count, reset in [(0.0, 1, 60), (5.5, 2, 54), (6.4, 300, 54)]:
        number = budget.send(sent_at)
        budget.answered(number, Quota(count, 300, reset), sent_at, sent_at + 0.1)

    assert budget.next_at(10) == pytest.approx(59.6)


def test_requests_on_their_way_count() -> None:
    budget = Budget(300)
    budget.answered(budget.send(0), Quota(298, 300, 25), 0, 0)
    budget.send(20)
    budget.send(20)

    assert budget.next_at(24) == 25


def test_an_answer_that_comes_late_does_not_take_the_count_back() -> None:
    budget = Budget(300)
    first = budget.send(0)
    budget.answered(first, Quota(1, 300, 60), 0, 0)
    late, soon = budget.send(1), budget.send(1)
    budget.answered(soon, Quota(300, 300, 59), 1, 1.1)
    budget.answered(late, Quota(299, 300, 59), 1, 3)

    assert budget.next_at(3) > 59


def test_a_quiet_minute_does_not_end_in_a_burst() -> None:
    budget = Budget(300)
    budget.answered(budget.send(0), Quota(1, 300, 60), 0, 0)
    now, times = 55.0, []
    for _ in range(10):
        now = max(now, budget.next_at(now))
        times.append(now)
        budget.send(now)

    assert times[-1] - times[0] > 9 * 0.1 - 0.06


@dataclass
class Api:
    """A fixed window as Genesys Cloud's: begins with a request. ``rounding``: how it gives what is
    left of it."""

    allowed: int
    rounding: str
    ends_at: float = -math.inf
    count: int = 0
    good: int = 0
    refused: int = 0

    def take(self, now: float) -> Quota:
        if now >= self.ends_at:
            self.ends_at, self.count = now + 60, 0
        self.count += 1
        if self.count > self.allowed:
            self.refused += 1
        else:
            self.good += 1
        left = self.ends_at - now
        rounded = {"up": math.ceil(left), "down": math.floor(left), "near": round(left)}
        return Quota(self.count, self.allowed, max(1, rounded[self.rounding]))


@dataclass
class Worker:
    """Sends as soon as it may; a 429 pauses its gate until the window is over."""

    budget: Budget
    random: Random
    latency: float
    paused_until: float = -math.inf
    way: list[tuple[float, float, int, Quota]] = field(default_factory=list)

    def step(self, api: Api, now: float) -> None:
        for entry in [entry for entry in self.way if entry[0] <= now]:
            self.way.remove(entry)
            _, sent_at, number, quota = entry
            self.budget.answered(number, quota, sent_at, now)
            if quota.count > quota.allowed:
                self.paused_until = max(self.paused_until, now + quota.reset)
        while now >= self.paused_until and self.budget.next_at(now) <= now:
            latency = self.latency * self.random.uniform(0.5, 1.5)
            number = self.budget.send(now)
            self.way.append((now + latency, now, number, api.take(now + latency / 2)))


def run(api: Api, workers: list[Worker], seconds: float) -> None:
    for tick in range(int(seconds * 100)):
        for worker in workers:
            worker.step(api, tick / 100)


@settings(max_examples=times(0.5))
@given(
    allowed=st.sampled_from([60, 180, 300]),
    rounding=st.sampled_from(["up", "down", "near"]),
    latency=st.sampled_from([0.02, 0.2, 1.0]),
    setting=st.sampled_from([60, 300, 1000]),
    sharers=st.sampled_from([1, 2]),
    seed=st.integers(0, 10_000),
)
def test_the_budget_is_used_to_within_3_percent_and_hardly_ever_exceeded(
    *, allowed: int, rounding: str, latency: float, setting: int, sharers: int, seed: int
) -> None:
    api, random = Api(allowed, rounding), Random(seed)
    workers = [Worker(Budget(setting, shared_by=sharers), random, latency) for _ in range(sharers)]

    run(api, workers, MINUTES * 60)

    assert api.refused <= 0.005 * (api.good + api.refused) + (rounding != "up") * MINUTES * sharers
    # The reserve that sharers keep is the larger a part the smaller the budget.
    reserve = 2 * (sharers - 1) * MINUTES
    assert api.good >= 0.97 * allowed * MINUTES - reserve


@pytest.mark.parametrize("sharers", [2, 4, 8])
@pytest.mark.parametrize("active", ["one", "half", "all"])
def test_what_sharers_do_not_use_the_others_do(sharers: int, active: str) -> None:
    """But for the reserve, which is for what the others have sent and no header shows yet."""
    api, random = Api(300, "up"), Random(1)
    number = {"one": 1, "half": sharers // 2, "all": sharers}[active]

    run(api, [Worker(Budget(300, shared_by=sharers), random, 0.2) for _ in range(number)], 300)

    assert api.refused == 0
    reserve = 2 * (sharers - 1)
    assert api.good >= (0.99 * 300 - reserve) * MINUTES


def test_an_answer_that_was_on_its_way_when_the_window_ended_says_nothing_of_the_next() -> None:
    budget = Budget(300)
    budget.answered(budget.send(0), Quota(1, 300, 2), 0, 0)
    late = budget.send(1.9)
    first = budget.send(2.0 + 0.1)
    budget.answered(first, Quota(1, 300, 60), 2.1, 2.2)

    budget.answered(late, Quota(300, 300, 1), 1.9, 2.3)

    assert budget.next_at(2.3) < 3


def test_after_a_window_one_request_asks_and_what_was_sent_before_does_not_answer() -> None:
    budget = Budget(300)
    budget.answered(budget.send(0), Quota(1, 300, 2), 0, 0)
    late = budget.send(1.9)
    assert budget.next_at(2.1) <= 2.1
    asking = budget.send(2.1)
    assert budget.next_at(2.2) == math.inf

    budget.answered(late, None, 1.9, 2.3)
    assert budget.next_at(2.3) == math.inf

    budget.answered(asking, None, 2.1, 2.4)
    assert budget.next_at(2.4) < 3


def test_an_allowance_that_changes_in_the_middle_sets_the_pace_from_then_on() -> None:
    budget = Budget(300)
    budget.answered(budget.send(0), Quota(1, 300, 60), 0, 0)
    budget.answered(budget.send(1), Quota(2, 60, 59), 1, 1)
    budget.send(1)

    assert budget.next_at(1) == pytest.approx(2, abs=0.2)
