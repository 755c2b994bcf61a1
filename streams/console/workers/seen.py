"""One worker at one moment, read from its ``/readyz`` and ``/metrics``. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from streams.core.foreign_text import foreign_text

TOKEN_ROUTE = "/oauth/token"

# What another program than a worker may answer at this address is shown, too.
SHOWN_LENGTH = 300

_PREFIX = "genesys_streams_"


@dataclass(frozen=True, slots=True)
class Called:
    """Requests to Genesys Cloud since the worker was started, by status: an HTTP status, or the
    error that came instead."""

    statuses: Mapping[str, float] = field(default_factory=dict)

    @property
    def all(self) -> float:
        return sum(self.statuses.values())

    def since(self, before: Called) -> Called:
        """What has come since then. A worker that was started anew counts from nothing."""
        if any(before.statuses.get(each, 0) > number for each, number in self.statuses.items()):
            return self
        grown = {
            each: number - before.statuses.get(each, 0) for each, number in self.statuses.items()
        }
        return Called({each: number for each, number in grown.items() if number > 0})

    def of(self, *kinds: str) -> float:
        """How many of these statuses; ``5xx`` for all from 500 on."""
        return sum(
            number
            for status, number in self.statuses.items()
            if status in kinds or ("5xx" in kinds and status.startswith("5"))
        )


@dataclass(frozen=True, slots=True)
class Seen:
    """``at``: monotonic seconds. ``not_ready``: why it is not, None when it is. ``breaker``:
    ``closed``, ``open`` or ``half-open``; empty when it does not say. ``records``: source records
    finished."""

    at: float
    version: str = ""
    not_ready: str | None = None
    breaker: str = ""
    breaker_opened: float = 0
    in_flight: float = 0
    lanes_waiting: float = 0
    gate_waiting: float = 0
    gate_waited: float = 0
    deferred_waiting: float = 0
    lag: float = 0
    records: float = 0
    dead: float = 0
    api: Called = Called()
    token: Called = Called()


def read_seen(at: float, ready: Mapping[str, object], metrics: str) -> Seen:
    """Raises ValueError when the metrics are none."""
    samples = [
        sample
        for family in text_string_to_metric_families(metrics)
        for sample in family.samples
        if sample.name.startswith(_PREFIX)
    ]
    calls = [each for each in samples if each.name == f"{_PREFIX}api_calls_total"]
    not_ready = None if ready.get("status") == "ready" else ready.get("reason", "it does not say")
    return Seen(
        at,
        version=next((each.labels.get("version", "") for each in _of(samples, "build_info")), ""),
        not_ready=None if not_ready is None else foreign_text(str(not_ready), SHOWN_LENGTH),
        breaker=foreign_text(str(ready.get("breaker", "")), SHOWN_LENGTH),
        breaker_opened=_sum(samples, "breaker_opened"),
        in_flight=_sum(samples, "in_flight"),
        lanes_waiting=_sum(samples, "lanes_waiting"),
        gate_waiting=_sum(samples, "throttle_waiting"),
        gate_waited=_sum(samples, "throttle_wait_seconds_total"),
        deferred_waiting=_sum(samples, "deferred_waiting"),
        lag=_sum(samples, "frontier_lag_records"),
        records=_sum(samples, "records_total"),
        dead=_sum(samples, "dead_letters_total"),
        api=_called(each for each in calls if each.labels.get("route") != TOKEN_ROUTE),
        token=_called(each for each in calls if each.labels.get("route") == TOKEN_ROUTE),
    )


def _of(samples: Iterable[Sample], name: str) -> Iterable[Sample]:
    return (each for each in samples if each.name == f"{_PREFIX}{name}")


def _sum(samples: Iterable[Sample], name: str) -> float:
    return sum(each.value for each in _of(samples, name))


def _called(calls: Iterable[Sample]) -> Called:
    statuses: dict[str, float] = {}
    for each in calls:
        status = foreign_text(each.labels.get("status", ""), SHOWN_LENGTH)
        statuses[status] = statuses.get(status, 0) + each.value
    return Called(statuses)
