"""A short storm on three brokers: everything that `make storm` does, for a minute."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.settings import Settings
from tests.chaos.plan import Plan
from tests.chaos.storm import storm
from tests.support.clusters import KafkaCluster

log = logging.getLogger(__name__)

# Has every fault of `make storm` within the minute.
SEED = 505
SECONDS = 60.0

# A third of what the long storm sends: the cluster and its records are caught up with in the time
# that a test may take, also where two cores are shared with others.
EVENTS_PER_SECOND = 40.0


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [SEED])
async def test_nothing_lost_nothing_done_twice(
    seed: int, kafka3: KafkaCluster, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    plan = Plan(seed, SECONDS, events_per_second=EVENTS_PER_SECOND)
    report = await storm(plan, make_settings(), kafka3, tmp_path)
    log.info("%s", report.table())
    assert report.total == 0, report.table()
    assert report.records > 0.9 * SECONDS * EVENTS_PER_SECOND
    assert report.eligible == report.patches_applied > 0
    assert report.poison > SECONDS / 4
    assert report.looks > SECONDS / 4
    assert sum(report.faults.values()) > SECONDS / 10
