"""Promise 13: a worker that can not do its job ends, and one that waits with a reason does not."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from streams.errors import KafkaUnfit, MembershipLost, Stalled, StoreError
from streams.worker.health.kafka_faults import Fault
from streams.worker.health.watchdog import (
    CHECK_SECONDS,
    FROZEN_SECONDS,
    JOIN_SECONDS,
    Vitals,
    Watchdog,
)
from tests.support.scripted import LeapingClock

STALL_SECONDS = 120.0
IDLE = Vitals(
    fatal=None,
    broken=None,
    crashed=None,
    assignment=True,
    progress=0,
    restoring=0,
    waiting=0,
    excuse=None,
)


class Patient:
    """Vitals that a test sets, and the watchdog that looks at them."""

    def __init__(self, vitals: Vitals) -> None:
        self.vitals = vitals
        self.clock = LeapingClock()
        self.watchdog = Watchdog(lambda: self.vitals, self.clock, stall_seconds=STALL_SECONDS)

    def after(self, seconds: float) -> BaseException | None:
        """What it says after that much time, looking each second."""
        for _ in range(round(seconds / CHECK_SECONDS)):
            reason = self.watchdog.judge()
            if reason is not None:
                return reason
            self.clock.now += CHECK_SECONDS
        return self.watchdog.judge()


def test_idle_worker_lives_for_ever() -> None:
    assert Patient(IDLE).after(10 * STALL_SECONDS) is None


def test_out_of_the_group() -> None:
    patient = Patient(replace(IDLE, fatal="FencedInstanceId"))

    reason = patient.watchdog.judge()

    assert isinstance(reason, MembershipLost)
    assert "FencedInstanceId" in str(reason)


def test_stores_that_can_not_be_used() -> None:
    """Whatever else may be wrong by then: the operator reads the cause."""
    broken = StoreError("no space")
    vitals = replace(IDLE, broken=broken, crashed=RuntimeError("recovery died"), assignment=False)

    assert Patient(vitals).after(2) is broken


def test_crashed_consumer() -> None:
    patient = Patient(replace(IDLE, crashed=RuntimeError("consumer thread died")))

    reason = patient.watchdog.judge()

    assert isinstance(reason, MembershipLost)
    assert "consumer thread died" in str(reason)


def test_no_partitions_in_time() -> None:
    patient = Patient(replace(IDLE, assignment=False))

    assert patient.after(JOIN_SECONDS) is None
    assert isinstance(patient.after(2), MembershipLost)


def test_a_rebalance_starts_the_join_time_anew() -> None:
    patient = Patient(IDLE)
    assert patient.after(3 * JOIN_SECONDS) is None

    patient.vitals = replace(IDLE, assignment=False)

    assert patient.after(JOIN_SECONDS - 1) is None
    assert isinstance(patient.after(3), MembershipLost)


def test_a_long_restore_is_no_stall() -> None:
    patient = Patient(replace(IDLE, assignment=False, restoring=10))
    for restoring in reversed(range(10)):
        assert patient.after(JOIN_SECONDS - 1) is None
        patient.vitals = replace(patient.vitals, restoring=restoring)

    assert isinstance(patient.after(JOIN_SECONDS + 2), MembershipLost)


def test_waiting_records_and_a_frontier_that_stands_still() -> None:
    patient = Patient(replace(IDLE, progress=7, waiting=3))

    assert patient.after(STALL_SECONDS) is None
    reason = patient.after(2)
    assert isinstance(reason, Stalled)
    assert "3 records wait" in str(reason)


def test_progress_starts_the_time_anew() -> None:
    patient = Patient(replace(IDLE, progress=7, waiting=3))
    for progress in range(8, 12):
        assert patient.after(STALL_SECONDS - 1) is None
        patient.vitals = replace(patient.vitals, progress=progress)

    assert isinstance(patient.after(STALL_SECONDS + 2), Stalled)


def test_a_named_cause_is_waited_for() -> None:
    patient = Patient(replace(IDLE, progress=7, waiting=3, excuse="the API has asked for quiet"))
    assert patient.after(10 * STALL_SECONDS) is None

    patient.vitals = replace(patient.vitals, excuse=None)

    assert patient.after(STALL_SECONDS - 1) is None
    assert isinstance(patient.after(3), Stalled)


def test_time_without_waiting_records_does_not_count() -> None:
    patient = Patient(replace(IDLE, progress=7))
    assert patient.after(10 * STALL_SECONDS) is None

    patient.vitals = replace(patient.vitals, waiting=1)

    assert patient.after(STALL_SECONDS - 1) is None


async def test_watch_returns_the_first_reason() -> None:
    patient = Patient(replace(IDLE, progress=7, waiting=1))
    started = patient.clock.now

    reason = await asyncio.wait_for(patient.watchdog.watch(), 10)

    assert isinstance(reason, Stalled)
    assert patient.clock.now - started == pytest.approx(STALL_SECONDS, abs=2 * CHECK_SECONDS)
    assert set(patient.clock.slept) == {CHECK_SECONDS}


def silent(patient: Patient, *, explains: bool = False) -> Fault:
    """Kafka says nothing from now on."""
    return Fault("silent for {seconds}", patient.clock.monotonic(), 15.0, 50.0, explains)


def test_a_fault_that_lasts_ends_it() -> None:
    patient = Patient(IDLE)
    patient.vitals = replace(IDLE, faults=[silent(patient)])

    assert patient.after(49) is None
    reason = patient.after(2)
    assert isinstance(reason, KafkaUnfit)
    assert str(reason) == "silent for 50 s"


def test_a_process_that_stood_still_gives_kafka_its_time_anew() -> None:
    patient = Patient(IDLE)
    assert patient.after(5) is None
    patient.vitals = replace(IDLE, faults=[silent(patient)])

    patient.clock.now += 10 * FROZEN_SECONDS

    assert patient.after(49) is None
    assert isinstance(patient.after(2), KafkaUnfit)


def test_what_made_faust_give_up_is_named_instead_of_how_it_did() -> None:
    patient = Patient(IDLE)
    crashed = replace(IDLE, crashed=AssertionError("Unrecognized partition"))

    patient.vitals = replace(crashed, faults=[silent(patient)])
    assert "Unrecognized partition" in str(patient.watchdog.judge())

    patient.vitals = replace(crashed, faults=[silent(patient, explains=True)])
    assert str(patient.watchdog.judge()) == "silent for 0 s"
