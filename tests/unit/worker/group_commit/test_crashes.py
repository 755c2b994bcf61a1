"""A worker that dies between any two steps of its groups: nothing is lost, doubled or overtaken."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams.core.records import decode_record
from tests.support.disks import Disk, KeptChangelog, of_an_interaction
from tests.support.world import World
from tests.unit.worker.group_commit.lives import (
    Death,
    Event,
    assert_as_if_nothing_had_happened,
    live,
)

# Several interactions, one of them with calls to the API among its records, a duplicate, a late
# one, and one that the table settles after the call.
EVENTS = [
    Event("i-1", 1),
    Event("i-2", 1),
    Event("i-1", 2),
    Event("i-3", 1),
    Event("i-2", 2),
    Event("i-2", 2),
    Event("i-1", 3, "completed"),
    Event("i-2", 1),
    Event("i-1", 4, "completed"),
    Event("i-3", 2),
]


def steps(run: int) -> int:
    world = World()
    live(world, EVENTS, run=run)
    return len(world.journal)


# In one run, and record by record.
BOUNDARIES = [(run, step) for run in (500, 1) for step in range(steps(run))]


def test_the_records_share_groups_and_lanes() -> None:
    """Or the tests below would be of something else."""
    world = World()
    live(world, EVENTS)

    leaves = [step for step in world.journal if step.endswith("leaves")]
    assert leaves[:3] == ["verdict leaves"] * 3, "three interactions in one group"
    assert leaves.count("outcome leaves") == len(EVENTS)
    assert leaves.count("verdict leaves") < len(EVENTS), "records of one interaction share a write"
    assert leaves.count("PATCH leaves") == 1
    assert_as_if_nothing_had_happened(world, EVENTS)


@pytest.mark.parametrize("commits", [False, True], ids=["uncommitted", "committed"])
@pytest.mark.parametrize(("run", "step"), BOUNDARIES)
def test_crash(run: int, step: int, commits: bool) -> None:
    world = World()
    death = Death(world, step)
    reached = live(world, EVENTS, run=run, death=death)
    assert death.came is not None

    live(world, EVENTS, run=run, committed=reached if commits else 0)

    assert_as_if_nothing_had_happened(world, EVENTS)


@pytest.mark.parametrize("disk", ["same", "empty"])
@pytest.mark.parametrize("step", range(steps(500)))
def test_crash_on_a_disk(step: int, disk: str, tmp_path: Path) -> None:
    """With real stores, which lag behind their changelog wherever the worker dies."""
    world = World()
    changelog = KeptChangelog(world, of_an_interaction)
    first = Disk(tmp_path / "first", changelog, world, decode_record)
    death = Death(world, step)
    live(world, EVENTS, table=first.table, death=death)
    first.close()

    next_one = Disk(
        tmp_path / ("first" if disk == "same" else "next"), changelog, world, decode_record
    )
    assert next_one.has(changelog) or not changelog.records
    live(world, EVENTS, table=next_one.table)

    assert_as_if_nothing_had_happened(world, EVENTS)
    assert next_one.has(changelog)
    next_one.close()


@given(
    events=st.lists(
        st.builds(
            Event,
            st.sampled_from(["i-1", "i-2", "i-3"]),
            st.integers(1, 5),
            st.sampled_from(["connected", "connected", "completed"]),
        ),
        min_size=1,
        max_size=14,
    ),
    deaths=st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=4),
    run=st.sampled_from([1, 2, 3, 500]),
)
@example(events=[Event("i-2", 1), Event("i-2", 2)], deaths=[(3, False), (1, False)], run=1)
def test_any_deaths(events: list[Event], deaths: list[tuple[int, bool]], run: int) -> None:
    world = World()
    committed = 0
    for step, commits in deaths:
        reached = live(world, events, run=run, committed=committed, death=Death(world, step))
        committed = reached if commits else committed

    live(world, events, run=run, committed=committed)

    assert_as_if_nothing_had_happened(world, events)
