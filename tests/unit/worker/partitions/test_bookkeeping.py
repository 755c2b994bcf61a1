"""Faust's bookkeeping loses no record."""

from __future__ import annotations

import asyncio

from faust.types import TP
from mode.utils.queues import FlowControlEvent, FlowControlQueue

from streams.worker.partitions.bookkeeping import GentleFlowControl, NoReadOffsets

A, CHANGELOG = TP("events", 0), TP("shop-interactions-changelog", 0)


def queue_of(flow: FlowControlEvent) -> FlowControlQueue[int]:
    queue: FlowControlQueue[int] = FlowControlQueue(flow_control=flow, clear_on_resume=True)
    queue.put_nowait(1)
    return queue


def test_resuming_what_is_active_loses_nothing() -> None:
    flow = GentleFlowControl()
    flow.resume()
    queue = queue_of(flow)

    flow.resume()

    assert flow.is_active()
    assert queue.qsize() == 1


def test_fausts_own_flow_control_would_lose_it() -> None:
    """Should this fail one day, Faust has been mended and the subclass can go."""
    flow = FlowControlEvent()
    flow.resume()
    queue = queue_of(flow)

    flow.resume()

    assert queue.qsize() == 0


async def test_resuming_what_was_suspended_clears_and_wakes() -> None:
    flow = GentleFlowControl()
    flow.suspend()
    queue = queue_of(flow)
    waiting = asyncio.create_task(flow.acquire())
    await asyncio.sleep(0)

    flow.resume()

    await asyncio.wait_for(waiting, 5)
    assert flow.is_active()
    assert queue.qsize() == 0


def test_no_read_offset_of_a_source_is_remembered() -> None:
    offsets = NoReadOffsets(lambda tp: tp != CHANGELOG)

    offsets[A] = 7
    offsets.update({A: 8, CHANGELOG: 9})

    assert offsets[A] is None
    assert offsets.get(A) is None
    assert offsets[CHANGELOG] == 9
