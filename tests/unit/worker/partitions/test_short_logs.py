"""Which logs that seem to end too early were cut."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

import pytest
from faust.types import TP

from streams.worker.partitions import short_logs
from streams.worker.partitions.offset_range import OffsetRange
from streams.worker.partitions.short_logs import cut_among

A, B, C = TP("events", 0), TP("events", 1), TP("retries", 0)


class Broker:
    """Says where logs end, and remembers of which it was asked."""

    def __init__(self, ends: Mapping[TP, int]) -> None:
        self._ends = ends
        self.asked: list[set[TP]] = []

    async def kept(self, tps: Iterable[TP]) -> dict[TP, OffsetRange]:
        self.asked.append(set(tps))
        return {tp: OffsetRange(0, self._ends[tp]) for tp in tps}


async def test_a_log_was_cut_that_ends_below_the_offset_expected_next() -> None:
    broker = Broker({A: 6, B: 7, C: 8})

    assert await cut_among({A: 7, B: 7, C: 7}, broker.kept) == {A}


async def test_only_those_that_seem_short_are_asked_for() -> None:
    broker = Broker({A: 6, B: 0})

    await cut_among({A: 7}, broker.kept)
    await cut_among({}, broker.kept)

    assert broker.asked == [{A}]


async def test_a_leader_that_is_silent_has_lost_nothing_yet(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def silent(tps: Iterable[TP]) -> dict[TP, OffsetRange]:
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    monkeypatch.setattr(short_logs, "RANGE_SECONDS", 0.01)

    assert await asyncio.wait_for(cut_among({B: 7, A: 7}, silent), 5) == frozenset()

    (line,) = caplog.records
    assert vars(line)["logs"] == ["events/0", "events/1"]
