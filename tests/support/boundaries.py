"""Every step of every way that a record can take: where a worker can lose its partition, or die."""

from __future__ import annotations

import asyncio

from streams.errors import Forbidden
from tests.support.world import (
    Worker,
    World,
    arrives_late,
    event,
    lost_on_the_way,
    lost_once_applied,
    raising,
    unreachable,
)


def scenarios() -> dict[str, tuple[World, bytes]]:
    """Worlds whose processors differ; made anew for each test."""
    in_doubt = World()
    in_doubt.patches.append(lost_once_applied)
    not_applied = World()
    not_applied.patches.append(lost_on_the_way)
    late = World()
    late.patches.append(arrives_late)
    put_off = World()
    put_off.fetches.append(unreachable)
    forbidden = World()
    forbidden.fetches.append(raising(Forbidden("no", status=403)))
    return {
        "plain": (World(), event()),
        "in doubt, applied": (in_doubt, event()),
        "in doubt, not applied": (not_applied, event()),
        "in doubt, late": (late, event()),
        "put off": (put_off, event()),
        "forbidden": (forbidden, event()),
        "malformed": (World(), b"no event"),
        "not completed": (World(), event(interactionType="voice", state="connected")),
    }


def boundaries() -> list[tuple[str, int]]:
    """Every step of every scenario."""
    found = []
    for name, (world, value) in scenarios().items():
        asyncio.run(Worker(world).process(value))
        found += [(name, number) for number in range(len(world.journal))]
    return found


BOUNDARIES = boundaries()
