"""A record that was redriven: the rules of today, and no second code."""

from __future__ import annotations

import pytest

from streams.core.decision import Fetch, Policy, Settle, resume
from streams.core.records import Basis, Decision, InteractionRecord, Reason, Verdict
from tests.support.decisions import event, ineligible


@pytest.mark.parametrize("reason", [Reason.TOO_SHORT, Reason.WRAP_UP_SET, Reason.DISPOSITION_SET])
def test_one_that_was_redriven_is_judged_by_the_rules_of_today(reason: Reason) -> None:
    record = InteractionRecord("i-1", settled=ineligible(reason))
    policy = Policy(code="c")

    assert isinstance(resume(record, event(), 4, policy), Settle)
    assert resume(record, event(), 4, policy, redriven=True) == Fetch()


def test_one_that_was_redriven_gets_no_second_code() -> None:
    record = InteractionRecord("i-1", settled=Verdict(Decision.PATCHED, Reason.ELIGIBLE, Basis.API))

    step = resume(record, event(), 4, Policy(code="c"), redriven=True)

    assert isinstance(step, Settle)
    assert step.verdict.reason is Reason.DISPOSITION_SET
