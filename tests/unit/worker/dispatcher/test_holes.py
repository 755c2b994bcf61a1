"""Offsets that never come: which the dispatcher may pass, and which it may not."""

from __future__ import annotations

import asyncio

import pytest
from faust.types import TP

from streams.errors import OffsetHole
from tests.support.desk import Desk
from tests.support.event_loop import until_idle
from tests.support.incarnation import samples
from tests.support.world import EVENTS, RETRIES


async def test_a_hole_with_records_in_it_is_fatal(desk: Desk) -> None:
    assignment = desk.begin()
    desk.broker.first = 6

    with pytest.raises(OffsetHole, match=r"offset 5 was expected, 8 came, .* a record at 6"):
        await desk.take_up(8)

    assert desk.broker.asked == [(EVENTS, 5)]
    assert desk.offsets == []
    assert assignment.frontiers[EVENTS].committable == 5
    assert samples(desk.metrics)["genesys_streams_offset_holes_total"] == 1


@pytest.mark.parametrize("first", [8, 9])
async def test_a_hole_without_records_is_passed(desk: Desk, first: int) -> None:
    assignment = desk.begin()
    desk.broker.first = first

    await desk.take_up(8)

    assert desk.offsets == [8]
    assert assignment.frontiers[EVENTS].committable == 9


@pytest.mark.parametrize(("beginning", "gone"), [(5, 0), (6, 1), (8, 3), (9, 3)])
async def test_what_retention_deleted_undecided_is_an_error_and_counted(
    desk: Desk, beginning: int, gone: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Of what lies below the beginning of the partition there were records; above it there may be
    transaction markers, or what compaction took."""
    desk.begin()
    desk.broker.first, desk.broker.beginning = 8, beginning

    await desk.take_up(8)

    assert desk.offsets == [8]
    counted = samples(desk.metrics).get("genesys_streams_deleted_undecided_offsets_total", 0)
    errors = [record for record in caplog.records if record.levelname == "ERROR"]
    assert (counted, len(errors)) == (gone, 1 if gone else 0)


@pytest.mark.parametrize("first", [8, 6], ids=["no record in it", "a record in it"])
@pytest.mark.parametrize("tp", [EVENTS, RETRIES], ids=["events", "retries"])
async def test_nothing_of_partitions_that_are_given_up_while_the_broker_is_asked_is_taken_up(
    desk: Desk, tp: TP, first: int
) -> None:
    """It takes seconds. The next assignment reads the same records, or another worker does: in its
    lanes, its waiting room and its groups nothing may be that it does not own."""
    desk.quick_path.takes = lambda _: True
    given_up = desk.begin(generation=1)
    desk.broker.first = first
    desk.broker.answers.clear()
    expected = given_up.frontiers[tp].expected
    asking = asyncio.create_task(desk.take_up(expected + 3, tp=tp))
    await until_idle()
    await desk.dispatcher.end_assignment(given_up)
    given_up.revoke()
    desk.begin(generation=2)

    desk.broker.answers.set()
    await asyncio.wait_for(asking, 5)

    assert desk.broker.asked == [(tp, expected)]
    assert given_up.frontiers[tp].expected == expected
    assert (desk.quick_path.taken, desk.processor.records) == ([], [])
    assert (desk.dispatcher.lanes.active, len(desk.dispatcher.waiting)) == (0, 0)
