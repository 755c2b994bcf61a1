"""From when on a topic has all its records."""

from __future__ import annotations

import pytest

from streams.operator.audit.kept import EDGE_MS, Kept, is_kept, latest

NOW = 1_767_600_000_000
WEEK_MS = 604_800_000
BY_TIME = {"retention.ms": str(WEEK_MS), "retention.bytes": "-1"}


@pytest.mark.parametrize(
    ("kept", "config", "since"),
    [
        (Kept(0, NOW), BY_TIME, None),
        (Kept(0, None), {}, None),
        # A quiet partition's first record may be young; none that is younger than a week has gone.
        (Kept(7, NOW), BY_TIME, NOW - WEEK_MS + EDGE_MS),
        (Kept(7, 500), BY_TIME | {"retention.bytes": "1000"}, 500 + EDGE_MS),
        (Kept(7, 500), {}, 500 + EDGE_MS),
        (Kept(7, 500), BY_TIME | {"retention.ms": "-1"}, 500 + EDGE_MS),
        (Kept(7, None), {}, NOW + EDGE_MS),
    ],
)
def test_since(kept: Kept, config: dict[str, str], since: int | None) -> None:
    assert kept.since(config, NOW) == since


def test_what_is_older_than_one_of_them_keeps_is_not_judged() -> None:
    assert is_kept(5, None, 5)
    assert not is_kept(4, None, 5)
    assert is_kept(-1, None, None)
    assert latest({0: None, 1: 5, 2: 7}) == 7
    assert latest({0: None}) is None
