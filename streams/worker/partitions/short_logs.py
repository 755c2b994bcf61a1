"""Tells a log that was cut from one whose new leader does not know its end yet.

The end that a fetch's answer names is the leader's high watermark. That of a leader just elected
may lag behind what consumers have read already, until its followers have asked it (KIP-207). When
such a leader is asked for the end alone, it says that it does not know it, or the right one. So the
broker is asked before a log that seems to end too early passes for cut: to take a whole log for a
cut one is to read all of it again, under a new life.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

import aiokafka.errors
from faust.types import TP

from streams.worker.partitions.offset_range import OffsetRange
from streams.worker.partitions.source_thread import RANGE_SECONDS

log = logging.getLogger(__name__)


async def cut_among(
    seem_short: Mapping[TP, int],
    kept: Callable[[Mapping[TP, int]], Awaitable[Mapping[TP, OffsetRange]]],
) -> frozenset[TP]:
    """Those of these logs, each with the offset expected next, that end below it. None of them
    while the broker does not say where they end. ``kept``: asks the broker what it has of them."""
    if not seem_short:
        return frozenset()
    try:
        found = await asyncio.wait_for(kept(seem_short), RANGE_SECONDS)
    except (TimeoutError, aiokafka.errors.KafkaError) as failure:
        log.warning(
            "logs may have been cut, and where they end is not to be had yet",
            extra={
                "logs": [f"{tp.topic}/{tp.partition}" for tp in sorted(seem_short)],
                "error": repr(failure),
            },
        )
        return frozenset()  # the next look asks again
    return frozenset(tp for tp, expected in seem_short.items() if found[tp].end < expected)
