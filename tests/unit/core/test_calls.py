"""Which requests an outcome has, and which the table keeps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.calls import MOST_CALLS, MOST_KEPT_CALLS, bounded, latest, without_calls
from streams.core.records import Basis, Call, Decision, Deferred, Reason, Verdict


def calls(number: int, begin: int = 0) -> tuple[Call, ...]:
    return tuple(
        Call(str(at), "GET", 503, None, 0.0, 0.0, None) for at in range(begin, begin + number)
    )


def verdict(number: int) -> Verdict:
    return Verdict(Decision.DEFERRED, Reason.SERVER_ERROR, Basis.API, calls=calls(number))


@pytest.mark.parametrize(("before", "made"), [(0, 0), (0, 3), (3, 3), (16, 3), (3, 20)])
def test_the_latest_are_told_in_order(before: int, made: int) -> None:
    told = latest(verdict(before), calls(made, begin=before))

    assert told == calls(before + made)[-MOST_CALLS:]
    assert latest(None, calls(2)) == calls(2)


def test_a_verdict_that_is_never_told_again_has_none() -> None:
    assert without_calls(verdict(3)) == verdict(0)
    bare = verdict(0)
    assert without_calls(bare) is bare


@given(st.lists(st.integers(0, MOST_CALLS), max_size=64))
def test_the_newest_keep_theirs_and_all_keep_their_verdicts(numbers: list[int]) -> None:
    entries = [Deferred(at, verdict(number)) for at, number in enumerate(numbers)]
    kept = bounded(entries)

    assert [each.offset for each in kept] == list(range(len(entries)))
    assert sum(len(each.verdict.calls) for each in kept) <= MOST_KEPT_CALLS
    whole = [each for each, before in zip(kept, entries, strict=True) if each == before]
    assert all(without_calls(each.verdict) == verdict(0) for each in kept)
    if sum(numbers) <= MOST_KEPT_CALLS:
        assert len(whole) == len(entries)
    elif entries:
        assert kept[-1] == entries[-1]
