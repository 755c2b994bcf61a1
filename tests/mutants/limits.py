"""Ownership, limits and a proper end (promises 8 to 13): when a worker holds back or gives up."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

DECISION = "streams/core/decision.py"
LANES = "streams/worker/lanes/lanes.py"
PROCESSOR = "streams/worker/processor.py"
MEMBERSHIP = "streams/worker/partitions/membership.py"
COORDINATOR = "streams/worker/partitions/coordinator.py"
DISPATCHER = "streams/worker/dispatcher.py"
STORES = "streams/worker/state/stores.py"
TABLE = "streams/worker/state/table.py"

BREAKER = "streams/genesys/breaker.py"
BUDGET = "streams/genesys/budget.py"
GATE = "streams/genesys/gate.py"

TEST_BREAKER = "tests/unit/genesys/test_breaker.py"
TEST_BUDGET = "tests/unit/genesys/test_budget.py"
TEST_CALLS = "tests/unit/genesys/client/test_calls.py"
TEST_THROTTLED = "tests/unit/genesys/client/test_throttled.py"
TEST_AFTER_429 = "tests/unit/genesys/gate/test_after_a_429.py"
TEST_API_FAILS = "tests/unit/genesys/gate/test_while_the_api_fails.py"
TEST_TURNS = "tests/unit/genesys/gate/test_turns.py"
TEST_DECISION = "tests/unit/core/test_decision.py"
TEST_LANES = "tests/unit/worker/lanes/test_lanes.py"
TEST_PROCESSOR = "tests/unit/worker/test_processor.py"
TEST_MEMBERSHIP = "tests/unit/worker/partitions/test_membership.py"
TEST_COORDINATOR = "tests/unit/worker/partitions/test_coordinator.py"
TEST_DISPATCHER = "tests/unit/worker/test_dispatcher.py"
TEST_STORES = "tests/unit/worker/state/test_stores.py"
TEST_FORGETTING = "tests/unit/worker/state/table/test_forgetting.py"
TEST_WRITING = "tests/unit/worker/state/table/test_writing.py"

MUTANTS = (
    # 8 Ownership
    Mutant(
        "write after a revocation: the table",
        8,
        TABLE,
        "        await assignment.owned()\n        key, value =",
        "        key, value =",
        (f"{TEST_WRITING}::test_revoked_partition_is_not_written",),
    ),
    Mutant(
        "write after a revocation: the outcome",
        8,
        PROCESSOR,
        "            await work.assignment.owned()\n            verdict = await self._tell",
        "            verdict = await self._tell",
        (f"{TEST_PROCESSOR}::test_ownership_lost",),
    ),
    Mutant(
        "write after a revocation: a PATCH that waited for its turn",
        8,
        "streams/genesys/client.py",
        "        context.guard()\n",
        "",
        (f"{TEST_CALLS}::test_the_guard_is_asked_right_before_the_request_leaves",),
    ),
    Mutant(
        "send without asking for the partition's owner",
        8,
        PROCESSOR,
        "CallContext(guard=work.assignment.check, resting=resting)",
        "CallContext(resting=resting)",
        (f"{TEST_PROCESSOR}::test_ownership_in_doubt",),
    ),
    Mutant(
        "write after a revocation: what is queued",
        8,
        "streams/worker/partitions/assignments.py",
        "            on_revoked=self._fence,\n",
        "",
        (f"{TEST_DISPATCHER}::test_what_an_abandoned_lane_has_queued_is_fenced",),
    ),
    Mutant(
        "let a produce request out while frozen",
        8,
        "streams/kafka/fence.py",
        "            while not self.fenced and not self._may_send():",
        "            while not self.fenced and not self._may_send:",
        ("tests/integration/kafka/test_publisher.py::test_nothing_leaves_while_it_may_not",),
    ),
    Mutant(
        "believe in a session without heartbeats",
        8,
        MEMBERSHIP,
        "        return self._alive_at(time.monotonic())\n",
        "        return self.lost is None\n",
        (
            f"{TEST_MEMBERSHIP}::test_session_ends_without_an_answer",
            f"{TEST_MEMBERSHIP}::test_session_counts_from_when_the_heartbeat_left",
        ),
    ),
    Mutant(
        "believe in a session because a long join has ended",
        8,
        COORDINATOR,
        "            membership.admitted(sent_at)\n",
        "            membership.admitted(time.monotonic())\n",
        (f"{TEST_COORDINATOR}::test_a_join_vouches_from_its_last_request",),
    ),
    Mutant(
        "believe a heartbeat that a loading coordinator answered blindly",
        8,
        MEMBERSHIP,
        "        if not self._alive_at(sent_at):\n            return False\n",
        "",
        (
            f"{TEST_MEMBERSHIP}::test_a_heartbeat_after_the_session_proves_nothing",
            f"{TEST_COORDINATOR}::test_a_heartbeat_answered_after_the_session_has_it_join_again",
        ),
    ),
    Mutant(
        "give partitions up without draining",
        8,
        DISPATCHER,
        "await self.lanes.drain(DRAIN_SECONDS)",
        "await self.lanes.drain(0)",
        (f"{TEST_DISPATCHER}::test_the_record_in_hand_may_end_before_the_partitions_go",),
    ),
    Mutant(
        "claim a changelog offset behind another worker's records",
        8,
        TABLE,
        "        if at.offset == (0 if persisted is None else persisted + 1):\n",
        "        if persisted is None or at.offset > persisted:\n",
        (
            f"{TEST_WRITING}::test_the_store_claims_no_offset_behind_records_of_another_worker",
            f"{TEST_WRITING}::test_the_store_of_an_empty_disk_claims_nothing_it_has_not_read",
        ),
    ),
    # 9 Throttle
    Mutant(
        "a 429 closes no gate",
        9,
        "streams/genesys/client.py",
        "                    self.gate.pause(error.retry_after)\n",
        "                    error.add_note('not obeyed')\n",
        (
            f"{TEST_THROTTLED}::test_429_is_tried_again_when_its_retry_after_has_passed",
            f"{TEST_THROTTLED}::test_no_lane_sends_anything_while_the_gate_is_closed",
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
        (f"{TEST_AFTER_429}::test_what_was_on_its_way_when_it_closed_does_not_open_it",),
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
        "        since = self._sent - window.told_by\n",
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
        (f"{TEST_API_FAILS}::test_refusals_by_a_limit_say_nothing_of_the_apis_health",),
    ),
    # 11 Bounded
    Mutant(
        "work on as many interactions as there are",
        11,
        LANES,
        "Slots(in_flight)",
        "Slots(in_flight * 1_000)",
        (f"{TEST_LANES}::test_no_more_than_in_flight_at_once",),
    ),
    Mutant(
        "keep the slot while a lane only waits",
        11,
        PROCESSOR,
        "CallContext(guard=work.assignment.check, resting=resting)",
        "CallContext(guard=work.assignment.check)",
        (f"{TEST_PROCESSOR}::test_who_waits_to_try_again_rests",),
    ),
    Mutant(
        "let all that comes back in at once",
        11,
        DISPATCHER,
        "round(self._in_flight * RETURNED_SHARE)",
        "self._in_flight",
        (f"{TEST_DISPATCHER}::test_what_comes_back_takes_a_share_of_the_slots_and_no_more",),
    ),
    Mutant(
        "take the whole backlog into memory",
        11,
        LANES,
        "asyncio.Semaphore(in_flight * BACKLOG_PER_SLOT)",
        "asyncio.Semaphore(in_flight * 1_000_000)",
        (
            f"{TEST_LANES}::test_put_waits_while_memory_is_full",
            f"{TEST_DISPATCHER}::test_memory_full_holds_the_agent_back",
        ),
    ),
    Mutant(
        "never forget an interaction",
        11,
        TABLE,
        "and age_ms > self._ttl_ms",
        "and age_ms < 0",
        (
            f"{TEST_FORGETTING}::test_sweep_forgets_what_is_past_its_ttl",
            f"{TEST_FORGETTING}::test_ttl",
        ),
    ),
    # 12 Idle costs nothing
    Mutant(
        "ask the API what the table knows",
        12,
        DECISION,
        "    if settled is not None:\n        reason =",
        "    if settled is not None and policy.dry_run:\n        reason =",
        (f"{TEST_DECISION}::TestBegin::test_the_table_answers_what_the_api_has_settled",),
    ),
    Mutant(
        "ask the API about an interaction that is not over",
        12,
        DECISION,
        "    if event.state != COMPLETED:\n        return _settle",
        "    if event.state is None:\n        return _settle",
        (
            f"{TEST_DECISION}::TestBegin::test_what_is_not_over_needs_no_call",
            f"{TEST_PROCESSOR}::test_nothing_is_asked_that_the_event_can_answer",
        ),
    ),
    # 13 No living corpse
    Mutant(
        "wait for ever for records that nobody finishes",
        13,
        "streams/worker/health/watchdog.py",
        "        elif now - self._moved_at > self._stall_seconds:\n",
        "        elif now < self._moved_at:\n",
        (
            "tests/unit/worker/health/test_watchdog.py"
            "::test_waiting_records_and_a_frontier_that_stands_still",
        ),
    ),
    Mutant(
        "live on when out of the group for good",
        13,
        "streams/worker/health/watchdog.py",
        "    if vitals.fatal is not None:\n",
        "    if vitals.fatal == '':\n",
        ("tests/unit/worker/health/test_watchdog.py::test_out_of_the_group",),
    ),
    # 6 Same record, same answer: from stores that hold what they claim
    Mutant(
        "go on with stores that a failed disk left behind",
        6,
        STORES,
        "        if self.failure is not None:\n            raise",
        "        if False:\n            raise",
        (
            f"{TEST_STORES}::test_damage_that_is_found_late_ends_this_life_and_not_the_next",
            f"{TEST_STORES}::test_a_disk_that_fails_in_a_recovery_is_told",
        ),
    ),
    Mutant(
        "keep what the changelog has forgotten",
        6,
        STORES,
        "applied + 1 < beginning",
        "applied < 0",
        (f"{TEST_STORES}::test_a_store_that_the_changelog_has_forgotten_is_thrown_away",),
    ),
    # 13 No living corpse: a restoration ends
    Mutant(
        "go on with a changelog that has lost records",
        13,
        STORES,
        "        if ahead:\n",
        "        if False:\n",
        (f"{TEST_STORES}::test_a_changelog_that_lost_what_the_store_has_stops_the_worker",),
    ),
    Mutant(
        "wait for what retention has deleted",
        13,
        STORES,
        "            if applied is None and beginning:\n",
        "            if False:\n",
        (f"{TEST_STORES}::test_an_empty_store_begins_where_the_changelog_does",),
    ),
    # 13 No living corpse: nor one that buries everything
    Mutant(
        "dead-letter a whole day",
        13,
        "streams/worker/dead_letter_limit.py",
        "        if self.passed is None and dead >= FEWEST_DEAD",
        "        if self.passed is None and dead < 0",
        (
            "tests/unit/worker/test_dead_letter_limit.py::test_above_the_limit_it_says_why_and_what_to_do",
        ),
    ),
    Mutant(
        "go on with what is queued when too many have failed",
        13,
        DISPATCHER,
        "            return  # unfinished, and so are all behind it",
        "            pass  # unfinished, and so are all behind it",
        (f"{TEST_DISPATCHER}::test_with_too_many_failures_what_is_queued_is_left",),
    ),
)
