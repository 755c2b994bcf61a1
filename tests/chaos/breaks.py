"""What breaks in a storm: network, clocks and disks, and when: drawn from its seed, as what is done
to processes is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from tests.chaos.schedule import BROKERS, Span, Weather

# The names of ends: of a process, ``worker 1``; of all of a kind, as here.
ANYONE = ""
ANY_WORKER = "worker"
ANY_BROKER = "broker"
BRIDGE = "bridge"
API = "API"
SENDER = "sender"


class Break(StrEnum):
    """One thing that breaks, in the words of the report."""

    CUT = "cut"
    UNANSWERED = "nothing comes back"
    UNHEARD = "nothing gets there"
    SLOW = "slow"
    STARVED = "a few bytes, then nothing"
    HALF_OPEN = "half open"
    CLOCK_FORWARD = "clock set forward"
    CLOCK_BACK = "clock set back"
    SLOW_DISK = "disk slow"
    FAILING_DISK = "disk refuses to be written"


@dataclass(frozen=True, slots=True)
class Broken:
    """From ``at`` seconds into the storm, for ``seconds``. ``source``, ``target``: the ends of what
    is broken, the same for a clock or a disk. ``amount``: seconds of a delay or of a clock, bytes
    that get through."""

    at: float
    what: Break
    source: str
    target: str
    seconds: float
    amount: float = 0.0

    @property
    def kind(self) -> str:
        """Without the number of a process."""
        return f"{re.sub(' [0-9]+', '', self._where)}: {self.what}"

    def __str__(self) -> str:
        broken = f"{self._where}: {self.what} ({self.amount:g})"
        return f"{self.at:7.1f} s  {broken}, {self.seconds:.1f} s"

    @property
    def _where(self) -> str:
        if self.source == self.target:
            return self.source
        return f"{self.source or 'anyone'} to {self.target}"


Ends = Callable[[Random], tuple[str, str]]
"""Draws source and target."""

# How often each comes, relative to the others.
_OF_LINKS: Mapping[Break, int] = {
    Break.CUT: 30,
    Break.UNANSWERED: 20,
    Break.UNHEARD: 15,
    Break.SLOW: 15,
    Break.STARVED: 10,
    Break.HALF_OPEN: 10,
}
_OF_CLOCKS: Mapping[Break, int] = {Break.CLOCK_FORWARD: 1, Break.CLOCK_BACK: 1}
_OF_DISKS: Mapping[Break, int] = {Break.SLOW_DISK: 1, Break.FAILING_DISK: 1}

# How much: a chunk that takes longer than the API's time-out lets nothing be done at all; an answer
# of Kafka or HTTP breaks off in its head or in its body.
_AMOUNTS: Mapping[Break, Span] = {
    Break.SLOW: (0.05, 0.6),
    Break.STARVED: (1, 3_000),
    # Brokers refuse a record from more than an hour ahead. What is put off by a clock that is ahead
    # waits as long, so a storm ends after it.
    Break.CLOCK_FORWARD: (1, 60),
    Break.CLOCK_BACK: (1, 60),
    Break.SLOW_DISK: (0.005, 0.1),
}

# Between two of the same kind of way, on top of what the first lasts.
WORKERS_PAUSE: Span = (5.0, 20.0)
API_PAUSE: Span = (5.0, 20.0)
BRIDGE_PAUSE: Span = (10.0, 35.0)
BROKERS_PAUSE: Span = (20.0, 50.0)
CLOCKS_PAUSE: Span = (10.0, 30.0)
DISKS_PAUSE: Span = (10.0, 30.0)

# Short enough that no session ends.
SHORT: Span = (0.3, 2.5)
# Longer than the API's time-out and a broker's session; aiokafka gives a request up after 40 s.
LONG: Span = (3.0, 10.0)
CLOCK_LASTS: Span = (5.0, 25.0)


def draw_breaks(seed: int, seconds: float, weather: Weather) -> tuple[Broken, ...]:
    """All that breaks in a storm of that length, in order of time. Of one kind of way one at a
    time. The same seed, the same breaks."""
    workers = [f"{ANY_WORKER} {number}" for number in range(1, weather.most + 1)]
    brokers = [f"{ANY_BROKER} {number}" for number in BROKERS]
    outlasting = (1.3 * weather.session_seconds, 3 * weather.session_seconds)

    def some_broker(random: Random) -> str:
        return random.choice([ANY_BROKER, ANY_BROKER, *brokers])

    def links(name: str, pause: Span, ends: Ends, long: Span = LONG) -> Iterator[Broken]:
        random = Random(f"{name} {seed}")
        lasting = (SHORT, long)
        return _one_at_a_time(random, seconds, _OF_LINKS, ends, pause=pause, lasting=lasting)

    def of_one_process(
        name: str, pause: Span, kinds: Mapping[Break, int], of: list[str], lasts: Span
    ) -> Iterator[Broken]:
        def ends(random: Random) -> tuple[str, str]:
            return (one := random.choice(of)), one

        random = Random(f"{name} {seed}")
        return _one_at_a_time(random, seconds, kinds, ends, pause=pause, lasting=(lasts,))

    schedules = (
        links(
            "workers to brokers",
            WORKERS_PAUSE,
            lambda random: (random.choice(workers), some_broker(random)),
            outlasting,
        ),
        links("workers to API", API_PAUSE, lambda random: (random.choice(workers), API)),
        links(
            "bridge",
            BRIDGE_PAUSE,
            lambda random: random.choice([(SENDER, BRIDGE), (BRIDGE, some_broker(random))]),
        ),
        # Not reached by other brokers, it stays the leader and can have nothing copied. Not reached
        # by anyone, it goes on telling the controller that it is there, unless it is that itself.
        links(
            "brokers",
            BROKERS_PAUSE,
            lambda random: (random.choice([ANY_BROKER, ANYONE]), random.choice(brokers)),
        ),
        of_one_process("clocks", CLOCKS_PAUSE, _OF_CLOCKS, [*workers, BRIDGE], CLOCK_LASTS),
        of_one_process("disks", DISKS_PAUSE, _OF_DISKS, workers, SHORT),
    )
    return tuple(sorted((each for one in schedules for each in one), key=lambda each: each.at))


def _one_at_a_time(
    random: Random,
    seconds: float,
    kinds: Mapping[Break, int],
    ends: Ends,
    *,
    pause: Span,
    lasting: tuple[Span, ...],
) -> Iterator[Broken]:
    at = random.uniform(*pause)
    while at < seconds:
        what = random.choices(list(kinds), list(kinds.values()))[0]
        source, target = ends(random)
        lasts = random.uniform(*random.choice(lasting))
        amount = random.uniform(*_AMOUNTS.get(what, (0.0, 0.0)))
        yield Broken(at, what, source, target, lasts, round(amount, 3))
        at += lasts + random.uniform(*pause)
