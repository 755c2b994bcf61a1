"""The two steps of a group, in their order, and what the records in it see of each other."""

from __future__ import annotations

import asyncio

from opentelemetry.semconv._incubating.attributes.messaging_attributes import (
    MESSAGING_DESTINATION_PARTITION_ID,
    MESSAGING_KAFKA_OFFSET,
)
from pytest import MonkeyPatch

from streams.worker import group_commit
from tests.support.event_loop import until_idle
from tests.support.incarnation import samples
from tests.support.scripted import LeapingClock
from tests.support.world import EVENTS, TOPICS
from tests.unit.worker.group_commit.held import TAKEN_UP_AT, Groups, state

KEY = (EVENTS.partition, "i-1")


async def test_the_changelog_then_the_outcomes_then_the_end(groups: Groups) -> None:
    groups.add(0, "i-1")
    groups.add(1, "i-2")
    await until_idle()
    assert groups.held.written == [["i-1", "i-2"]]
    assert groups.held.published == [], "nothing is in the changelog yet"

    groups.held.end()
    await until_idle()
    assert groups.held.published == [[0, 1]]
    groups.held.end()
    await until_idle()
    assert groups.open == [0, 1], "one run of two is not acknowledged"

    groups.held.end()
    await until_idle()
    assert groups.open == []
    assert samples(groups.metrics)["genesys_streams_records_total"] == 2


async def test_of_each_interaction_the_last_record_alone_is_written(groups: Groups) -> None:
    for offset, interaction_id in enumerate(["i-1", "i-2", "i-1", "i-1"]):
        groups.add(offset, interaction_id)
    await until_idle()
    assert groups.held.written == [["i-1", "i-2"]]
    (last,) = [groups.commits.state(KEY)]
    assert last is not None
    assert last.last_offset == 3

    groups.held.end()
    await until_idle()

    assert groups.held.published == [[0, 1, 2, 3]], "and every outcome is published, in order"


async def test_what_is_decided_next_sees_what_is_not_written_yet(groups: Groups) -> None:
    assert groups.commits.state(KEY) is None
    groups.add(0)
    assert groups.commits.state(KEY) == state("i-1", 0), "in the open group"
    await until_idle()
    assert groups.commits.state(KEY) == state("i-1", 0), "in the one that is written"
    groups.add(1)
    assert groups.commits.state(KEY) == state("i-1", 1), "the newer of two"
    assert groups.commits.state((EVENTS.partition + 1, "i-1")) is None

    groups.held.end()
    await until_idle()

    assert groups.commits.state(KEY) == state("i-1", 1)


async def test_a_verdict_that_the_table_has_is_not_written_again(groups: Groups) -> None:
    groups.add(0, stored=True)
    await until_idle()

    assert groups.held.written == []
    assert groups.held.published == [[0]]
    groups.held.end()
    await until_idle()
    assert groups.open == []


async def test_while_one_is_published_the_next_is_written_and_no_more(groups: Groups) -> None:
    groups.add(0)
    await until_idle()
    groups.add(1)
    groups.held.end()
    await until_idle()
    assert groups.held.published == [[0]]
    assert len(groups.held.written) == 2

    groups.add(2)
    groups.held.end()  # the changelog is the quicker one
    await until_idle()
    assert groups.held.published == [[0]], "the second waits for the first"
    assert len(groups.held.written) == 2

    groups.held.end()
    await until_idle()
    assert groups.held.published == [[0], [1]]
    assert len(groups.held.written) == 3
    assert groups.open == [1, 2]


async def test_records_come_together_while_a_group_is_written(groups: Groups) -> None:
    groups.add(0)
    await until_idle()
    for offset in range(1, 9):
        groups.add(offset, f"i-{offset}")
        await until_idle()
    groups.held.end()
    await until_idle()

    assert len(groups.held.written) == 2
    assert len(groups.held.written[1]) == 8


async def test_whoever_waits_goes_on_when_all_is_finished(groups: Groups) -> None:
    waiting = asyncio.create_task(groups.commits.commit(groups.decided(0)))
    await until_idle()
    groups.held.end()
    await until_idle()
    assert not waiting.done(), "it is written, and not published"

    groups.held.end()
    await asyncio.wait_for(waiting, 5)

    assert groups.open == []


async def test_an_intent_is_waited_for_until_the_changelog_has_it(groups: Groups) -> None:
    writing = asyncio.create_task(
        groups.commits.write(groups.assignment, EVENTS.partition, state("i-1", 9))
    )
    await asyncio.sleep(0)
    groups.add(0, "i-2")
    await until_idle()
    assert groups.held.written == [["i-1", "i-2"]], "with whatever else is in the group"
    assert not writing.done()

    groups.held.end()
    await asyncio.wait_for(writing, 5)

    assert groups.held.published == [[0]], "it needs no outcome"


async def test_a_group_of_nothing_but_an_intent_is_done_once_written(groups: Groups) -> None:
    writing = asyncio.create_task(
        groups.commits.write(groups.assignment, EVENTS.partition, state("i-1", 9))
    )
    await until_idle()
    groups.held.end()
    await asyncio.wait_for(writing, 5)

    assert groups.held.published == []
    assert await groups.commits.drain(1.0)


async def test_a_full_group_takes_no_more_until_it_is_closed(
    groups: Groups, monkeypatch: MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "MOST_RECORDS", 2)
    groups.add(0)
    await until_idle()
    groups.add(1)
    await asyncio.wait_for(groups.commits.room(), 5)
    groups.add(2)
    waiting = asyncio.create_task(groups.commits.room())
    await until_idle()
    assert not waiting.done()

    groups.held.end()
    await asyncio.wait_for(waiting, 5)


async def test_a_lane_waits_for_its_own_records_in_groups(groups: Groups) -> None:
    decided = groups.decided(0)
    groups.commits.add(decided)
    await asyncio.wait_for(groups.commits.released((EVENTS.partition, "another")), 5)
    waiting = asyncio.create_task(groups.commits.released(decided.source.lane))
    await until_idle()
    groups.add(1)  # of the same lane, in the next group: what is asked later waits for it
    later = asyncio.create_task(groups.commits.released(decided.source.lane))
    groups.held.end()
    await until_idle()
    assert not waiting.done()

    while groups.held.steps:
        groups.held.end()
        await until_idle()
    await asyncio.wait_for(asyncio.gather(waiting, later), 5)

    assert groups.open == []
    await asyncio.wait_for(groups.commits.released(decided.source.lane), 5)


async def test_each_outcome_has_its_place_on_its_span(groups: Groups) -> None:
    for offset in range(3):
        groups.add(offset)
    await until_idle()
    for _ in range(3):
        groups.held.end()
        await until_idle()

    publishing = groups.finished(f"publish {TOPICS.outcomes}")
    assert [
        (
            span.attributes[MESSAGING_DESTINATION_PARTITION_ID],
            span.attributes[MESSAGING_KAFKA_OFFSET],
        )
        for span in publishing
    ] == [("3", 40), ("3", 41), ("3", 7)]
    processing = groups.finished(f"process {EVENTS.topic}")
    assert [span.attributes[MESSAGING_KAFKA_OFFSET] for span in processing] == [0, 1, 2]
    taken_up = round((LeapingClock().time() - LeapingClock().monotonic() + TAKEN_UP_AT) * 1e9)
    assert [span.start_time for span in processing] == [taken_up] * 3
    assert [span.attributes["disposition.reason"] for span in processing] == [
        "interaction-not-completed"
    ] * 3
