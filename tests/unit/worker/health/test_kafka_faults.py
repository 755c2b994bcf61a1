"""What is wrong between a worker and Kafka, when it is unfit for that, and when it ends."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import replace

import pytest
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from streams.worker.health.broker_probe import NO_LEADER, NO_RIGHT, BrokerView, PartitionView
from streams.worker.health.kafka_faults import Fault, Needs, Session, faults

NEEDS = Needs(
    servers="kafka:9092",
    principal="User:worker",
    events="events",
    partitions=4,
    alike=("retries", "changelog"),
    written=("outcomes", "dead-letters"),
)
WHOLE = dict.fromkeys(NEEDS.topics, 4)
A = TP("events", 3)
NOW = 1000.0


def view(
    *,
    answered: float = NOW,
    counts: Mapping[str, int] | None = None,
    since: float = NOW,
    partitions: Mapping[TP, PartitionView] | None = None,
    leaderless: Mapping[TP, float] | None = None,
) -> BrokerView:
    """All is well, but for what is named."""
    made = BrokerView()
    made.answered_at = answered
    made.counts, made.counts_since = WHOLE if counts is None else counts, since
    made.partitions = {A: PartitionView(NOW)} if partitions is None else partitions
    made.leaderless = leaderless or {}
    return made


def all_faults(
    consumer: BrokerView | None = None,
    producer: BrokerView | None = None,
    *,
    heartbeat: float = NOW,
    timeout: float = 10.0,
    held: Collection[TP] | None = (A,),
    now: float = NOW,
) -> list[Fault]:
    return faults(
        NEEDS,
        consumer=consumer or view(answered=now, partitions={A: PartitionView(now)}),
        producer=producer or view(answered=now),
        session=Session(timeout, heartbeat),
        held=held,
        now=now,
    )


def unfit(found: list[Fault], now: float) -> str | None:
    return next((each.description(now) for each in found if each.unfit(now)), None)


def ends(found: list[Fault], now: float) -> str | None:
    return next((each.description(now) for each in found if each.ends(now)), None)


def test_all_is_well() -> None:
    assert unfit(all_faults(), NOW) is None
    assert ends(all_faults(), NOW) is None


def test_no_heartbeat() -> None:
    later = NOW + 12
    found = all_faults(heartbeat=NOW, now=later)
    assert str(unfit(found, later)).startswith("no heartbeat was answered for 12 s: ")
    assert ends(found, later) is None
    later = NOW + 50
    assert "no heartbeat" in str(ends(all_faults(heartbeat=NOW, now=later), later))


@pytest.mark.parametrize("timeout", [1.0, 6.0, 10.0, 45.0, 75.0])
def test_no_heartbeat_shows_within_half_a_minute_and_ends_it_within_one(timeout: float) -> None:
    for seconds, judged in ((30.0, unfit), (59.0, ends)):
        now = NOW + seconds
        assert judged(all_faults(heartbeat=NOW, timeout=timeout, now=now), now) is not None


@pytest.mark.parametrize("timeout", [0.5, 10.0, 60.0, 300.0, 1800.0])
def test_a_heartbeat_that_is_due_ends_nothing(timeout: float) -> None:
    """A worker asks six times within its session."""
    now = NOW + timeout / 6 + 0.01
    found = all_faults(heartbeat=NOW, timeout=timeout, now=now)
    assert unfit(found, now) is None
    assert ends(found, now) is None


def test_none_is_expected_while_partitions_come_and_go() -> None:
    """aiokafka sends none while it joins, and a join may wait for others."""
    assert ends(all_faults(heartbeat=NOW - 300, held=None), NOW) is None


@pytest.mark.parametrize("who", ["consumer", "producer"])
def test_no_broker_answers(who: str) -> None:
    silent = view(answered=NOW - 20)
    given_view = {who: silent}
    found = all_faults(**given_view)  # type: ignore[arg-type]
    assert f"answered this worker's {who} for 20 s" in str(unfit(found, NOW))
    assert ends(found, NOW) is None
    silent.answered_at = NOW - 50
    assert who in str(ends(all_faults(**given_view), NOW))  # type: ignore[arg-type]


def test_silent_brokers_are_a_fault_also_without_partitions() -> None:
    assert ends(all_faults(view(answered=NOW - 50), held=None), NOW) is not None


@pytest.mark.parametrize("name", NEEDS.topics)
def test_a_topic_is_gone(name: str) -> None:
    counts = {topic: count for topic, count in WHOLE.items() if topic != name}
    found = all_faults(view(counts=counts, since=NOW - 9))
    assert str(unfit(found, NOW)).startswith(f"no topic {name} at kafka:9092; run ")
    assert ends(found, NOW) is None
    assert ends(all_faults(view(counts=counts, since=NOW - 10)), NOW) is not None


@given(st.fixed_dictionaries({name: st.sampled_from([4, 16]) for name in NEEDS.topics}))
def test_partitions_are_added(counts: dict[str, int]) -> None:
    """Ends whenever those that have to be alike are not, or not as they were; not for others."""
    reason = ends(all_faults(view(counts=counts, since=NOW - 10)), NOW)
    alike = {counts["events"], *(counts[name] for name in NEEDS.alike)}
    if alike == {4}:
        assert reason is None
    elif alike == {16}:
        assert "start again" in str(reason)
    else:
        assert "they must have the same number" in str(reason)


def test_a_partition_cannot_be_read() -> None:
    lost = PartitionView(NOW - 30).failed(NO_LEADER)
    found = all_faults(view(partitions={A: lost}))
    assert str(unfit(found, NOW)).startswith("events/3 could not be read for 30 s: no broker leads")
    assert ends(found, NOW) is None
    found = all_faults(view(partitions={A: replace(lost, answered_at=NOW - 55)}))
    assert ends(found, NOW) is not None


def test_a_partition_of_another_worker_is_not_ours_to_judge() -> None:
    lost = {TP("events", 0): PartitionView(NOW - 500).failed(NO_LEADER), A: PartitionView(NOW)}
    elsewhere = {TP("changelog", 0): NOW - 500, TP("events", 0): NOW - 500}
    assert unfit(all_faults(view(partitions=lost, leaderless=elsewhere)), NOW) is None


@pytest.mark.parametrize("tp", [TP("changelog", 3), TP("outcomes", 0), TP("dead-letters", 1)])
def test_a_partition_that_cannot_be_written(tp: TP) -> None:
    found = all_faults(view(leaderless={tp: NOW - 55}))
    assert f"{tp.topic}/{tp.partition} for 55 s" in str(unfit(found, NOW))
    assert ends(found, NOW) is not None


def test_a_partition_that_was_not_looked_at_is_not_called_good() -> None:
    found = all_faults(view(partitions={}))
    assert unfit(found, NOW) == "events/3 was not looked at yet"
    assert not any(each.ends(NOW + 1e9) for each in found if "looked at" in each.what)


def test_before_the_probe_has_begun_there_is_no_fault() -> None:
    fresh = BrokerView()
    assert unfit(all_faults(fresh, fresh), NOW) is None


def test_the_log_ends_below_what_was_taken_up() -> None:
    """The seam ends the worker; when it can not, this does, within the minute."""
    short = PartitionView(NOW, end=40, short_since=NOW - 9, taken_up=50)
    assert unfit(all_faults(view(partitions={A: short})), NOW) is None
    short = replace(short, short_since=NOW - 10)
    assert unfit(all_faults(view(partitions={A: short})), NOW) is not None
    assert ends(all_faults(view(partitions={A: short})), NOW) is None
    short = replace(short, short_since=NOW - 45)
    reason = str(ends(all_faults(view(partitions={A: short})), NOW))
    assert reason.startswith("the log of events/3 was cut: offset 50 was to come next, and the log")
    assert reason.endswith("start again")


@given(
    since=st.floats(0, 1000),
    thawed=st.floats(0, 1000) | st.just(-math.inf),
    after=st.floats(0, 100),
    now=st.floats(0, 2000),
)
def test_time_in_which_the_process_stood_does_not_count(
    since: float, thawed: float, after: float, now: float
) -> None:
    fault = Fault("x", since, 0.0, after)
    assert fault.ends(now, thawed) == (now - since >= after and now - thawed >= after)


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=20))
def test_a_log_is_short_for_as_long_as_every_look_says_so(looks: list[tuple[int, int]]) -> None:
    seen = PartitionView(0.0)
    for now, (end, taken_up) in enumerate(looks):
        seen = seen.answered(0, end, taken_up, float(now))
    whole = [now for now, (end, taken_up) in enumerate(looks) if end >= taken_up]
    first_short = whole[-1] + 1 if whole else 0
    assert seen.short_since == (float(first_short) if first_short < len(looks) else None)


def test_a_partition_that_we_may_not_read_names_the_principal() -> None:
    refused = view(partitions={A: PartitionView(NOW, trouble=NO_RIGHT)})
    (fault,) = [each for each in all_faults(refused) if "could not be read" in each.what]
    assert "User:worker may not Read topic events; " in fault.what
