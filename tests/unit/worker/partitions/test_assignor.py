"""A member of the group that comes back at another address."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import faust
import pytest
from faust.assignor.client_assignment import ClientAssignment, ClientMetadata

from streams.worker.partitions.assignor import MovableAssignor

NOW, BEFORE = "http://now:6066", "http://before:6066"


@dataclass(frozen=True)
class Assigned:
    """What the group gives to a member: partitions, and what the leader has said of them."""

    assignment: list[tuple[str, list[int]]]
    user_data: bytes


def assigned(url: str, *, said: list[int], given: list[int]) -> Assigned:
    """Partitions of ``events``: those that the leader has ``said``, and those that are given."""
    metadata = ClientMetadata(
        assignment=ClientAssignment(actives={"events": said}, standbys={}),
        url=url,
        changelog_distribution={url: {"changelog": said}},
        topic_groups={"events": 0},
    )
    return Assigned([("events", given)], zlib.compress(metadata.dumps()))


def told(assignor: MovableAssignor) -> ClientMetadata:
    """What it tells the group of its member."""
    metadata = ClientMetadata.loads(assignor.metadata({"events"}).user_data)
    assert isinstance(metadata, ClientMetadata)
    return metadata


@pytest.fixture
def assignor() -> MovableAssignor:
    app = faust.App("shop", broker="kafka://127.0.0.1:1", store="memory://", canonical_url=NOW)
    return MovableAssignor(app)


@pytest.mark.parametrize("url", [NOW, BEFORE])
def test_the_partitions_are_taken_over_whatever_the_address_was(
    assignor: MovableAssignor, url: str
) -> None:
    assignor.on_assignment(assigned(url, said=[0, 2], given=[0, 2]))

    assert {(tp.topic, tp.partition) for tp in assignor.assigned_actives()} == {
        ("events", 0),
        ("events", 2),
    }
    assert assignor.changelog_distribution == {url: {"changelog": [0, 2]}}


def test_the_group_is_told_the_address_of_today(assignor: MovableAssignor) -> None:
    """The leader hands it on to the workers that forward look-ups."""
    assignor.on_assignment(assigned(BEFORE, said=[0], given=[0]))

    metadata = told(assignor)

    assert metadata.url == NOW
    assert metadata.assignment.actives == {"events": [0]}


def test_what_contradicts_itself_is_refused_as_ever(assignor: MovableAssignor) -> None:
    with pytest.raises(AssertionError):
        assignor.on_assignment(assigned(BEFORE, said=[0, 1], given=[0]))
    assert told(assignor).url == NOW
