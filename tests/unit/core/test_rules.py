"""Eligibility against a plain truth table."""

from __future__ import annotations

from itertools import product

import pytest

from streams.core.interaction import Interaction
from streams.core.records import Reason
from streams.core.rules import ineligibility

THRESHOLD = 30_000

TYPES = ["voice", "chat", "email", "callback", "VOICE", "", None]
STATES = ["completed", "connected", "queued", "Completed", "", None]
CODES = [None, "", "code"]
DURATIONS = [0, THRESHOLD - 1, THRESHOLD, THRESHOLD + 1]


@pytest.mark.parametrize("duration", DURATIONS)
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("kind", TYPES)
def test_the_first_rule_that_fails_is_the_reason(
    kind: str | None, state: str | None, duration: int
) -> None:
    for disposition, wrap_up in product(CODES, CODES):
        # The contract's row, in its order.
        row = [
            (kind == "voice", "non-voice-interaction"),
            (state == "completed", "interaction-not-completed"),
            (disposition != "code", "disposition-already-set"),
            (wrap_up != "code", "wrap-up-already-set"),
            (duration >= THRESHOLD, "duration-below-threshold"),
        ]
        expected = next((reason for holds, reason in row if not holds), None)
        found = ineligibility(
            Interaction("i-1", kind, state, disposition, wrap_up, duration), THRESHOLD
        )
        assert (found and found.value) == expected


def test_the_threshold_is_the_operators() -> None:
    call = Interaction("i-1", "voice", "completed", None, None, 0)
    assert ineligibility(call, 0) is None
    assert ineligibility(call, 1) is Reason.TOO_SHORT
