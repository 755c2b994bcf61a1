"""Poison is what its name says: nothing that the worker, or the model, takes for an event."""

from __future__ import annotations

from itertools import islice

import pytest

from streams.core.envelope import parse
from streams.errors import EnvelopeError
from tests.chaos.poison import Poison, poison

ROUND = list(islice(poison(7), 18))


@pytest.mark.parametrize("bad", ROUND, ids=lambda bad: bad.kind)
def test_none_of_it_is_an_event(bad: Poison) -> None:
    try:
        assert parse(bad.value or b"") is None
    except EnvelopeError:
        return
    assert bad.kind == "other detail-type"


def test_a_round_has_every_kind_once_and_the_seed_decides() -> None:
    assert len({bad.kind for bad in ROUND}) == len(ROUND)
    assert list(islice(poison(7), 40)) == list(islice(poison(7), 40))
    assert list(islice(poison(8), 40)) != list(islice(poison(7), 40))
    assert next(islice(poison(7), len(ROUND), None)).kind == ROUND[0].kind
