"""What must not hold up an end is given up when the program is told to stop."""

from __future__ import annotations

import asyncio
import threading

import pytest

from streams.stopping import in_daemon_thread, unless_stopped


async def answer() -> int:
    return 7


async def for_ever() -> int:
    await asyncio.Event().wait()
    return 0


async def test_what_ends_in_time_is_what_it_comes_to() -> None:
    assert await unless_stopped(asyncio.Event(), answer()) == 7


async def test_what_takes_too_long_is_given_up() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().call_soon(stop.set)
    async with asyncio.timeout(5):
        assert await unless_stopped(stop, for_ever()) is None


async def test_after_the_stop_nothing_begins() -> None:
    """However quick it is: a poll of a queue would bring messages that nobody handles."""
    stop = asyncio.Event()
    stop.set()
    assert await unless_stopped(stop, answer()) is None


async def test_an_error_is_raised_where_it_is_waited_for() -> None:
    with pytest.raises(ZeroDivisionError):
        await in_daemon_thread(lambda: 1 // 0)
    assert await in_daemon_thread(len, "four") == 4


def test_the_loop_ends_without_a_thread_that_never_does() -> None:
    """asyncio waits for the threads that it has made itself."""
    never = threading.Event()

    async def asked_in_vain() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(0.05, stop.set)
        assert await unless_stopped(stop, in_daemon_thread(never.wait)) is None

    asyncio.run(asyncio.wait_for(asked_in_vain(), 5))
    never.set()
