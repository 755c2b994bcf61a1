"""What surrounds the processes of a storm: network, clocks and disks, which break as well."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    asynccontextmanager,
)
from pathlib import Path
from typing import Any

from yarl import URL

from tests.chaos.breaks import API, BRIDGE, SENDER, Break, Broken, draw_breaks
from tests.chaos.clocks import Clocks
from tests.chaos.disk import failing_disk, slow_disk
from tests.chaos.network import Network, network
from tests.chaos.plan import Plan
from tests.chaos.reach import BRIDGE_NAME, Reach, worker_name
from tests.support.link import CUT, HALF_OPEN, UNANSWERED, UNHEARD, Trouble, slow, starved
from tests.support.workers import free_port

log = logging.getLogger(__name__)

# Behind the kind of what broke around a process that was not there.
DOWN = ", it was down"

_DISKS = frozenset({Break.SLOW_DISK, Break.FAILING_DISK})


class Surroundings:
    """``struck``: what broke, and how often. ``bridge_url``: where the sender comes to the bridge,
    once it is led there."""

    def __init__(self, plan: Plan, between: Network, clocks: Clocks) -> None:
        self.network = between
        self.struck: Counter[str] = Counter()
        self.bridge_url = ""
        self._plan, self._clocks = plan, clocks
        self._bridge_port = free_port()
        self._apis: dict[str, str] = {}

    async def lead_to(self, api: str) -> None:
        """Open the ways to the API and to the bridge, the last ones that are missing."""
        for name in _processes(self._plan):
            self._apis[name] = await self._way(name, API, api)
        bridge = f"http://127.0.0.1:{self._bridge_port}"
        self.bridge_url = await self._way(SENDER, BRIDGE, bridge)

    def reach(self, name: str) -> Reach:
        settings: dict[str, Any] = {
            "kafka_bootstrap_servers": self.network.bootstrap_servers(name),
            "genesys_cloud_base_url": self._apis[name],
        }
        if name == BRIDGE_NAME:
            settings |= {"bridge_port": self._bridge_port, "worker_port": self._bridge_port}
        return Reach(settings, self._clocks.variables(name))

    async def rage(self, pid_of: Callable[[str], int | None]) -> None:
        """Break when it is time; returns when all is whole again. ``pid_of``: a process by its
        name, None while it is down."""
        began = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as breaking:
            for each in draw_breaks(self._plan.seed, self._plan.seconds, self._plan.weather):
                wait = began + each.at - asyncio.get_running_loop().time()
                await asyncio.sleep(max(0.0, wait))
                log.info("%s", each)
                breaking.create_task(self._keep_broken(each, pid_of))

    async def _keep_broken(self, broken: Broken, pid_of: Callable[[str], int | None]) -> None:
        pid = pid_of(broken.source) if broken.source in _processes(self._plan) else 0
        async with AsyncExitStack() as stack:
            try:
                await self._begin(broken, pid, stack)
            except ProcessLookupError:
                pid = None
            # Whoever is down may come up while its links and its clock are broken.
            self.struck[broken.kind if pid is not None else f"{broken.kind}{DOWN}"] += 1
            await asyncio.sleep(broken.seconds)

    async def _begin(self, broken: Broken, pid: int | None, stack: AsyncExitStack) -> None:
        if broken.what not in _DISKS:
            stack.enter_context(self._broken(broken))
        elif pid is not None:
            await stack.enter_async_context(_broken_disk(broken, pid))

    def _broken(self, broken: Broken) -> AbstractContextManager[None]:
        match broken.what:
            case Break.CLOCK_FORWARD:
                return self._clocks.set_by(broken.source, broken.amount)
            case Break.CLOCK_BACK:
                return self._clocks.set_by(broken.source, -broken.amount)
            case _:
                return self.network.broken(broken.source, broken.target, _trouble(broken))

    async def _way(self, source: str, target: str, url: str) -> str:
        to = URL(url)
        assert to.host is not None
        assert to.port is not None
        host, port = await self.network.lead(source, target, (to.host, to.port))
        return str(to.with_host(host).with_port(port)).rstrip("/")


@asynccontextmanager
async def surroundings(plan: Plan, home: Path) -> AsyncIterator[Surroundings]:
    """Brokers that are up, and everything around whoever is to come."""
    async with network(home / "kafka", _processes(plan)) as between:
        yield Surroundings(plan, between, Clocks(home))


def _processes(plan: Plan) -> list[str]:
    return [BRIDGE_NAME, *(worker_name(number) for number in range(1, plan.weather.most + 1))]


def _broken_disk(broken: Broken, pid: int) -> AbstractAsyncContextManager[None]:
    if broken.what is Break.FAILING_DISK:
        return failing_disk(pid)
    return slow_disk(pid, broken.amount)


def _trouble(broken: Broken) -> Trouble:
    match broken.what:
        case Break.CUT:
            return CUT
        case Break.UNANSWERED:
            return UNANSWERED
        case Break.UNHEARD:
            return UNHEARD
        case Break.HALF_OPEN:
            return HALF_OPEN
        case Break.SLOW:
            return slow(broken.amount)
        case Break.STARVED:
            return starved(round(broken.amount))
        case _:
            raise ValueError(f"{broken.what} is nothing that a link does")
