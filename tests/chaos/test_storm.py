"""A short storm on three brokers, of either kind: all that `make storm` does, for a minute."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.settings import Settings
from tests.chaos.breaks import Break, draw_breaks
from tests.chaos.disk import needs_strace
from tests.chaos.plan import CALMER, Plan
from tests.chaos.report import Report
from tests.chaos.storm import storm
from tests.chaos.surroundings import DOWN, surroundings
from tests.support.clusters import KafkaCluster

log = logging.getLogger(__name__)

# Has every fault of `make storm` within the minute.
SEED = 505
SECONDS = 60.0

# A third of what the long storm sends: the cluster and its records are caught up with in the time
# that a test may take, also where two cores are shared with others.
EVENTS_PER_SECOND = 40.0


# Breaks in each way there is within the minute.
BROKEN_SEED = 31


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [SEED])
async def test_nothing_lost_nothing_done_twice(
    seed: int, kafka3: KafkaCluster, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    plan = Plan(seed, SECONDS, events_per_second=EVENTS_PER_SECOND)
    judged(await storm(plan, make_settings(), kafka3, tmp_path))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [BROKEN_SEED])
async def test_nor_where_network_clocks_and_disks_break(
    seed: int, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    needs_strace()
    plan = Plan(seed, SECONDS, events_per_second=EVENTS_PER_SECOND, weather=CALMER, network=True)
    async with surroundings(plan, tmp_path) as around:
        report = await storm(plan, make_settings(), around.network.cluster, tmp_path, around=around)
    judged(report)
    drawn = Counter(each.kind for each in draw_breaks(seed, SECONDS, CALMER))
    assert {each.what for each in draw_breaks(seed, SECONDS, CALMER)} == set(Break)
    struck = [kind.removesuffix(DOWN) for kind in around.struck.elements()]
    assert Counter(struck) == drawn
    for source in ("worker 1", "worker 2", "worker 3", "bridge", "sender", "broker"):
        assert around.network.carried(source) > 0, source


def judged(report: Report) -> None:
    log.info("%s", report.table())
    assert report.total == 0, report.table()
    assert report.records > 0.9 * SECONDS * EVENTS_PER_SECOND
    assert report.eligible == report.patches_applied > 0
    assert report.poison > SECONDS / 4
    assert report.looks > SECONDS / 4
    assert sum(report.faults.values()) > SECONDS / 10
