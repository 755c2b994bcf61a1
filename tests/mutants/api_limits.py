"""Throttle and breaker (promises 9 and 10): how the API is spared."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

BREAKER = "streams/genesys/breaker.py"
BUDGET = "streams/genesys/budget.py"
GATE = "streams/genesys/gate.py"

TEST_BREAKER = "tests/unit/genesys/test_breaker.py"
TEST_BUDGET = "tests/unit/genesys/test_budget.py"
TEST_THROTTLED = "tests/unit/genesys/client/test_throttled.py"
TEST_AFTER_429 = "tests/unit/genesys/gate/test_after_a_429.py"
TEST_API_FAILS = "tests/unit/genesys/gate/test_while_the_api_fails.py"
TEST_TURNS = "tests/unit/genesys/gate/test_turns.py"

MUTANTS = (
    # 9 Throttle
    Mutant(
        "a 429 pauses no gate",
        9,
        "streams/genesys/client.py",
        "                self.gate.pause(error.retry_after)\n",
        "                error.add_note('not obeyed')\n",
        (
            f"{TEST_THROTTLED}::test_429_is_tried_again_when_its_retry_after_has_passed",
            f"{TEST_THROTTLED}::test_no_lane_sends_anything_while_the_gate_is_paused",
        ),
    ),
    Mutant(
        "open with a stampede after a 429",
        9,
        GATE,
        "        self._opening = 1\n",
        "",
        (
            f"{TEST_AFTER_429}::test_after_a_429_it_opens_gently",
            f"{TEST_AFTER_429}::test_a_request_that_comes_while_it_opens_counts_too",
        ),
    ),
    Mutant(
        "open wide on what was on its way before the 429",
        9,
        GATE,
        " and permit.sent_at >= self._opens_at",
        "",
        (f"{TEST_AFTER_429}::test_what_was_on_its_way_when_it_paused_does_not_open_it",),
    ),
    Mutant(
        "let a new GET go before a PATCH that waits",
        9,
        GATE,
        "heapq.heappush(self._queue, (turn, next",
        "heapq.heappush(self._queue, (Turn.GET, next",
        (
            f"{TEST_TURNS}::test_a_patch_goes_before_gets_that_came_earlier",
            f"{TEST_THROTTLED}::test_a_patch_leaves_before_gets_that_came_earlier",
        ),
    ),
    Mutant(
        "keep to no pace",
        9,
        GATE,
        "else max(0.0, self.budget.next_at(now) - now)",
        "else 0.0",
        (
            f"{TEST_TURNS}::test_requests_leave_at_the_pace_of_the_budget",
            f"{TEST_TURNS}::test_a_budget_that_is_used_up_holds_all_until_its_window_ends",
        ),
    ),
    Mutant(
        "forget the requests on their way",
        9,
        BUDGET,
        "        since = self._sent - window.counted_by\n",
        "        since = 0\n",
        (f"{TEST_BUDGET}::test_requests_on_their_way_count",),
    ),
    Mutant(
        "believe that the window ends where the last answer says",
        9,
        BUDGET,
        "max(window.least, least), min(window.most, most)",
        "least, most",
        (f"{TEST_BUDGET}::test_each_answer_narrows_down_when_the_window_ends",),
    ),
    Mutant(
        "hold a date to wait for against our own clock",
        9,
        "streams/genesys/answers.py",
        "    since = now if theirs is None else theirs\n",
        "    since = now\n",
        (
            "tests/unit/genesys/test_answers.py"
            "::test_a_date_to_wait_for_is_held_against_the_senders_own_clock",
        ),
    ),
    # 10 Breaker
    Mutant(
        "call an API that is down",
        10,
        GATE,
        "        if not self.breaker.admits(now):\n            return RELOOK_SECONDS\n",
        "",
        (f"{TEST_API_FAILS}::test_an_open_breaker_lets_nothing_through_but_probes",),
    ),
    Mutant(
        "stay open for as long as the API is slow",
        10,
        BREAKER,
        "        if result is Result.FAILED:\n            self._open(",
        "        if result in (Result.FAILED, Result.SLOW):\n            self._open(",
        (
            f"{TEST_BREAKER}::test_it_closes_also_when_the_probes_were_answered_slowly",
            f"{TEST_API_FAILS}::test_an_api_that_recovers_slowly_refuses_nobody",
        ),
    ),
    Mutant(
        "open for an API that answers every call slowly",
        10,
        BREAKER,
        "        if result is not Result.FAILED:\n            return  #",
        "        if result is Result.GOOD:\n            return  #",
        (
            f"{TEST_BREAKER}::test_an_api_that_answers_every_call_slowly_is_never_down",
            f"{TEST_API_FAILS}::test_an_api_that_recovers_slowly_refuses_nobody",
        ),
    ),
    Mutant(
        "probe with all there is",
        10,
        BREAKER,
        "return self._probing + self._passed < self.policy.probes",
        "return True",
        (f"{TEST_BREAKER}::test_half_open_lets_a_fixed_few_through",),
    ),
    Mutant(
        "take an interaction that fails for an outage",
        10,
        BREAKER,
        "            self._streaks.clear()\n        calls, bad",
        "            pass\n        calls, bad",
        (f"{TEST_BREAKER}::test_an_interaction_that_fails_while_others_succeed_is_no_outage",),
    ),
    Mutant(
        "believe a call that began before the breaker opened",
        10,
        BREAKER,
        "        if epoch != self._epoch:\n            return\n",
        "",
        (f"{TEST_BREAKER}::test_what_a_call_of_an_earlier_state_says_is_out_of_date",),
    ),
    Mutant(
        "notice an outage only where the budget is large",
        10,
        BREAKER,
        " and calls >= self.policy.minimum_calls:\n                break",
        ":\n                break",
        (f"{TEST_BREAKER}::test_where_the_window_has_too_few_calls_those_before_it_count_as_well",),
    ),
    Mutant(
        "put off what has waited long for the budget",
        10,
        GATE,
        "now - max(waiter.since, failing_since)",
        "now - waiter.since",
        (f"{TEST_API_FAILS}::test_a_long_wait_for_the_budget_is_none_for_the_breaker",),
    ),
    Mutant(
        "count a refusal as a failure of the API",
        10,
        GATE,
        "        elif status not in (401, 429):\n",
        "        elif status == 429:\n            self.result = Result.FAILED\n        else:\n",
        (f"{TEST_API_FAILS}::test_status_errors_by_a_limit_say_nothing_of_the_apis_health",),
    ),
)
