"""A fixed window per token."""

from __future__ import annotations

from dataclasses import dataclass

from streams.local.simulator.ratelimit import RateLimit


@dataclass
class Time:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_request_beyond_the_limit_exceeds_and_the_next_window_starts_afresh() -> None:
    time = Time()
    limit = RateLimit(2, time, window=60)
    assert [limit.take("t").exceeded for _ in range(3)] == [False, False, True]
    time.now += 59.9
    assert limit.take("t").exceeded
    time.now += 0.2
    assert (limit.take("t").count, limit.take("t").exceeded) == (1, False)


def test_tokens_do_not_share_a_window() -> None:
    limit = RateLimit(1, Time())
    assert not limit.take("a").exceeded
    assert not limit.take("b").exceeded


def test_headers_give_count_limit_and_whole_seconds_left() -> None:
    time = Time()
    limit = RateLimit(300, time)
    limit.take("t")
    time.now += 47.5
    assert limit.take("t").headers() == {
        "inin-ratelimit-count": "2",
        "inin-ratelimit-allowed": "300",
        "inin-ratelimit-reset": "13",
    }
    time.now += 12.49
    assert limit.take("t").reset == 1
