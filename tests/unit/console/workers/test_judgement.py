"""Is it us or Genesys?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from streams.console.workers.judgement import Whose, findings
from streams.console.workers.seen import Called, Seen, read_seen
from streams.console.workers.watch import Worker

BUDGET = 300

METRICS = """\
# TYPE genesys_streams_api_calls_total counter
genesys_streams_api_calls_total{method="GET",route="/api/v2/interactions/{id}",status="200"} 40.0
genesys_streams_api_calls_total{method="GET",route="/api/v2/interactions/{id}",status="503"} 2.0
genesys_streams_api_calls_total{method="POST",route="/oauth/token",status="200"} 1.0
# TYPE genesys_streams_frontier_lag_records gauge
genesys_streams_frontier_lag_records{partition="0",topic="e"} 3.0
genesys_streams_frontier_lag_records{partition="1",topic="e"} 4.0
"""


def worker(api: Mapping[str, float] | None = None, **last: Any) -> Worker:
    """As it was a minute ago, and is now."""
    made = Worker("http://worker:6066")
    made.answered(Seen(0.0, breaker="closed"))
    called = Called({"200": 100.0} if api is None else api)
    values: dict[str, Any] = {"breaker": "closed", "api": called} | last
    made.answered(Seen(60.0, **values))
    return made


@pytest.mark.parametrize(
    ("one", "whose", "said"),
    [
        (worker(), Whose.NOBODY, "nothing is wrong"),
        (worker({"200": 90, "503": 10}), Whose.GENESYS, "failed 10 of 100 requests"),
        (worker({"200": 90, "ApiTimeout": 10}), Whose.GENESYS, "ApiTimeout: 10"),
        (worker({"200": 99, "503": 1}), Whose.NOBODY, "nothing is wrong"),
        (worker({"200": 90, "429": 2}), Whose.GENESYS, "asked for fewer requests 2 times"),
        (worker({"200": 90, "403": 2}), Whose.US, "forbade 2 requests"),
        (worker(breaker="open"), Whose.GENESYS, "the breaker is open at 1 of 1"),
        (worker(not_ready="out of the group"), Whose.US, "is not ready: out of the group"),
        (worker(token=Called({"400": 3})), Whose.US, "gave no token 3 times"),
        (worker(token=Called({"503": 3})), Whose.GENESYS, "token endpoint failed 3 times"),
        (worker({"200": 295}, gate_waiting=40), Whose.NOBODY, "the budget of 300 a minute"),
        (Worker("http://worker:6066", silent="Timeout"), Whose.US, "does not answer (Timeout)"),
    ],
)
def test_who_has_to_act_is_said_first(one: Worker, whose: Whose, said: str) -> None:
    first, *_ = findings([one], BUDGET)
    assert first.whose is whose
    assert said in first.what


def test_without_workers_it_is_not_known() -> None:
    (only,) = findings([], BUDGET)
    assert only.whose is Whose.UNKNOWN


def test_a_worker_that_was_started_anew_counts_from_nothing() -> None:
    assert Called({"200": 5}).since(Called({"200": 90})).all == 5
    assert Called({"200": 95, "503": 1}).since(Called({"200": 90})).statuses == {"200": 5, "503": 1}


def test_a_worker_is_read_from_what_it_exposes() -> None:
    seen = read_seen(1.0, {"status": "ready", "breaker": "half-open"}, METRICS)
    assert (seen.not_ready, seen.breaker, seen.lag) == (None, "half-open", 7)
    assert (seen.api.statuses, seen.token.all) == ({"200": 40, "503": 2}, 1)
    away = read_seen(1.0, {"status": "not ready", "reason": "no\nKafka"}, "")
    assert away.not_ready == "no Kafka"
