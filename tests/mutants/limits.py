"""Ownership, bounds and a proper end (promises 8, 11 to 13): when a worker holds back or ends."""

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

TEST_CALLS = "tests/unit/genesys/client/test_calls.py"
TEST_DECISION = "tests/unit/core/decision"
TEST_LANES = "tests/unit/worker/lanes/test_lanes.py"
TEST_PROCESSOR = "tests/unit/worker/processor"
TEST_MEMBERSHIP = "tests/unit/worker/partitions/test_membership.py"
TEST_COORDINATOR = "tests/unit/worker/partitions/test_coordinator.py"
TEST_DISPATCHER = "tests/unit/worker/dispatcher"
TEST_STORES = "tests/unit/worker/state/test_stores.py"
TEST_FORGETTING = "tests/unit/worker/state/table/test_forgetting.py"
TEST_WRITING = "tests/unit/worker/state/table/test_writing.py"

MUTANTS = (
    # 8 Ownership
    Mutant(
        "write after a revocation: the table",
        8,
        TABLE,
        "        await assignment.owned()\n        messages =",
        "        messages =",
        (f"{TEST_WRITING}::test_revoked_partition_is_not_written",),
    ),
    Mutant(
        "write after a revocation: the outcome",
        8,
        PROCESSOR,
        "                await record.assignment.owned()\n"
        "            await self._publish(record, verdict, span)\n",
        "            await self._publish(record, verdict, span)\n",
        (f"{TEST_PROCESSOR}/test_ownership.py::test_ownership_lost",),
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
        "record.asking(resting)",
        "CallContext(resting=resting)",
        (f"{TEST_PROCESSOR}/test_ownership.py::test_ownership_in_doubt",),
    ),
    Mutant(
        "write after a revocation: what is queued",
        8,
        "streams/worker/partitions/assignments.py",
        "            on_revoked=self._fence,\n",
        "",
        (
            f"{TEST_DISPATCHER}/test_giving_back.py"
            "::test_what_an_abandoned_lane_has_queued_is_fenced",
        ),
    ),
    Mutant(
        "let a produce request out while frozen",
        8,
        "streams/kafka/fence.py",
        "        while not self.fenced and not self._may_send():",
        "        while not self.fenced and not self._may_send:",
        ("tests/integration/kafka/test_publisher.py::test_nothing_leaves_while_it_may_not",),
    ),
    Mutant(
        "leave a produce request under way when the session is over",
        8,
        "streams/kafka/fence.py",
        "            if self._under_way and not self._may_send():",
        "            if self._under_way and not self._may_send:",
        (
            "tests/unit/kafka/test_fence_cut_off.py"
            "::test_a_request_under_way_is_reset_when_it_might_not_have_left",
        ),
    ),
    Mutant(
        "have the system send on what was given up",
        5,
        "streams/sockets.py",
        "    connected.setsockopt(",
        "    (lambda *_: None)(",
        ("tests/unit/test_sockets.py::test_what_was_given_up_in_a_cut_network_never_arrives",),
    ),
    Mutant(
        "close a connection politely whose request was given up",
        5,
        "streams/genesys/transport.py",
        "            protocol.abort()\n",
        "            protocol.close()\n",
        ("tests/unit/test_sockets.py::test_what_was_given_up_in_a_cut_network_never_arrives",),
    ),
    Mutant(
        "write a request whose session ended while it was made into bytes",
        8,
        "streams/kafka/fence.py",
        "if data[_KIND] == _PRODUCE and not self._may_send():",
        "if False:",
        (
            "tests/unit/kafka/test_fence_cut_off.py"
            "::test_a_request_asks_once_more_when_it_is_all_bytes",
        ),
    ),
    Mutant(
        "send what was being queued at the fence",
        8,
        "streams/kafka/publisher.py",
        "if producer is None or not (self._unacknowledged or self._being_queued):",
        "if producer is None or not self._unacknowledged:",
        ("tests/integration/kafka/test_publisher.py::test_nor_does_what_was_being_queued",),
    ),
    Mutant(
        "let a produce request arrive that was given up",
        8,
        "streams/kafka/fence.py",
        "            reset(transport)\n            raise\n",
        "            raise\n",
        ("tests/unit/kafka/test_fence_cut_off.py::test_a_request_that_is_given_up_is_reset",),
    ),
    Mutant(
        "queue again what a fence has failed",
        8,
        "streams/kafka/fence.py",
        "        accumulator.reenqueue = _not_again\n",
        "",
        (
            "tests/integration/kafka/test_publisher.py"
            "::test_a_fence_ends_all_of_a_producer_whose_request_is_under_way",
        ),
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
        (
            f"{TEST_DISPATCHER}/test_giving_back.py"
            "::test_the_record_in_hand_may_end_before_the_partitions_go",
        ),
    ),
    Mutant(
        "claim a changelog offset behind another worker's records",
        8,
        TABLE,
        "            if offset == (0 if persisted is None else persisted + 1):\n",
        "            if persisted is None or offset > persisted:\n",
        (
            f"{TEST_WRITING}::test_the_store_claims_no_offset_behind_records_of_another_worker",
            f"{TEST_WRITING}::test_the_store_of_an_empty_disk_claims_nothing_it_has_not_read",
        ),
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
        "record.asking(resting)",
        "CallContext(guard=record.assignment.check)",
        (f"{TEST_PROCESSOR}/test_waiting.py::test_who_waits_to_try_again_rests",),
    ),
    Mutant(
        "let all that comes back in at once",
        11,
        DISPATCHER,
        "round(in_flight * way.returned_share)",
        "in_flight",
        (
            f"{TEST_DISPATCHER}/test_coming_back.py"
            "::test_what_comes_back_takes_a_share_of_the_slots_and_no_more",
        ),
    ),
    Mutant(
        "take the whole backlog into memory",
        11,
        LANES,
        "asyncio.Semaphore(in_flight * BACKLOG_PER_SLOT)",
        "asyncio.Semaphore(in_flight * 1_000_000)",
        (
            f"{TEST_LANES}::test_put_waits_while_memory_is_full",
            f"{TEST_DISPATCHER}/test_taking_up.py::test_memory_full_holds_the_agent_back",
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
        (
            f"{TEST_DECISION}/test_begin.py"
            "::TestBegin::test_the_table_answers_what_the_api_has_settled",
        ),
    ),
    Mutant(
        "ask the API about an interaction that is not over",
        12,
        DECISION,
        "    if event.state != COMPLETED:\n        return _settle",
        "    if event.state is None:\n        return _settle",
        (
            f"{TEST_DECISION}/test_begin.py::TestBegin::test_what_is_not_over_needs_no_call",
            f"{TEST_PROCESSOR}/test_acknowledgements.py"
            "::test_nothing_is_asked_that_the_event_can_answer",
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
    Mutant(
        "look healthy through a day without a request",
        13,
        "streams/worker/health/monitor.py",
        "            return self._quiet(seconds)\n",
        "            pass\n",
        (
            "tests/unit/worker/health/test_monitor.py"
            "::test_a_quiet_of_hours_makes_it_unfit_and_says_until_when",
        ),
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
            f"{TEST_STORES}::test_a_disk_that_fails_in_a_recovery_is_reported",
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
    # 13 No living corpse: nor one that fails everything
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
        (
            f"{TEST_DISPATCHER}/test_too_many_failures.py"
            "::test_with_too_many_failures_what_is_queued_is_left",
        ),
    ),
)
