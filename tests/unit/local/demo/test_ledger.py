from __future__ import annotations

import pytest

from streams.local.demo.ledger import Percentiles


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], (None, None, None)),
        ([7], (7, 7, 7)),
        ([3, 1, 2], (2, 3, 3)),
        (list(range(100, 0, -1)), (50, 95, 99)),
        (list(range(1, 1001)), (500, 950, 990)),
    ],
)
def test_percentiles_are_values_that_were_measured(
    values: list[int], expected: tuple[int | None, ...]
) -> None:
    of = Percentiles.of(values)
    assert (of.p50, of.p95, of.p99) == expected
