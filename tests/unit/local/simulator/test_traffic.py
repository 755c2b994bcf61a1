"""What is held against a client."""

from __future__ import annotations

from streams.local.simulator.route import Route
from streams.local.simulator.traffic import Traffic


def test_requests_inside_a_retry_after_count_but_not_those_on_their_way() -> None:
    now = [0.0]
    traffic = Traffic(lambda: now[0])
    traffic.asked_for_quiet("t", 2)
    for now[0], token in ((0.1, "t"), (1.0, "other"), (1.5, "t"), (2.0, "t"), (1.9, "t")):
        traffic.arrived(token)
    assert traffic.counted()["requestsInsideRetryAfter"] == 1


def test_a_second_429_never_shortens_the_wait() -> None:
    now = [0.0]
    traffic = Traffic(lambda: now[0])
    traffic.asked_for_quiet("t", 10)
    traffic.asked_for_quiet("t", 1)
    now[0] = 5.0
    traffic.arrived("t")
    assert traffic.counted()["requestsInsideRetryAfter"] == 1


def test_concurrency_and_answers() -> None:
    traffic = Traffic(lambda: 0.0)
    traffic.arrived("t")
    traffic.arrived("t")
    traffic.left()
    traffic.arrived("t")
    traffic.answered(Route.GET, "200")
    counted = traffic.counted()
    assert (counted["inFlight"], counted["maxConcurrent"]) == (2, 2)
    assert counted["routes"] == {"GET": {"200": 1}, "PATCH": {}, "token": {}}
