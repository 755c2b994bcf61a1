"""What is noticed where a partition starts becomes one line and a metric."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import pytest
from faust.types import TP
from prometheus_client import CollectorRegistry

from streams.errors import KafkaError
from streams.worker.metrics import WorkerMetrics
from streams.worker.partitions.lives import Lives
from streams.worker.partitions.offset_range import OffsetRange
from streams.worker.partitions.starting_point import Found, Start
from tests.support.scripted import LeapingClock
from tests.support.world import samples

A, B = TP("events", 0), TP("events", 1)
ID = "CAEAgmnJRc6SA5nwYXQ4cA"
OTHER = "ZZEAgmnJRc6SA5nwYXQ4cA"
CUTS = "genesys_streams_log_cuts_total"
DELETED = "genesys_streams_deleted_undecided_offsets_total"


class Cluster:
    """Gives topic ids, or says that it can not."""

    ids: Mapping[str, str] = {"events": ID}
    failure: KafkaError | None = None

    def __call__(self) -> Mapping[str, str]:
        if self.failure is not None:
            raise self.failure
        return self.ids


class Office:
    def __init__(self) -> None:
        self.cluster = Cluster()
        self.metrics = WorkerMetrics(CollectorRegistry())
        self.lives = Lives(self.cluster, clock=LeapingClock(), metrics=self.metrics)

    def counted(self, name: str) -> float:
        return samples(self.metrics).get(name, 0)


@pytest.fixture
def office() -> Office:
    return Office()


async def test_a_whole_log_is_not_worth_a_word(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    starts = await office.lives.starting_points({A: Found(5, ID, 0, 9), B: Found(None, "", 0, 9)})

    assert starts == {A: Start(5, ID), B: Start(0, ID)}
    assert caplog.records == []


@pytest.mark.parametrize(
    ("found", "says", "counted"),
    [
        (Found(50, ID, 0, 4), "past the end", (1, 0)),
        (Found(3, OTHER, 0, 4), "another topic", (1, 0)),
        (Found(3, ID, 10, 14), "nobody has decided", (0, 7)),
    ],
)
async def test_what_was_lost_is_one_line_and_counted(
    office: Office,
    found: Found,
    says: str,
    counted: tuple[int, int],
    caplog: pytest.LogCaptureFixture,
) -> None:
    starts = await office.lives.starting_points({A: found, B: Found(5, ID, 0, 9)})

    assert starts[A].offset == found.beginning
    (line,) = caplog.records
    assert line.levelno == logging.ERROR
    assert says in line.getMessage()
    fields = vars(line)
    assert (fields["topic"], fields["partition"], fields["committed"], fields["end"]) == (
        "events",
        0,
        found.committed,
        found.end,
    )
    assert (office.counted(CUTS), office.counted(DELETED)) == counted


async def test_offsets_that_no_worker_has_set_are_one_line_for_all(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    await office.lives.starting_points({A: Found(5, "", 0, 9), B: Found(6, "", 0, 9)})

    (line,) = caplog.records
    assert line.levelno == logging.WARNING
    assert vars(line)["offsets"] == {"events/0": 5, "events/1": 6}


async def test_ids_that_are_not_to_be_had_are_those_known_before(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    await office.lives.starting_points({A: Found(5, ID, 0, 9)})
    office.cluster.failure = KafkaError("no broker answered")

    starts = await office.lives.starting_points({A: Found(None, "", 0, 9), B: Found(5, ID, 0, 9)})

    assert starts == {A: Start(0, ID), B: Start(5, ID)}
    (line,) = caplog.records
    assert "not to be had" in line.getMessage()


async def test_a_cut_while_it_is_read_begins_another_life(office: Office) -> None:
    start, reason = await office.lives.cut(A, 50, OffsetRange(2, 4))

    assert start.offset == 2
    assert start.life.startswith(f"{ID}@")
    assert "events/0" in str(reason)
    assert "offset 50 was expected next, and the broker has 2 up to 4" in str(reason)
    assert office.counted(CUTS) == 1
