"""The judge that an operator has: what it would then pass over, or call broken."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

QUESTIONS = "streams/operator/audit/questions.py"
EVIDENCE = "streams/operator/audit/evidence.py"
JUDGE = "tests/unit/operator/audit/test_judge.py"
ANY = "tests/unit/operator/audit/test_any_history.py"

MUTANTS = (
    Mutant(
        "audit: call a record whole that has no outcome",
        7,
        QUESTIONS,
        "WHERE e.judged AND e.o < c.o AND NOT {_HAS_OUTCOME} AND NOT {_HAS_COPY}",
        "WHERE e.judged AND e.o < c.o AND NOT {_HAS_OUTCOME} AND {_HAS_COPY}",
        (
            f"{JUDGE}::test_a_record_that_others_were_decided_behind_is_lost",
            f"{ANY}::test_a_lost_outcome_is_found_and_nothing_else",
            f"{ANY}::test_a_commit_too_far_is_found_and_nothing_else",
        ),
    ),
    Mutant(
        "audit: call what was put off out of order",
        1,
        QUESTIONS,
        "    AND NOT EXISTS (SELECT 1 FROM copy y WHERE y.p = x.p AND y.o = x.o)\n"
        "    AND NOT EXISTS (SELECT 1 FROM put_off",
        "    AND NOT EXISTS (SELECT 1 FROM put_off",
        (f"{ANY}::test_what_a_worker_leaves_is_clean",),
    ),
    Mutant(
        "audit: take a second decision for the first one told again",
        6,
        "streams/operator/audit/schema.py",
        """f"other = {_OTHERWISE.format('answer', 'other')}\"""",
        '"other = other"',
        (
            f"{JUDGE}::test_two_decisions_under_one_id_are_named_with_both",
            f"{ANY}::test_a_second_decision_is_found_and_nothing_else",
        ),
    ),
    Mutant(
        "audit: take a key for a part of the value",
        7,
        EVIDENCE,
        'made.update(b"-" if part is None else b"%d:" % len(part) + part)',
        'made.update(part or b"")',
        (
            "tests/unit/operator/audit/test_evidence.py"
            "::test_bytes_are_distinguished_from_their_absence_and_key_from_value",
        ),
    ),
)
