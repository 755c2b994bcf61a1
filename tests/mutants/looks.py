"""Conversations: their looks, and their legs."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

PROCESSOR = "streams/worker/conversations/processor.py"
RESULTS = "streams/worker/conversations/results.py"
RECORD = "streams/core/conversations/record.py"
TESTS = "tests/unit/worker/conversations"

MUTANTS = (
    Mutant(
        "make no look while the clock is behind the time it was planned for",
        15,
        "streams/core/conversations/inquiry.py",
        "look.at <= max(now_ms, self._delivery.due_ms):",
        "look.at <= now_ms:",
        (
            f"{TESTS}/test_road.py"
            "::test_no_look_is_lost_where_the_clock_is_set_back_before_it_is_made",
        ),
    ),
    Mutant(
        "let those in memory go before those on the disk that are due sooner",
        1,
        "streams/worker/lanes/waiting_room.py",
        "if spilled is not None and (not self._waiting or spilled < self._waiting[0][0]):",
        "if spilled is not None and not self._waiting:",
        (
            "tests/unit/worker/lanes/test_waiting_room.py"
            "::test_those_on_the_disk_leave_in_the_same_order",
        ),
    ),
    Mutant(
        "count the time in doubt from the intent",
        5,
        "streams/core/conversations/inquiry.py",
        "sent = replace(leg.sent, at=now_ms, call=call)",
        "sent = replace(leg.sent, call=call)",
        (
            "tests/unit/core/conversations/test_doubt.py"
            "::test_it_is_not_sent_again_while_it_may_take_effect",
        ),
    ),
    Mutant(
        "take an intent for a request that has ended",
        5,
        "streams/core/conversations/look.py",
        "    elif not known.next_at:\n",
        "    elif False:\n",
        (
            "tests/unit/core/conversations/test_doubt.py"
            "::test_nor_by_whoever_takes_over_in_the_middle_of_it",
        ),
    ),
    Mutant(
        "let a clock that is set forward end a window",
        5,
        "streams/core/windows.py",
        "    return max(ends, now_ms + ends - planned)",
        "    return ends",
        (
            "tests/unit/core/conversations/test_doubt.py::test_a_clock_set_forward_ends_no_window",
            "tests/unit/core/test_deferral.py::test_a_clock_set_forward_ends_no_window",
        ),
    ),
    Mutant(
        "make one more copy for each that comes again",
        11,
        "streams/core/conversations/inquiry.py",
        "        elif own is not None and own.wake_at <= self._delivery.due_ms:",
        "        elif own is not None:",
        ("tests/unit/core/conversations/test_copies.py::test_they_do_not_multiply",),
    ),
    Mutant(
        "send a leg's code without an intent",
        4,
        PROCESSOR,
        """\
        await self._commits.write(
            record.assignment, record.tp.partition, inquiry.intends(self._now_ms())
        )
""",
        "        inquiry.intends(self._now_ms())\n",
        (
            f"{TESTS}/test_road.py::test_each_step_of_a_look_waits_for_the_one_before",
            f"{TESTS}/test_road.py::test_the_intent_is_in_the_table_before_the_code_leaves",
            f"{TESTS}/test_crashes.py::test_crash",
        ),
    ),
    Mutant(
        "forget what was sent for a leg before the table has its verdict",
        5,
        "streams/core/conversations/inquiry.py",
        "return replace(self.record, open=(*self._until_concluded, *self.record.open))",
        "return self.record",
        (
            "tests/unit/core/conversations/test_two_legs.py"
            "::test_a_leg_that_a_look_has_decided_is_not_taken_for_a_new_one",
        ),
    ),
    Mutant(
        "publish what a look has come to before the table has it",
        6,
        PROCESSOR,
        """\
        await self._write(record, worked.after)
        await self._publish(record, delivery, worked, span)
""",
        """\
        await self._publish(record, delivery, worked, span)
        await self._write(record, worked.after)
""",
        (
            f"{TESTS}/test_road.py::test_each_step_of_a_look_waits_for_the_one_before",
            f"{TESTS}/test_crashes.py::test_crash",
        ),
    ),
    Mutant(
        "call for a leg whose partition was given up",
        8,
        PROCESSOR,
        "record.asking(resting)",
        "CallContext(resting=resting)",
        (
            f"{TESTS}/test_ownership.py"
            "::test_nothing_leaves_after_the_revocation_but_what_was_leaving",
        ),
    ),
    Mutant(
        "count a leg that takes no code any more as a failure",
        7,
        "streams/core/conversations/verdicts.py",
        "return Decision.REFUSED, Reason.WRAP_UP_CLOSED",
        "return Decision.FAILED, Reason.WRAP_UP_CLOSED",
        (
            f"{TESTS}/test_failures.py"
            "::test_a_leg_that_takes_no_code_any_more_is_refused_and_in_no_dead_letter",
        ),
    ),
    Mutant(
        "finish an event whose look nothing brings about",
        15,
        RESULTS,
        "            await self._outcomes.send_back(record, put_off, reason)\n",
        "",
        (
            f"{TESTS}/test_road.py"
            "::test_an_event_that_plans_a_look_is_finished_once_its_copy_is_in_retries",
            f"{TESTS}/test_crashes.py::test_crash",
        ),
    ),
    Mutant(
        "forget a conversation while a look at it is planned",
        15,
        RECORD,
        "return self.look is not None or bool(self.open)",
        "return bool(self.open)",
        ("tests/unit/core/conversations/test_record.py::test_what_is_still_to_come",),
    ),
    Mutant(
        "look at once, while the agent is at work after the call",
        12,
        "streams/core/conversations/arrival.py",
        "            wanted_at = max(wanted_at, work_ends(record, self.policy, self.looks))\n",
        "            pass\n",
        (
            "tests/unit/core/conversations/test_looks.py::TestWhatItCosts"
            "::test_an_agent_whose_time_is_over_costs_two_looks_and_a_code",
        ),
    ),
    Mutant(
        "ask about a leg whose code an event has named",
        12,
        "streams/core/conversations/arrival.py",
        "decided_by_events(record, self.policy) if event.name in OF_A_LEG else ()",
        "()",
        (
            "tests/unit/core/conversations/test_looks.py::TestWhatItCosts"
            "::test_a_code_that_an_event_names_costs_nothing",
        ),
    ),
    Mutant(
        "forget a leg that a look met while the call went on",
        15,
        "streams/core/conversations/look.py",
        "each.leg is not None or each.acw_at is not None",
        "each.acw_at is not None",
        (
            "tests/unit/core/conversations/test_looks.py::TestWhatItCosts"
            "::test_a_leg_that_a_look_met_while_the_call_went_on_is_not_forgotten",
        ),
    ),
    Mutant(
        "tell a redriven leg of a forgotten conversation under the id of its failure",
        6,
        RECORD,
        "anew=record.anew or delivery.replayed or not record.updated_at,",
        "anew=record.anew or delivery.replayed,",
        (
            "tests/unit/core/conversations/test_redriven.py::TestRedriven"
            "::test_of_a_conversation_that_was_forgotten_no_id_is_told_twice",
        ),
    ),
)
