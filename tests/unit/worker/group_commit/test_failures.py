"""A group that can not be committed: none behind it is, and its records stay unfinished."""

from __future__ import annotations

import asyncio
from itertools import chain

import pytest
from opentelemetry.semconv._incubating.attributes.messaging_attributes import (
    MESSAGING_KAFKA_OFFSET,
)
from opentelemetry.trace import StatusCode

from streams.errors import OwnershipLost, PublishError, StoreError
from streams.worker import group_commit
from streams.worker.partitions.assignment import Assignment
from tests.support.event_loop import until_idle
from tests.support.incarnation import samples
from tests.support.world import EVENTS, TOPICS
from tests.unit.worker.group_commit.held import Groups, state

GONE = PublishError("no in-sync replicas")
FULL = StoreError("no space left")

PROCESS = f"process {EVENTS.topic}"


async def test_a_changelog_that_fails_ends_the_worker_and_publishes_nothing(
    groups: Groups,
) -> None:
    waiting = asyncio.create_task(groups.commits.commit(groups.decided(0)))
    await until_idle()
    groups.held.end(FULL)

    with pytest.raises(StoreError, match="no space left"):
        await asyncio.wait_for(waiting, 5)
    assert groups.failures == [FULL]
    assert groups.held.published == []
    assert groups.open == [0]


async def test_outcomes_that_fail_end_the_worker_and_finish_nothing(groups: Groups) -> None:
    groups.add(0, "i-1")
    groups.add(1, "i-2")
    await until_idle()
    groups.held.end()
    await until_idle()
    groups.held.end()
    groups.held.end(GONE)
    await until_idle()

    assert groups.failures == [GONE]
    assert groups.open == [0, 1]
    assert "genesys_streams_records_total" not in samples(groups.metrics)


async def test_a_group_that_is_being_written_does_not_overtake_one_that_fails(
    groups: Groups,
) -> None:
    """Its outcomes would be published, and after the next start those before them."""
    groups.add(0)
    await until_idle()
    groups.add(1)
    groups.held.end()
    await until_idle()
    changelog, outcome = groups.held.steps
    outcome.set_exception(GONE)
    await until_idle()

    changelog.set_result(None)
    await until_idle()

    assert groups.failures == [GONE]
    assert groups.held.published == [[0]]
    assert groups.open == [0, 1]


async def test_a_group_already_written_waits_and_fails_with_the_one_before_it(
    groups: Groups,
) -> None:
    groups.add(0)
    await until_idle()
    groups.add(1)
    groups.held.end()
    await until_idle()
    changelog, outcome = groups.held.steps
    changelog.set_result(None)
    await until_idle()

    outcome.set_exception(GONE)
    await until_idle()

    assert groups.failures == [GONE]
    assert groups.held.published == [[0]]
    assert groups.open == [0, 1]


async def test_one_that_is_being_published_ends_well_while_the_next_fails(groups: Groups) -> None:
    first = asyncio.create_task(groups.commits.commit(groups.decided(0)))
    await until_idle()
    groups.add(1)
    groups.held.end()
    await until_idle()
    changelog, outcome = groups.held.steps
    changelog.set_exception(FULL)
    await until_idle()
    assert groups.failures == [FULL]

    outcome.set_result(None)
    await asyncio.wait_for(first, 5)

    assert groups.open == [1]


async def test_nothing_is_committed_behind_a_failure(
    groups: Groups, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "MOST_RECORDS", 2)
    groups.add(0)
    await until_idle()
    groups.held.end(FULL)
    await until_idle()

    for offset in range(1, 4):
        groups.add(offset)
        await asyncio.wait_for(groups.commits.room(), 5)
    for late in (
        groups.commits.commit(groups.decided(4)),
        groups.commits.write(groups.assignment, EVENTS.partition, state("i-1", 9)),
        groups.commits.released((EVENTS.partition, "i-1")),
    ):
        with pytest.raises(StoreError):
            await asyncio.wait_for(late, 5)

    assert len(groups.held.written) == 1
    assert groups.open == [0, 1, 2, 3, 4]
    assert groups.failures == [FULL]


@pytest.mark.parametrize("steps", [0, 1])
async def test_a_partition_that_is_lost_leaves_its_records_and_ends_no_worker(
    groups: Groups, steps: int
) -> None:
    """Before the first step, or before the second: ownership is asked before each."""
    waiting = asyncio.create_task(groups.commits.commit(groups.decided(0)))
    if steps:
        await until_idle()
    groups.assignment.revoke()
    for _ in range(steps):
        groups.held.end()

    with pytest.raises(OwnershipLost):
        await asyncio.wait_for(waiting, 5)
    assert (len(groups.held.written), groups.held.published) == (steps, [])
    assert groups.failures == []
    assert groups.open == [0]


async def test_the_spans_of_what_failed_end_and_say_why(groups: Groups) -> None:
    groups.add(0)
    await until_idle()
    groups.held.end()
    await until_idle()
    groups.add(1)  # waits for the one before it
    await until_idle()
    groups.held.end(GONE)
    await until_idle()
    groups.add(2)  # comes too late

    for name, offsets in ((PROCESS, [0, 1, 2]), (f"publish {TOPICS.outcomes}", [0])):
        ended = groups.finished(name)
        assert [span.status.status_code for span in ended] == [StatusCode.ERROR] * len(offsets)
    processing = groups.finished(PROCESS)
    assert [span.attributes[MESSAGING_KAFKA_OFFSET] for span in processing] == [0, 1, 2]


async def test_the_spans_of_what_is_left_to_the_next_owner_are_no_error(groups: Groups) -> None:
    groups.add(0)
    groups.assignment.revoke()
    await until_idle()

    (span,) = groups.finished(PROCESS)
    assert span.status.status_code is StatusCode.UNSET
    assert span.attributes["worker.ownership_lost"] is True


async def test_a_drain_lets_all_groups_end(groups: Groups) -> None:
    groups.add(0)
    await until_idle()
    groups.add(1)
    draining = asyncio.create_task(groups.commits.drain(5.0))
    await until_idle()
    while groups.held.steps:
        assert not draining.done()
        groups.held.end()
        await until_idle()

    assert await asyncio.wait_for(draining, 5)
    assert groups.open == []


async def test_a_drain_leaves_what_does_not_end_and_begins_anew(groups: Groups) -> None:
    waiting = asyncio.create_task(groups.commits.commit(groups.decided(0)))
    await until_idle()
    groups.add(1)

    assert not await groups.commits.drain(0.01)

    with pytest.raises(OwnershipLost):
        await asyncio.wait_for(waiting, 5)
    assert groups.open == [0, 1]
    assert groups.commits.state((EVENTS.partition, "i-1")) is None
    await asyncio.wait_for(groups.commits.released((EVENTS.partition, "i-1")), 5)
    await until_idle()
    assert groups.held.published == [], "what was abandoned goes on no further"

    groups.held.steps.clear()
    groups.add(2)
    await until_idle()
    groups.held.end()
    await until_idle()
    groups.held.end()
    await until_idle()
    assert groups.open == [0, 1]


async def test_a_drain_after_a_lost_partition_begins_anew(groups: Groups) -> None:
    groups.add(0)
    groups.assignment.revoke()
    await until_idle()

    assert await groups.commits.drain(1.0)

    await asyncio.wait_for(groups.commits.released((EVENTS.partition, "i-1")), 5)


@pytest.mark.parametrize("ahead", [0, 1, 2], ids=["none", "being written", "open behind it"])
async def test_what_comes_late_of_an_assignment_given_up_touches_no_group_of_the_next(
    groups: Groups, ahead: int
) -> None:
    """``ahead``: the groups of the next assignment by then."""
    late = groups.decided(7, "i-late")
    groups.assignment.revoke()
    groups.commits.abandon()
    groups.assignment = Assignment(2, {EVENTS: 0})
    for offset in range(ahead):
        groups.add(offset)
        await until_idle()

    with pytest.raises(OwnershipLost):
        await asyncio.wait_for(groups.commits.commit(late), 5)
    groups.add(ahead, "i-late")
    await groups.end_all()

    assert groups.open == []
    assert list(chain(*groups.held.published)) == list(range(ahead + 1))
    assert list(chain(*groups.held.written)).count("i-late") == 1
    await asyncio.wait_for(groups.commits.released(late.source.lane), 5)
    assert groups.failures == []


async def test_groups_left_behind_by_an_assignment_are_none_of_the_next(groups: Groups) -> None:
    """Partitions may be lost in such a way that nothing drains the groups."""
    groups.add(0)
    await until_idle()
    groups.add(1)
    groups.assignment.revoke()
    before = groups.open

    groups.commits.abandon()
    groups.assignment = Assignment(2, {EVENTS: 0})
    groups.held.steps.clear()
    groups.add(0, "i-2")
    await groups.end_all()

    assert before == [0, 1]
    assert groups.open == []
    assert groups.held.written == [["i-1"], ["i-2"]]
    assert groups.held.published == [[0]]
    assert groups.failures == []
