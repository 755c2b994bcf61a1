"""Interactions of a contact centre: what happened to each, and what the API will say of it.

Everything follows from the seed, one interaction at a time: the first 100 of 1,000 are the same as
100 alone. So a simulator and a generator in two processes agree without talking to each other.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

from streams.clock import rfc3339

# The defaults of `simulator` and `generate`. They must agree, or the simulator knows none of the
# interactions that the events are about.
DEFAULT_SEED = 1
DEFAULT_INTERACTIONS = 1_000

# The centre opens on this fixed day. If it were the day of the run, two runs of one seed would
# differ.
OPENING_MS = round(datetime(2026, 1, 5, 8, 0, tzinfo=UTC).timestamp() * 1000)

# One interaction every 1.5 s gives some 100 at a time: enough for their events to interleave.
ARRIVAL_MS = 1_500

# The contract's default threshold; lengths are drawn around it, some at its very edges.
THRESHOLD_MS = 30_000

_TYPES = {"voice": 70, "chat": 12, "email": 10, "callback": 8}
_LENGTHS = {"short": 20, "just-below": 3, "just-enough": 3, "long": 74}
_TRUTHS = {
    "open": 79,
    "disposition-set": 8,
    "wrap-up-set": 8,
    "not-completed": 3,
    "other-type": 1,
    "no-times": 1,
}
_SEQUENCES = {
    "from-one": 84,
    "from-zero": 4,
    "gaps": 4,
    "decimal-strings": 4,
    "mixed": 2,
    "opaque": 2,
}
_ENDINGS = {"completed": 80, "then-after-call-work": 9, "then-completed-again": 8, "unfinished": 3}

# A partial update names no type, so the type in the table has to serve.
_TYPELESS_EVENTS = 0.03

# Genesys Cloud gives the times of some interactions in their timeline alone.
_TIMELINE_ONLY = 0.10

# Made up, as plausible as need be: no promise depends on them. How long a call lasts beyond the
# threshold at the mean, and the shares of calls that ring in vain first, and that have work after.
_USUAL_TALK_MS = 120_000
_NOBODY_TOOK_IT = 0.2
_AFTER_CALL_WORK = 0.8


@dataclass(frozen=True, slots=True)
class Step:
    """One state change, and the event that reports it.

    ``at_ms``: epoch milliseconds. ``interaction_type`` is None in an event that does not name it.
    """

    event_id: str
    sequence_id: int | str
    state: str
    interaction_type: str | None
    at_ms: int


@dataclass(frozen=True, slots=True)
class SimulatedInteraction:
    """One interaction: its steps in the order they happened, and ``truth``, the JSON object that
    ``GET /api/v2/interactions/{id}`` answers with once all is over."""

    id: str
    steps: tuple[Step, ...]
    truth: dict[str, Any]


def population(seed: int, count: int) -> tuple[SimulatedInteraction, ...]:
    """The first ``count`` interactions of a seed, in the order in which they begin."""
    return tuple(_interaction(seed, index) for index in range(count))


def _interaction(seed: int, index: int) -> SimulatedInteraction:
    random = Random(f"interaction {seed} {index}")
    interaction_id = _uuid(random)
    interaction_type = _pick(random, _TYPES)
    start_ms = OPENING_MS + index * ARRIVAL_MS + random.randrange(ARRIVAL_MS)
    end_ms = start_ms + _length_ms(random)
    states = _states(random)
    times = [start_ms, *sorted(random.sample(range(start_ms + 1, end_ms), len(states) - 2)), end_ms]
    happened = list(zip(states, times, strict=True))
    ending = _pick(random, _ENDINGS)
    if ending == "unfinished":
        happened.pop()
    elif ending != "completed":
        state = ending.removeprefix("then-").removesuffix("-again")
        happened.append((state, end_ms + random.randrange(1_000, 30_000)))
    steps = _steps(random, happened, interaction_type)
    truth = _truth(random, interaction_id, interaction_type, happened)
    return SimulatedInteraction(interaction_id, steps, truth)


def _length_ms(random: Random) -> int:
    match _pick(random, _LENGTHS):
        case "short":
            return random.randrange(2_000, THRESHOLD_MS)
        case "just-below":
            return THRESHOLD_MS - 1
        case "just-enough":
            return THRESHOLD_MS
        case _:
            return THRESHOLD_MS + round(random.expovariate(1 / _USUAL_TALK_MS))


def _states(random: Random) -> list[str]:
    states = ["queued", "alerting"]
    if random.random() < _NOBODY_TOOK_IT:  # back into the queue
        states += ["queued", "alerting"]
    states.append("connected")
    states += ["hold", "connected"] * random.choice((0, 1, 1, 2, 3))
    if random.random() < _AFTER_CALL_WORK:
        states.append("after-call-work")
    return [*states, "completed"]


def _steps(
    random: Random, happened: list[tuple[str, int]], interaction_type: str
) -> tuple[Step, ...]:
    sequence_ids = _sequence_ids(random, len(happened))
    return tuple(
        Step(
            event_id=_uuid(random),
            sequence_id=sequence_id,
            state=state,
            interaction_type=None if random.random() < _TYPELESS_EVENTS else interaction_type,
            at_ms=at_ms,
        )
        for sequence_id, (state, at_ms) in zip(sequence_ids, happened, strict=True)
    )


def _sequence_ids(random: Random, count: int) -> list[int | str]:
    match _pick(random, _SEQUENCES):
        case "from-zero":
            return list(range(count))
        case "gaps":
            return sorted(random.sample(range(1, 10 * count), count))
        case "decimal-strings":
            return [str(number) for number in range(1, count + 1)]
        case "mixed":
            return [str(number) if number % 2 else number for number in range(1, count + 1)]
        case "opaque":
            return [f"seq-{random.getrandbits(48):012x}" for _ in range(count)]
        case _:
            return list(range(1, count + 1))


def _truth(
    random: Random, interaction_id: str, interaction_type: str, happened: list[tuple[str, int]]
) -> dict[str, Any]:
    kind = _pick(random, _TRUTHS)
    timeline = _timeline(happened)
    completed = "endTime" in timeline[-1]
    truth: dict[str, Any] = {
        "id": interaction_id,
        "type": interaction_type,
        "state": "completed" if completed else happened[-1][0],
        "direction": random.choice(("inbound", "inbound", "outbound")),
        "queueId": _uuid(Random(f"queue {random.randrange(5)}")),
        "metadata": {"startTime": timeline[0]["startTime"]},
        "timeline": timeline,
        "selfUri": f"/api/v2/interactions/{interaction_id}",
    }
    if kind == "not-completed":  # reopened, or taken over by another agent, since the event
        truth["state"], completed = "connected", False
        timeline[-1].pop("endTime", None)
    if kind == "disposition-set":
        truth["dispositionCode"] = {"id": _uuid(Random(f"code {random.randrange(8)}"))}
    elif kind == "wrap-up-set":
        truth["wrapUpCode"] = {"id": _uuid(Random(f"wrap-up {random.randrange(8)}"))}
    elif kind == "other-type":
        truth["type"] = "callback" if interaction_type == "voice" else "voice"
    elif kind == "no-times":
        truth |= {"metadata": {}, "timeline": []}
    elif random.random() < _TIMELINE_ONLY:
        truth["metadata"] = {}
    elif completed:
        truth["metadata"]["endTime"] = timeline[-1]["endTime"]
    return truth


def _timeline(happened: list[tuple[str, int]]) -> list[dict[str, str]]:
    """A segment a state up to *completed*; the last one has no end while the interaction runs."""
    segments: list[dict[str, str]] = []
    for state, at_ms in happened:
        at = rfc3339(at_ms / 1000)
        if segments:
            segments[-1]["endTime"] = at
        if state == "completed":
            break
        segments.append({"state": state, "startTime": at})
    return segments


def _pick(random: Random, weights: dict[str, int]) -> str:
    return random.choices(list(weights), list(weights.values()))[0]


def _uuid(random: Random) -> str:
    return str(uuid.UUID(int=random.getrandbits(128), version=4))
