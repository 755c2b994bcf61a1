"""What a storm does and when: drawn from its seed before it begins, so that it can be replayed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from random import Random

BRIDGE = 0
API = 0
BROKERS = (1, 2, 3)


class Fault(StrEnum):
    """One thing that is done to a process from outside, in the words of the report."""

    KILL = "worker kill -9"
    LOSE_DISK = "worker kill -9, its disk lost"
    STOP = "worker SIGTERM"
    BLINK = "worker SIGSTOP, shorter than its session"
    FREEZE = "worker SIGSTOP, longer than its session"
    ADD = "worker added"
    REMOVE = "worker taken away"
    KILL_BRIDGE = "bridge kill -9"
    STOP_BRIDGE = "bridge SIGTERM"
    KILL_BROKER = "broker kill -9"
    FREEZE_BROKER = "broker SIGSTOP"
    API_DOWN = "API down"


KILLS = frozenset({Fault.KILL, Fault.LOSE_DISK, Fault.KILL_BRIDGE, Fault.KILL_BROKER})
BROKER_FAULTS = frozenset({Fault.KILL_BROKER, Fault.FREEZE_BROKER})
BRIDGE_FAULTS = frozenset({Fault.KILL_BRIDGE, Fault.STOP_BRIDGE})

Span = tuple[float, float]
"""Least and most, in seconds; what is drawn lies between them."""


@dataclass(frozen=True, slots=True)
class Strike:
    """``target`` is struck ``at`` seconds into the storm and is down or frozen for ``seconds``.

    ``target``: number of the worker or broker, ``BRIDGE`` for the bridge, ``API`` for the API.
    """

    at: float
    fault: Fault
    target: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.at:7.1f} s  {self.fault} {self.target}, {self.seconds:.1f} s"


@dataclass(frozen=True, slots=True)
class Weather:
    """How hard it blows. Pauses are from one strike of a kind of process to the next."""

    session_seconds: float = 4.0
    # Workers at the start, and between how many their number is kept.
    workers: int = 3
    fewest: int = 2
    most: int = 4
    # Shorter pauses leave no time in which a rebalance ends and the next fault meets real work.
    worker_pause: Span = (4.0, 12.0)
    bridge_pause: Span = (10.0, 35.0)
    # On top of the time in which the broker is down; then its replicas have to catch up.
    broker_pause: Span = (12.0, 35.0)
    down: Span = (0.0, 3.0)
    # A broker's own session is 6 s: some of these end before the others have noticed.
    broker_down: Span = (2.0, 10.0)
    # Longer than three tries take: records are put off.
    api_pause: Span = (15.0, 45.0)
    api_down: Span = (3.0, 10.0)


# How often each comes, relative to the others.
_WORKER_FAULTS = {
    Fault.KILL: 30,
    Fault.LOSE_DISK: 10,
    Fault.STOP: 15,
    Fault.BLINK: 15,
    Fault.FREEZE: 20,
    Fault.ADD: 5,
    Fault.REMOVE: 5,
}


def draw(seed: int, seconds: float, weather: Weather | None = None) -> tuple[Strike, ...]:
    """Every strike of a storm of that length, in order of time. The same seed, the same storm."""
    weather = weather or Weather()
    spheres = (
        _on_workers(Random(f"workers {seed}"), seconds, weather),
        _on_bridge(Random(f"bridge {seed}"), seconds, weather),
        _on_brokers(Random(f"brokers {seed}"), seconds, weather),
        _on_api(Random(f"api {seed}"), seconds, weather),
    )
    return tuple(sorted((each for one in spheres for each in one), key=lambda each: each.at))


def _on_workers(random: Random, seconds: float, weather: Weather) -> Iterator[Strike]:
    present = list(range(1, weather.workers + 1))
    busy_until = dict.fromkeys(range(1, weather.most + 1), 0.0)
    at = random.uniform(*weather.worker_pause)
    while at < seconds:
        fault = random.choices(list(_WORKER_FAULTS), list(_WORKER_FAULTS.values()))[0]
        fault = _possible(fault, len(present), weather)
        lasts = _lasts(random, fault, weather)
        absent = [number for number in busy_until if number not in present]
        candidates = absent if fault is Fault.ADD else present
        free = [number for number in candidates if busy_until[number] <= at]
        if free:
            target = random.choice(free)
            busy_until[target] = at + lasts
            if fault is Fault.ADD:
                present.append(target)
            elif fault is Fault.REMOVE:
                present.remove(target)
            yield Strike(at, fault, target, lasts)
        at += random.uniform(*weather.worker_pause)


def _possible(fault: Fault, present: int, weather: Weather) -> Fault:
    """Their number stays between fewest and most: at its limit, the other way."""
    if fault is Fault.ADD and present >= weather.most:
        return Fault.REMOVE
    if fault is Fault.REMOVE and present <= weather.fewest:
        return Fault.ADD
    return fault


def _lasts(random: Random, fault: Fault, weather: Weather) -> float:
    session = weather.session_seconds
    match fault:
        case Fault.BLINK:
            return random.uniform(0.1 * session, 0.6 * session)
        case Fault.FREEZE:
            # Only those longer than the session make zombies.
            return random.uniform(1.3 * session, 3 * session)
        case Fault.ADD | Fault.REMOVE:
            return 0.0
        case _:
            return random.uniform(*weather.down)


def _on_bridge(random: Random, seconds: float, weather: Weather) -> Iterator[Strike]:
    at = random.uniform(*weather.bridge_pause)
    while at < seconds:
        fault = random.choice((Fault.KILL_BRIDGE, Fault.KILL_BRIDGE, Fault.STOP_BRIDGE))
        yield Strike(at, fault, BRIDGE, random.uniform(*weather.down))
        at += random.uniform(*weather.bridge_pause)


def _on_brokers(random: Random, seconds: float, weather: Weather) -> Iterator[Strike]:
    """One at a time: with two of three replicas in sync, acks=all can be met in the end."""
    at = random.uniform(*weather.broker_pause)
    while at < seconds:
        fault = random.choice((Fault.KILL_BROKER, Fault.FREEZE_BROKER))
        lasts = random.uniform(*weather.broker_down)
        yield Strike(at, fault, random.choice(BROKERS), lasts)
        at += lasts + random.uniform(*weather.broker_pause)


def _on_api(random: Random, seconds: float, weather: Weather) -> Iterator[Strike]:
    at = random.uniform(*weather.api_pause)
    while at < seconds:
        lasts = random.uniform(*weather.api_down)
        yield Strike(at, Fault.API_DOWN, API, lasts)
        at += lasts + random.uniform(*weather.api_pause)
