"""The events of many interactions in the order in which EventBridge would deliver them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

from streams.clock import rfc3339
from streams.core.envelope import UPDATE_DETAIL_TYPE
from streams.local.generator.population import SimulatedInteraction, Step

# More than EventBridge is likely to, so that a demo of a minute shows both.
DEFAULT_DUPLICATES = 0.10
DEFAULT_LATE = 0.05

# A late event is overtaken by at most this many: delays are short, as EventBridge's are.
_MOST_OVERTAKING = 3

# A redelivery comes within this time, in milliseconds of the centre's day.
_REDELIVERY_MS = 20_000

# Steps are whole milliseconds apart. A late event comes right behind the one that overtakes it, and
# a redelivery behind its own first delivery, but before the next step: no two have one time.
_LATE_BEHIND_MS = 0.5
_REDELIVERED_BEHIND_MS = 0.25

_ACCOUNT = "111122223333"
_REGION = "eu-central-1"
_SOURCE = "aws.partner/genesys.com/cloud/5e1f0a52-3b7c-4d0a-9c53-6d6f4a0b7c11/streams"

# Delivery time in ms, then the interaction and step by number: a total order, so that sorting
# never has to compare anything else and the same seed gives the same stream.
_Delivery = tuple[float, int, int]


def stream(
    interactions: Sequence[SimulatedInteraction],
    seed: int,
    *,
    duplicates: float = DEFAULT_DUPLICATES,
    late: float = DEFAULT_LATE,
    now: Callable[[], float] | None = None,
) -> Iterator[dict[str, Any]]:
    """EventBridge envelopes in order of delivery, interleaved as they happened.

    ``duplicates``: share of the events that are delivered twice, the same envelope each time.
    ``late``: share of the events that come after at least one later event of their interaction.
    Both are from 0 to 1. ``now`` (epoch seconds): the ``time`` of an envelope is when it is first
    read from the stream, as in a centre that is at work now. Without ``now`` it is a time of the
    centre's fixed day.
    """
    deliveries: list[_Delivery] = []
    for number, interaction in enumerate(interactions):
        random = Random(f"stream {seed} {interaction.id}")
        for index, at in enumerate(_delivery_times(interaction.steps, late, random)):
            deliveries.append((at, number, index))
            if random.random() < duplicates:
                again = at + random.uniform(_REDELIVERED_BEHIND_MS, _REDELIVERY_MS)
                deliveries.append((again, number, index))
    deliveries.sort()
    stamped: dict[tuple[int, int], str] = {}
    for _, number, index in deliveries:
        interaction = interactions[number]
        step = interaction.steps[index]
        time = rfc3339(step.at_ms / 1000)
        if now is not None:
            time = stamped.setdefault((number, index), rfc3339(now()))
        yield _envelope(interaction.id, step, time)


def _delivery_times(steps: Sequence[Step], late: float, random: Random) -> list[float]:
    # The last event can not be late, so the others take its share.
    share = late * len(steps) / (len(steps) - 1)
    is_late = [random.random() < share for _ in steps[:-1]] + [False]
    times = [float(step.at_ms) for step in steps]
    for index in range(len(steps)):
        if is_late[index]:
            punctual = [other for other in range(index + 1, len(steps)) if not is_late[other]]
            overtaking = random.choice(punctual[:_MOST_OVERTAKING])
            times[index] = steps[overtaking].at_ms + _LATE_BEHIND_MS
    return times


def _envelope(interaction_id: str, step: Step, time: str) -> dict[str, Any]:
    detail: dict[str, Any] = {
        "interactionId": interaction_id,
        "sequenceId": step.sequence_id,
        "interactionType": step.interaction_type,
        "state": step.state,
        "timestamp": rfc3339(step.at_ms / 1000),
    }
    if step.interaction_type is None:
        del detail["interactionType"]
    return {
        "version": "0",
        "id": step.event_id,
        "detail-type": UPDATE_DETAIL_TYPE,
        "source": _SOURCE,
        "account": _ACCOUNT,
        "time": time,
        "region": _REGION,
        "resources": [],
        "detail": detail,
    }
