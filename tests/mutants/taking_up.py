"""Order and frontier (promises 1 and 2): which records are worked on, and which are committed."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

FRONTIER = "streams/worker/partitions/frontier.py"
LANES = "streams/worker/lanes/lanes.py"
SEAM = "streams/worker/partitions/consumer.py"
DISPATCHER = "streams/worker/dispatcher.py"

TEST_FRONTIER = "tests/unit/worker/partitions/test_frontier.py"
TEST_LANES = "tests/unit/worker/lanes/test_lanes.py"
TEST_COMMITS = "tests/unit/worker/partitions/consumer/test_commits.py"
TEST_DELIVERY = "tests/unit/worker/partitions/consumer/test_delivery.py"
TEST_DISPATCHER = "tests/unit/worker/dispatcher"

MUTANTS = (
    # 1 Order
    Mutant(
        "two records of one interaction at once",
        1,
        LANES,
        """\
        if queue is not None:
            queue.append(item)
            return True
""",
        "",
        (f"{TEST_LANES}::test_a_lane_works_on_one_item_at_a_time_in_order",),
    ),
    Mutant(
        "the next record of a lane although one before it failed",
        1,
        LANES,
        """\
            self._closed.set()
            raise
        finally:
            self._slots.give_back()
""",
        """\
            raise
        finally:
            self._slots.give_back()
""",
        (f"{TEST_LANES}::test_nothing_is_worked_on_behind_a_failure",),
    ),
    # 2 Frontier
    Mutant(
        "leave a record below one that is published",
        2,
        LANES,
        " or (self._draining and item.owed)",
        "",
        (
            f"{TEST_LANES}::test_drain_ends_what_is_owed_as_well",
            f"{TEST_DISPATCHER}/test_giving_back.py"
            "::test_a_record_below_one_that_is_published_is_not_left_to_the_next_owner",
        ),
    ),
    Mutant(
        "the last commit taken for done while another is on its way",
        2,
        SEAM,
        "        async with self._committing:\n            return await",
        "        if self._committing.locked():\n            return False\n"
        "        async with self._committing:\n            return await",
        (
            f"{TEST_COMMITS}::test_what_was_finished_during_a_commit_is_committed_before_the_partition_goes",
        ),
    ),
    Mutant(
        "acknowledge early: pass an unfinished record",
        2,
        FRONTIER,
        "return next(iter(self._unfinished), self._expected)",
        "return self._expected",
        (
            f"{TEST_FRONTIER}::test_first_record_in_flight_holds_the_rest_back",
            f"{TEST_COMMITS}::test_commits_the_frontier_and_nothing_else",
        ),
    ),
    Mutant(
        "begin at the first record that arrives",
        2,
        FRONTIER,
        "        if offset > self._expected:\n",
        "        if offset > self._expected != self.committed:\n",
        (
            f"{TEST_FRONTIER}::test_first_record_above_the_committed_offset_is_a_hole",
            f"{TEST_DISPATCHER}/test_holes.py::test_a_hole_with_records_in_it_is_fatal",
        ),
    ),
    Mutant(
        "pass a hole without asking the broker",
        2,
        DISPATCHER,
        "        if first.offset < message.offset:\n",
        "        if first.offset < expected:\n",
        (f"{TEST_DISPATCHER}/test_holes.py::test_a_hole_with_records_in_it_is_fatal",),
    ),
    Mutant(
        "let Faust count a hole as acknowledged",
        2,
        SEAM,
        "    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:\n",
        "    async def _add_no_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:\n",
        (f"{TEST_DELIVERY}::test_gaps_are_not_acknowledged",),
    ),
    Mutant(
        "deliver a batch fetched before a seek",
        2,
        SEAM,
        "if self._awaiting_seek or fetched_after != self._seeks:",
        "if self._awaiting_seek:",
        (
            f"{TEST_DELIVERY}::test_batch_in_hand_does_not_survive_a_seek",
            f"{TEST_DELIVERY}::test_a_batch_fetched_before_the_seek_and_waiting_for_its_turn_is_dropped",
        ),
    ),
    Mutant(
        "deliver between an assignment and its seek",
        2,
        SEAM,
        "if self._awaiting_seek or fetched_after != self._seeks:",
        "if fetched_after != self._seeks:",
        (
            f"{TEST_DELIVERY}::test_nothing_of_a_source_comes_between_the_assignment_and_the_seek",
            f"{TEST_DELIVERY}::test_each_assignment_waits_for_a_seek_of_its_own",
        ),
    ),
    Mutant(
        "fetch while a seek is under way",
        2,
        SEAM,
        """\
        async with self._fetching:
            if not self.flow_active:
                return {}
            batch = await super()._getmany(active_partitions, min(timeout, FETCH_WAIT_SECONDS))
            self._fetched_after = self._seeks
""",
        """\
        if not self.flow_active:
            return {}
        batch = await super()._getmany(active_partitions, min(timeout, FETCH_WAIT_SECONDS))
        self._fetched_after = self._seeks
        async with self._fetching:
""",
        (
            f"{TEST_DELIVERY}::test_fetch_under_way_is_over_before_the_seek",
            f"{TEST_DELIVERY}::test_no_fetch_begins_during_a_seek",
        ),
    ),
    Mutant(
        "fetch while the seek of a restoration is under way",
        2,
        SEAM,
        "        async with self._fetching:\n            try:\n                applied",
        "        if True:\n            try:\n                applied",
        (f"{TEST_DELIVERY}::test_a_restoration_begins_when_the_fetch_under_way_is_over",),
    ),
    Mutant(
        "fetch what a suspended flow will drop",
        2,
        SEAM,
        "            if not self.flow_active:\n                return {}\n",
        "",
        (
            f"{TEST_DELIVERY}::test_a_fetch_that_waited_for_a_seek_is_not_made_while_the_flow_is_suspended",
        ),
    ),
    Mutant(
        "resume clears queues that hold records",
        2,
        "streams/worker/partitions/bookkeeping.py",
        "        if was_suspended:\n            self.clear()\n",
        "        self.clear()\n",
        (
            "tests/unit/worker/partitions/test_bookkeeping.py::test_resuming_what_is_active_loses_nothing",
        ),
    ),
    Mutant(
        "commit for an old generation",
        2,
        SEAM,
        "if assignment is None or assignment.generation != self.app.consumer_generation_id:",
        "if assignment is None:",
        (f"{TEST_COMMITS}::test_commits_nothing_of_another_generation",),
    ),
)
