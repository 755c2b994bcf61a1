"""Anything in the topics and from the API, on Apache Kafka: a short ``benchmarks.fuzz``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.fuzzing.records import Role
from benchmarks.fuzzing.run import Amounts, run
from streams.core.records import Decision
from streams.settings import Settings
from tests.support.clusters import RunningKafka

AMOUNTS = Amounts(records=3_000, good=500, answers=500, seed=29, seconds=180.0)


@pytest.mark.timeout(300)  # Half a minute; much longer where others use the machine.
async def test_no_record_and_no_answer_stops_a_worker(
    kafka: RunningKafka, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = make_settings(kafka_bootstrap_servers=kafka.bootstrap_servers, log_level="warning")
    result = await run(settings, tmp_path, AMOUNTS)
    assert not result.wrong, f"{len(result.wrong)} violations:\n" + "\n".join(result.wrong[:20])
    # Or nothing of it would have come to the API, and nothing to its answers.
    assert result.answers.total() >= AMOUNTS.answers
    for role in (Role.GOOD, Role.FUZZED, Role.ANSWERED, Role.COPY):
        decisions = {decision for of, decision, _ in result.decided if of == role}
        assert Decision.PATCHED in decisions
        assert (Decision.FAILED in decisions) is (role is not Role.GOOD)
