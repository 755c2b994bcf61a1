"""No more messages and no more bytes than the limits, whatever the polls bring."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.bridge.sqs.batches import MOST
from streams.bridge.sqs.room import LARGEST_MESSAGE, Room, RoomPolicy

MIB = 1024 * 1024
sizes = st.integers(0, LARGEST_MESSAGE)
# A poll begins; one ends with those messages; the oldest message leaves.
steps = st.lists(st.one_of(st.none(), st.lists(sizes, max_size=MOST), st.just("leave")))


@given(st.integers(10, 60), st.integers(10, 40), steps)
def test_the_limits_hold_whatever_comes(
    messages: int, mib: int, taken: list[list[int] | str | None]
) -> None:
    policy = RoomPolicy(messages=messages, bytes=mib * MIB)
    room, polls, held = Room(policy), 0, list[int]()
    for step in taken:
        if step is None:
            polls += room.enter_poll()
        elif isinstance(step, list):
            if polls:
                polls -= 1
                room.leave_poll()
                for size in step:
                    room.enter(size)
                held += step
        elif held:
            room.leave(held.pop(0))
        assert (room.messages, room.bytes) == (len(held), sum(held))
        assert room.messages + polls * MOST <= policy.messages
        assert room.bytes + polls * MOST * LARGEST_MESSAGE <= policy.bytes
    for size in held:
        room.leave(size)
    assert (room.messages, room.bytes) == (0, 0)


@pytest.mark.parametrize(
    ("policy", "polls"),
    [(RoomPolicy(messages=25), 2), (RoomPolicy(bytes=35 * MIB), 3), (RoomPolicy(messages=9), 0)],
)
def test_a_poll_has_taken_the_most_that_it_can_bring(policy: RoomPolicy, polls: int) -> None:
    room = Room(policy)
    assert [room.enter_poll() for _ in range(5)].count(True) == polls
