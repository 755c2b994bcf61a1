"""A message that is renewed in time is never seen by another reader, and never for longer than SQS
allows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.bridge.sqs.lease import (
    DEFAULT_SECONDS,
    LONGEST_SECONDS,
    LONGEST_WAIT,
    Lease,
    visibility_seconds,
    wait_before_again,
)

SQS_LONGEST = 12 * 3600

times = st.floats(0, 1e9)
# How late each renewal is, as a share of the time that is left for it.
delays = st.lists(st.floats(0, 0.99), min_size=1, max_size=60)


def test_it_is_due_when_half_of_it_is_over() -> None:
    lease = Lease.begin(100.0, 30)
    assert (lease.due, lease.until) == (115.0, 130.0)
    assert lease.renewed(116.0, 30).due == 131.0


@given(times, st.integers(1, LONGEST_SECONDS), delays)
def test_renewed_in_time_it_has_no_gap_and_an_end(
    began: float, seconds: int, late: list[float]
) -> None:
    lease = Lease.begin(began, seconds)
    for delay in late:
        now = lease.due + delay * (lease.until - lease.due)
        assert began <= lease.due <= now <= lease.until
        more = lease.extension(now, seconds)
        if more is None:
            break
        assert 1 <= more <= seconds
        lease = lease.renewed(now, more)
        assert lease.until - began <= SQS_LONGEST


@given(st.integers(1, LONGEST_SECONDS))
def test_it_ends_however_often_it_is_renewed(seconds: int) -> None:
    lease = Lease.begin(0.0, seconds)
    renewals = 0
    while (more := lease.extension(lease.due, seconds)) is not None:
        lease = lease.renewed(lease.due, more)
        renewals += 1
    assert lease.until >= LONGEST_SECONDS - 2
    # Half of a second each at the end; SQS is not asked for fractions.
    assert renewals <= 2 * LONGEST_SECONDS / seconds + 60


@pytest.mark.parametrize(
    ("queue", "used"),
    [
        (0, DEFAULT_SECONDS),
        (-1, DEFAULT_SECONDS),
        (1, 1),
        (30, 30),
        (SQS_LONGEST, LONGEST_SECONDS),
        (10**9, LONGEST_SECONDS),
    ],
)
def test_the_visibility_that_is_used(queue: int, used: int) -> None:
    assert visibility_seconds(queue) == used


@pytest.mark.parametrize(
    ("count", "wait"), [(1, 0), (3, 0), (4, 2), (5, 4), (12, 512), (13, LONGEST_WAIT), (10**9, 900)]
)
def test_what_fails_again_and_again_comes_more_seldom(count: int, wait: int) -> None:
    assert wait_before_again(count) == wait
