"""Poison is what its name says: nothing that the worker, or the model, takes for an event."""

from __future__ import annotations

from itertools import islice

import pytest

from streams.core.conversations.events import parse_conversation_event
from streams.core.envelope import parse
from streams.errors import EnvelopeError
from tests.chaos.poison import OF_CONVERSATIONS, Poison, poison

ROUND = list(islice(poison(7), 18))
OF_THE_OTHER_DIALECT = list(islice(poison(7, OF_CONVERSATIONS), 21))


@pytest.mark.parametrize("bad", ROUND, ids=lambda bad: bad.kind)
def test_none_of_it_is_an_event(bad: Poison) -> None:
    try:
        assert parse(bad.value or b"") is None
    except EnvelopeError:
        return
    assert bad.kind == "other detail-type"


@pytest.mark.parametrize("bad", OF_THE_OTHER_DIALECT, ids=lambda bad: bad.kind)
def test_none_of_it_is_an_event_of_a_conversation(bad: Poison) -> None:
    try:
        assert parse_conversation_event(bad.value or b"") is None
    except EnvelopeError:
        return
    assert bad.kind in ("other detail-type", "of the other dialect")


def test_a_round_has_every_kind_once_and_the_seed_decides() -> None:
    for each in (ROUND, OF_THE_OTHER_DIALECT):
        assert len({bad.kind for bad in each}) == len(each)
    assert list(islice(poison(7), 40)) == list(islice(poison(7), 40))
    assert list(islice(poison(8), 40)) != list(islice(poison(7), 40))
    assert next(islice(poison(7), len(ROUND), None)).kind == ROUND[0].kind
