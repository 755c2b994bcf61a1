"""Records that are decided at once and committed in groups (promises 1, 3, 6, 8 and 11)."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

GROUP = "streams/worker/group_commit.py"
DISPATCHER = "streams/worker/dispatcher.py"

TEST_GROUPS = "tests/unit/worker/group_commit"
TEST_STEPS = f"{TEST_GROUPS}/test_steps.py"
TEST_FAILURES = f"{TEST_GROUPS}/test_failures.py"
TEST_CRASH = f"{TEST_GROUPS}/test_crashes.py::test_crash"
TEST_OWNERSHIP = "tests/unit/worker/processor/test_ownership.py::test_ownership_lost"
TEST_QUICK = "tests/unit/worker/test_quick_path.py"
TEST_TAKING_UP = "tests/unit/worker/dispatcher/test_taking_up.py"

MUTANTS = (
    # 1 Order
    Mutant(
        "take a record past its lane, which is busy",
        1,
        DISPATCHER,
        "        elif self.lanes.holds(record.lane) or not self._quick_path.take(record):\n",
        "        elif not self._quick_path.take(record):\n",
        (f"{TEST_TAKING_UP}::test_while_its_lane_is_busy_a_record_goes_behind_what_is_there",),
    ),
    Mutant(
        "begin a lane whose records are still in a group",
        1,
        DISPATCHER,
        "            await self._commits.released(record.lane)\n",
        "",
        (f"{TEST_TAKING_UP}::test_a_lane_begins_when_its_records_in_groups_are_finished",),
    ),
    Mutant(
        "overtake a group that has failed",
        1,
        GROUP,
        "            if group.failure is not None:\n                return  #",
        "            if group.failure is not None:\n                pass  #",
        (
            f"{TEST_FAILURES}::test_a_group_that_is_being_written_does_not_overtake_one_that_fails",
            f"{TEST_FAILURES}::test_a_group_already_written_waits_and_fails_with_the_one_before_it",
        ),
    ),
    Mutant(
        "place a key elsewhere than Kafka does",
        1,
        "streams/kafka/partitioner.py",
        'int.from_bytes(key[whole:], "little")',
        'int.from_bytes(key[whole:], "big")',
        (
            "tests/unit/kafka/test_partitioner.py::test_it_is_aiokafkas_place",
            "tests/unit/kafka/test_partitioner.py::test_it_is_kafkas_own_place",
        ),
    ),
    # 3 Finish last
    Mutant(
        "finish a group before its last acknowledgement",
        3,
        GROUP,
        """\
        stored = await asyncio.gather(*runs)
        for each in group.decided:
            each.source.finish()
""",
        """\
        for each in group.decided:
            each.source.finish()
        stored = await asyncio.gather(*runs)
""",
        (
            f"{TEST_STEPS}::test_the_changelog_then_the_outcomes_then_the_end",
            f"{TEST_FAILURES}::test_outcomes_that_fail_end_the_worker_and_finish_nothing",
        ),
    ),
    # 6 Same record, same answer
    Mutant(
        "publish a group's outcomes before its changelog has it",
        6,
        GROUP,
        "                await self._table.put_all(group.assignment, values)\n",
        """\
                asyncio.ensure_future(self._table.put_all(group.assignment, values))
                await asyncio.sleep(0)
""",
        (
            f"{TEST_STEPS}::test_the_changelog_then_the_outcomes_then_the_end",
            f"{TEST_FAILURES}::test_a_changelog_that_fails_ends_the_worker_and_publishes_nothing",
        ),
    ),
    Mutant(
        "decide without what is still in a group",
        6,
        "streams/worker/decider.py",
        "        known = self._commits.state((partition, interaction_id))\n",
        "        known = None\n",
        (f"{TEST_QUICK}::test_the_next_of_the_interaction_sees_what_is_in_a_group",),
    ),
    Mutant(
        "look for what was decided in the open group alone",
        6,
        GROUP,
        "        for group in (self._open, self._writing):\n            if group is not None and",
        "        for group in (self._open,):\n            if group is not None and",
        (f"{TEST_STEPS}::test_what_is_decided_next_sees_what_is_not_written_yet",),
    ),
    Mutant(
        "forget the verdicts that may not be published",
        6,
        "streams/core/decision.py",
        "        unpublished=_unpublished(record, offset, is_open) if first",
        "        unpublished=() if first",
        (
            "tests/unit/core/decision/test_apply.py"
            "::TestUnpublished::test_the_one_before_is_kept_while_it_is_open",
            TEST_CRASH,
        ),
    ),
    # 8 Ownership
    Mutant(
        "take up what belongs to partitions given up while the broker was asked",
        8,
        DISPATCHER,
        "        if assignment.ending.is_set():\n            # The broker was asked",
        "        if False:\n            # The broker was asked",
        (
            "tests/unit/worker/dispatcher/test_holes.py"
            "::test_nothing_of_partitions_that_are_given_up_while_the_broker_is_asked_is_taken_up",
        ),
    ),
    Mutant(
        "let a record of an assignment given up into a group of the next",
        8,
        GROUP,
        "failure = _given_up() if assignment.revoked else self._failure",
        "failure = self._failure",
        (
            f"{TEST_FAILURES}"
            "::test_what_comes_late_of_an_assignment_given_up_touches_no_group_of_the_next",
        ),
    ),
    Mutant(
        "begin an assignment with the groups of the one before",
        8,
        DISPATCHER,
        "        self._commits.abandon()\n",
        "",
        (
            "tests/unit/worker/dispatcher/test_giving_back.py"
            "::test_the_next_assignment_has_lanes_and_groups_of_its_own",
        ),
    ),
    Mutant(
        "write after a revocation: a group's outcomes",
        8,
        GROUP,
        "        await group.assignment.owned()\n",
        "",
        (
            TEST_OWNERSHIP,
            f"{TEST_FAILURES}::test_a_partition_that_is_lost_leaves_its_records_and_ends_no_worker",
        ),
    ),
    # 11 Bounded
    Mutant(
        "keep verdicts that are not published without end",
        11,
        "streams/worker/quick_path.py",
        "        if len(known.unpublished) >= MOST_UNPUBLISHED:\n",
        "        if len(known.unpublished) < 0:\n",
        (f"{TEST_QUICK}::test_too_many_that_are_not_published_make_the_next_wait_in_its_lane",),
    ),
    Mutant(
        "let a group grow without end",
        11,
        GROUP,
        "len(self._open.decided) >= MOST_RECORDS:",
        "len(self._open.decided) < 0:",
        (f"{TEST_STEPS}::test_a_full_group_takes_no_more_until_it_is_closed",),
    ),
    # 14 A record's fault is the record's
    Mutant(
        "end the worker at an outcome that can not be made",
        14,
        GROUP,
        "            for each in group.decided:\n                await self._alone(each)\n",
        "            raise\n",
        (
            f"{TEST_QUICK}::test_an_outcome_that_cannot_be_made_is_one_records_dead_letter_and_no_more",
        ),
    ),
)
