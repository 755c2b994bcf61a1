"""How long a record is put off."""

from __future__ import annotations

from random import Random

from streams.core.retry_policy import DeferralPolicy


class Longest(Random):
    """Draws the most there is."""

    def uniform(self, a: float, b: float) -> float:
        return b


def test_no_attempt_is_too_high_for_a_deferral() -> None:
    """Whatever a header says of how often a record was put off."""
    assert DeferralPolicy().seconds(10**18, Longest()) == 3600


def test_each_deferral_is_longer_up_to_an_hour() -> None:
    seconds = [DeferralPolicy().seconds(attempt, Longest()) for attempt in range(1, 11)]

    assert seconds == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
