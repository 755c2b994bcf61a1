"""What the main thread reads of the consumer's: whether it has given up, and where it stands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    InconsistentGroupProtocolError,
    KafkaConnectionError,
)
from mode.threads import MethodQueue

from streams.errors import UnreadableRecords
from streams.kafka.decoding import Unreadable
from streams.worker.partitions import group_thread
from streams.worker.partitions.source_thread import SourceThread
from tests.support.consumer_rig import CHANGELOG, A, B, Rig

LOST = Unreadable(first=3, last=4, content=b"?", why="snappy: bad magic")


@dataclass
class State:
    """aiokafka's of one partition."""

    highwater: int | None = None
    position: int = 0
    has_valid_position: bool = True


class Subscription:
    """What is assigned, with where it stands."""

    def __init__(self, states: dict[TopicPartition, State]) -> None:
        self.tps = set(states)
        self._states = states

    def state_value(self, tp: TopicPartition) -> State:
        return self._states[tp]


@pytest.fixture
def thread(rig: Rig) -> SourceThread:
    return rig.thread


def reading(thread: SourceThread, **states: State) -> None:
    """Have the partitions assigned: ``a``, ``b``."""
    named = {"a": A, "b": B}
    assignment = Subscription({TopicPartition(*named[name]): at for name, at in states.items()})
    consumer: Any = SimpleNamespace(
        _subscription=SimpleNamespace(subscription=SimpleNamespace(assignment=assignment))
    )
    thread._consumer = consumer


async def ends(coroutine: Coroutine[Any, Any, None], *, cancel: bool = False) -> asyncio.Task[None]:
    task = asyncio.create_task(coroutine)
    if cancel:
        task.cancel()
    await asyncio.wait([task])
    return task


async def fails(failure: Exception | None) -> None:
    if failure is not None:
        raise failure


def coordinated(
    thread: SourceThread, task: asyncio.Task[None] | None, *, pending: Exception | None = None
) -> SimpleNamespace:
    coordinator = SimpleNamespace(
        _pending_exception=pending,
        _coordination_task=task,
        _closing=asyncio.get_running_loop().create_future(),
    )
    thread._consumer = cast(Any, SimpleNamespace(_coordinator=coordinator))
    return coordinator


# Whether it has given up


async def test_who_is_not_started_or_looks_for_brokers_has_not_given_up(
    thread: SourceThread,
) -> None:
    assert thread.fatal_error() is None
    thread._consumer = cast(Any, SimpleNamespace(_coordinator=None))
    assert thread.fatal_error() is None


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (GroupAuthorizationFailedError("shop"), "may not Read group shop"),
        (InconsistentGroupProtocolError("blue"), "blue"),
    ],
)
async def test_what_the_group_does_not_forgive_is_told(
    thread: SourceThread, failure: Exception, words: str
) -> None:
    coordinated(thread, None, pending=failure)

    told = thread.fatal_error()

    assert told is not None
    assert words in told


async def test_a_coordination_that_goes_on_is_no_error(thread: SourceThread) -> None:
    going_on = asyncio.create_task(asyncio.sleep(60))
    coordinated(thread, going_on)

    assert thread.fatal_error() is None
    going_on.cancel()


@pytest.mark.parametrize(
    ("failure", "told"),
    [(AssertionError("two urls"), "two urls"), (None, "")],
)
async def test_a_coordination_that_has_ended_is_told_with_its_cause(
    thread: SourceThread, failure: Exception | None, told: str
) -> None:
    """aiokafka logs a line, and idles for ever."""
    coordinated(thread, await ends(fails(failure)))

    said = thread.fatal_error()

    assert said is not None
    assert said.startswith("the group coordination task has ended")
    assert told in said


async def test_a_coordination_that_was_cancelled_has_ended_as_well(thread: SourceThread) -> None:
    coordinated(thread, await ends(asyncio.sleep(60), cancel=True))

    assert thread.fatal_error() == "the group coordination task has ended"


async def test_at_its_proper_end_it_has_not_given_up(thread: SourceThread) -> None:
    coordinator = coordinated(thread, await ends(fails(None)))
    coordinator._closing.set_result(None)

    assert thread.fatal_error() is None


# Where it stands


@pytest.mark.parametrize(
    ("state", "behind", "end"),
    [
        (State(highwater=9, position=5), 4, 9),
        (State(highwater=9, position=9), 0, 9),
        # The position has passed what the broker told before: a log that was cut, say.
        (State(highwater=9, position=12), 0, 9),
        (State(highwater=None, position=5), 0, None),
        (State(highwater=9, has_valid_position=False), 0, 9),
    ],
)
def test_how_far_it_is_behind(
    thread: SourceThread, state: State, behind: int, end: int | None
) -> None:
    reading(thread, a=state)

    assert (thread.behind(A), thread.end(A)) == (behind, end)


def test_a_partition_of_another_is_not_behind(thread: SourceThread) -> None:
    reading(thread, a=State(highwater=9))

    assert (thread.behind(B), thread.end(B), thread.stands_at(B)) == (0, None, None)


def test_it_stands_nowhere_while_the_position_is_sought(thread: SourceThread) -> None:
    reading(thread, a=State(position=5), b=State(position=5, has_valid_position=False))

    assert (thread.stands_at(A), thread.stands_at(B)) == (5, None)


# Records that can not be read


async def test_the_first_place_that_can_not_be_read_is_told(thread: SourceThread) -> None:
    """Once that is mended, the next start tells the next."""
    consumer: Any = thread.consumer
    thread._can_not_read(TopicPartition(*A), LOST, [3, 4])
    first = consumer.unreadable
    assert isinstance(first, UnreadableRecords)
    assert "SKIP_RECORDS" in str(first)

    thread._can_not_read(TopicPartition(*CHANGELOG), LOST, [3, 4])

    assert consumer.unreadable is first


async def test_of_the_changelog_nothing_can_be_skipped(thread: SourceThread, rig: Rig) -> None:
    consumer: Any = thread.consumer
    changelog = rig.table.changelog_topic_name

    thread._can_not_read(TopicPartition(changelog, 0), LOST, [3, 4])

    assert "DATA_DIR" in str(consumer.unreadable)
    assert "SKIP_RECORDS" not in str(consumer.unreadable)


# Asking where partitions end


@pytest.fixture
async def queue(thread: SourceThread) -> AsyncIterator[MethodQueue]:
    """The queue of calls of the consumer's thread, in the thread of the test."""
    real = thread.thread_loop
    thread.thread_loop = asyncio.get_running_loop()
    async with thread.method_queue:
        yield thread.method_queue
    thread.thread_loop = real


async def test_a_question_that_is_given_up_keeps_no_other_call_waiting(
    thread: SourceThread, queue: MethodQueue
) -> None:
    """A leader that does not know its end yet answers nothing, and Faust's thread takes two calls
    at once: fetches and commits would wait behind them."""
    given_up = 0

    async def hang(_: object) -> None:
        nonlocal given_up
        try:
            await asyncio.Event().wait()
        finally:
            given_up += 1

    async def fetched() -> str:
        return "records"

    thread._consumer = cast(Any, SimpleNamespace(beginning_offsets=hang))
    asked = queue.num_workers + 1
    for _ in range(asked):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(thread.kept([A]), 0.02)

    assert await asyncio.wait_for(thread.call_thread(fetched), 5) == "records"
    assert given_up == asked


async def test_a_question_that_fails_says_so(thread: SourceThread, queue: MethodQueue) -> None:
    async def fail(_: object) -> None:
        raise KafkaConnectionError

    thread._consumer = cast(Any, SimpleNamespace(beginning_offsets=fail))

    with pytest.raises(KafkaConnectionError):
        await asyncio.wait_for(thread.kept([A]), 5)


# Leaving


async def test_who_never_joined_has_no_group_to_leave(thread: SourceThread) -> None:
    await thread.leave_group()
    thread._consumer = cast(Any, SimpleNamespace(_coordinator=None))
    await thread.leave_group()


async def test_a_group_that_does_not_answer_is_left_in_time(
    thread: SourceThread, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The process ends; its session tells the group."""
    asked = asyncio.Event()

    async def leave(_: object) -> None:
        asked.set()
        await asyncio.Event().wait()

    real = thread.thread_loop
    monkeypatch.setattr(group_thread, "leave", leave)
    monkeypatch.setattr(group_thread, "LEAVE_SECONDS", 0.05)
    thread.thread_loop = asyncio.get_running_loop()
    coordinated(thread, None)
    try:
        await asyncio.wait_for(thread.leave_group(), 5)
    finally:
        thread.thread_loop = real

    assert asked.is_set()
    assert "it waits for the end of our session" in caplog.text


async def test_a_thread_that_has_ended_is_asked_nothing(
    thread: SourceThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has left the group on its way out; its loop would take nothing any more."""
    coordinated(thread, None)
    thread.thread_loop.close()

    await thread.leave_group()
