"""How many descriptors a server may take."""

from __future__ import annotations

import resource
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.listening import KEPT_BACK, Room

# Turns of the loop in which connections are accepted before the first of them is closed again.
TURNS = 4


@given(st.integers(1, 2**40))
def test_there_is_always_room_for_one_and_never_for_all(descriptors: int) -> None:
    room = Room.within(descriptors)
    assert room.connections >= 1
    assert room.accepted_at_once >= 1
    assert descriptors - room.connections == min(KEPT_BACK, descriptors // 2)


@given(st.integers(40, 2**40))
def test_those_that_come_too_many_at_once_leave_the_half_of_what_is_kept_back(
    descriptors: int,
) -> None:
    room = Room.within(descriptors)
    kept_back = descriptors - room.connections
    assert TURNS * room.accepted_at_once <= kept_back / 2


@pytest.mark.parametrize(
    ("limit", "room"),
    [
        (60, Room(30, 3)),
        (1024, Room(896, 16)),
        (resource.RLIM_INFINITY, Room.within(sys.maxsize)),
    ],
)
def test_is_what_the_process_may_have(
    monkeypatch: pytest.MonkeyPatch, limit: int, room: Room
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    assert Room.of_this_process() == room
