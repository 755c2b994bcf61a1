"""What is put off, comes back, dies and is redriven: what it asks of promises 1 to 13."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

DECISION = "streams/core/decision.py"
DEFERRAL = "streams/core/deferral.py"
INCOMING = "streams/worker/incoming.py"
LETTER = "streams/operator/standing.py"
REDELIVERY = "streams/core/redelivery.py"
PROCESSOR = "streams/worker/processor.py"
INQUIRY = "streams/core/inquiry.py"
TEST_INQUIRY = "tests/unit/core/test_inquiry.py"
DISPATCHER = "streams/worker/dispatcher.py"
TABLE = "streams/worker/state/table.py"

TEST_DECISION = "tests/unit/core/decision"
TEST_LETTER = "tests/unit/operator/test_standing.py"
TEST_PROCESSOR = "tests/unit/worker/processor"
TEST_DISPATCHER = "tests/unit/worker/dispatcher"
TEST_FORGETTING = "tests/unit/worker/state/table/test_forgetting.py"
TEST_WAITING = "tests/unit/worker/lanes/test_waiting_room.py"

MUTANTS = (
    Mutant(
        "publish a deferral, and put nothing into retries",
        7,
        "streams/worker/outcomes.py",
        "            await self.send_back(record, verdict.put_off, verdict.reason)\n",
        "            pass\n",
        (
            f"{TEST_PROCESSOR}/test_put_off.py::test_a_record_that_can_not_be_looked_up_is_put_off",
            f"{TEST_PROCESSOR}/test_put_off.py::test_put_off_too_often_it_has_failed",
        ),
    ),
    Mutant(
        "decide a copy of a record that came back",
        6,
        REDELIVERY,
        "Redelivery(None) if copy or known.redriven > at.redriven else None",
        "Redelivery(None) if known.redriven > at.redriven else None",
        (f"{TEST_PROCESSOR}/test_put_off.py::test_a_copy_of_one_that_came_back_is_dropped",),
    ),
    Mutant(
        "forget the doubt of a record put off",
        5,
        DECISION,
        "    could_not_look = verdict.decision is Decision.DEFERRED or (\n",
        "    could_not_look = (\n",
        (f"{TEST_PROCESSOR}/test_in_doubt.py::test_a_patch_that_always_fails_is_put_off_in_doubt",),
    ),
    Mutant(
        "forget the doubt of a record put off when a later one is decided",
        5,
        DECISION,
        "return intent if intent.offset != offset or could_not_look else None",
        "return intent if could_not_look else None",
        (
            f"{TEST_PROCESSOR}/test_put_off.py"
            "::test_a_newer_event_that_finds_our_code_leaves_the_truth_to_its_record",
        ),
    ),
    Mutant(
        "try a PATCH that always fails for ever",
        10,
        INQUIRY,
        "self.patches >= self._limits.tries or ",
        "",
        (
            f"{TEST_INQUIRY}::test_patches_are_tried_a_few_times",
            f"{TEST_PROCESSOR}/test_in_doubt.py"
            "::test_a_patch_that_always_fails_is_put_off_in_doubt",
        ),
    ),
    Mutant(
        "write over what somebody else has changed meanwhile",
        5,
        INQUIRY,
        "            self.step = self._conflict\n",
        "            pass\n",
        (f"{TEST_INQUIRY}::test_a_conflict_with_somebody_else_stands",),
    ),
    Mutant(
        "decide a record put off before its time",
        10,
        DISPATCHER,
        "        if record.tp.topic == self._retries:\n            self.waiting.put(record)\n",
        "        if False:\n            self.waiting.put(record)\n",
        (
            f"{TEST_DISPATCHER}/test_coming_back.py"
            "::test_before_its_time_it_waits_and_holds_nobody_up",
        ),
    ),
    Mutant(
        "take all that waits into memory",
        11,
        "streams/worker/lanes/waiting_room.py",
        "        if self._fills(1.0) and self.spill.fills(1.0):\n",
        "        if False:\n",
        (f"{TEST_DISPATCHER}/test_coming_back.py::test_too_many_that_wait_are_read_no_further",),
    ),
    Mutant(
        "forget an interaction while a record of it is put off",
        11,
        TABLE,
        "return not record.pending and age_ms",
        "return age_ms",
        (f"{TEST_FORGETTING}::test_ttl_waits_for_what_was_put_off",),
    ),
    Mutant(
        "judge what was redriven by the rules of then",
        12,
        DECISION,
        "    if redriven and settled is not None",
        "    if False and settled is not None",
        (
            f"{TEST_DECISION}/test_redriven.py"
            "::test_one_that_was_redriven_is_judged_by_the_rules_of_today",
        ),
    ),
    Mutant(
        "give a second code to what was redriven",
        4,
        DECISION,
        "settled is not None and settled.reason is not Reason.ELIGIBLE:",
        "settled is not None:",
        (f"{TEST_DECISION}/test_redriven.py::test_one_that_was_redriven_gets_no_second_code",),
    ),
    Mutant(
        "take a late PATCH of one that was put off for somebody else's",
        5,
        INQUIRY,
        "self._intent_in_doubt = self._intent_in_doubt or self.record.intent\n",
        "pass\n",
        (
            f"{TEST_PROCESSOR}/test_put_off.py"
            "::test_a_newer_event_that_meets_the_late_patch_of_one_put_off_says_it_is_ours",
        ),
    ),
    Mutant(
        "take our code for somebody else's once its record is dead",
        5,
        DECISION,
        "    return None if alive else intent\n",
        "    return None\n",
        (
            f"{TEST_PROCESSOR}/test_redriven.py"
            "::test_who_dies_in_doubt_leaves_it_to_whoever_looks_next",
        ),
    ),
    Mutant(
        "forget the doubt of a record that dies",
        5,
        DECISION,
        "verdict.decision is Decision.FAILED and verdict.patch_status is None",
        "False",
        (
            f"{TEST_PROCESSOR}/test_redriven.py"
            "::test_who_dies_in_doubt_leaves_it_to_whoever_looks_next",
        ),
    ),
    Mutant(
        "put off more of an interaction than its record can hold",
        11,
        DEFERRAL,
        "    if crowded or attempt - looks > most:\n",
        "    if attempt - looks > most:\n",
        (
            f"{TEST_PROCESSOR}/test_redriven.py"
            "::test_of_one_interaction_no_more_are_put_off_than_its_record_can_hold",
        ),
    ),
    Mutant(
        "remember all that was ever put off",
        11,
        DECISION,
        "each.waits or over < MOST_REMEMBERED",
        "True",
        (
            f"{TEST_PROCESSOR}/test_redriven.py"
            "::test_of_one_interaction_no_more_are_put_off_than_its_record_can_hold",
        ),
    ),
    Mutant(
        "count what waits and not its bytes",
        11,
        "streams/worker/lanes/waiting_room.py",
        " or self._bytes >= share * ROOM_BYTES",
        "",
        (f"{TEST_WAITING}::test_large_ones_fill_it_sooner",),
    ),
    Mutant(
        "wait for whatever time a header gives",
        11,
        INCOMING,
        "min(returned.put_off.not_before / 1000, timestamp + LONGEST_RETRY_AFTER)",
        "returned.put_off.not_before / 1000",
        (
            f"{TEST_DISPATCHER}/test_coming_back.py"
            "::test_no_time_that_a_header_gives_is_waited_for_longer_than_the_longest_quiet",
        ),
    ),
    Mutant(
        "take a stranger's offset for one of events",
        7,
        INCOMING,
        '            raise EnvelopeError(f"it is of no record',
        '            EnvelopeError(f"it is of no record',
        (
            f"{TEST_DISPATCHER}/test_coming_back.py"
            "::test_what_says_that_it_is_of_another_partition_is_no_event",
        ),
    ),
    Mutant(
        "end a worker that finishes behind a record that waits",
        13,
        "streams/worker/health/monitor.py",
        "sum(f.progress for f in frontiers)",
        "sum(f.expected + f.committable for f in frontiers)",
        (
            "tests/unit/worker/health/test_monitor.py::test_finishing_behind_one_that_waits_is_progress",
        ),
    ),
    # Redriven
    Mutant(
        "send the same back twice",
        6,
        LETTER,
        "(letter.source, letter.redriven + 1) in sent",
        "(letter.source, -1) in sent",
        (f"{TEST_LETTER}::test_one_that_was_redriven_is_left_until_it_dies_again",),
    ),
    Mutant(
        "redrive in the order of death",
        1,
        LETTER,
        "[turns[letter.interaction_id].popleft() for letter in letters]",
        "list(letters)",
        (
            f"{TEST_LETTER}"
            "::test_those_of_one_interaction_are_redriven_in_the_order_of_their_records",
        ),
    ),
)
