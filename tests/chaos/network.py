"""Every way between the processes of a storm, as a link that can be broken.

Each worker and the bridge come to each broker by a port of their own, and the brokers to one
another by two more, for what they copy and for the controllers. The brokers listen on 127.0.0.1 and
tell whoever comes by such a port to come to the same port of another loopback address: there the
link listens. So a broker that others can not reach still reaches them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

from tests.chaos.breaks import ANY_BROKER
from tests.chaos.schedule import BROKERS
from tests.support.clusters import KafkaCluster
from tests.support.link import Address, Link, Trouble

# The listeners by which brokers come to one another: to copy, and to agree.
COPIES = "COPIES"
BETWEEN = (COPIES, "CONTROLLER")


ANY_PORT = ("127.0.0.1", 0)


class Network:
    """``cluster``: its brokers are come to through links alone, but for the judge. ``hosts``: where
    they listen, by the listener that they lead to."""

    def __init__(
        self, cluster: KafkaCluster, hosts: Mapping[str, str], stack: AsyncExitStack
    ) -> None:
        self.cluster = cluster
        self._hosts, self._stack = hosts, stack
        self._links: list[tuple[str, str, Link]] = []

    async def lead(self, source: str, target: str, to: Address, by: Address = ANY_PORT) -> Address:
        """Open a way between a process and a broker, ``API`` or another process. Where it
        listens."""
        link = Link(by, to)
        self._links.append((source, target, link))
        return await self._stack.enter_async_context(link.open())

    async def lead_to_brokers(self, source: str, listener: str) -> None:
        for number, (host, port) in zip(BROKERS, self._addresses(listener), strict=True):
            told = (self._hosts[listener], port)
            await self.lead(source, f"{ANY_BROKER} {number}", (host, port), told)

    def bootstrap_servers(self, source: str) -> str:
        """Where a process comes to the brokers."""
        listener = listener_of(source)
        return ",".join(f"{self._hosts[listener]}:{port}" for _, port in self._addresses(listener))

    @contextmanager
    def broken(self, source: str, target: str, trouble: Trouble) -> Iterator[None]:
        """All ways between these ends; the name of a kind is that of each of them."""
        found = [
            link
            for one, other, link in self._links
            if one.startswith(source) and other.startswith(target)
        ]
        if not found:
            raise ValueError(f"no way leads from {source!r} to {target!r}")
        with ExitStack() as broken:
            for link in found:
                broken.enter_context(link.broken(trouble))
            yield

    def carried(self, source: str) -> int:
        """Bytes, on all ways of a process or of those of a kind."""
        return sum(link.carried for one, _, link in self._links if one.startswith(source))

    def _addresses(self, listener: str) -> Iterator[Address]:
        for server in self.cluster.listener(listener).split(","):
            host, _, port = server.rpartition(":")
            yield host, int(port)


@asynccontextmanager
async def network(home: Path, processes: Sequence[str]) -> AsyncIterator[Network]:
    """Three brokers that are up, and the ways to them. ``processes``: each has ways of its own."""
    own = [listener_of(each) for each in processes]
    # Loopback addresses that only Linux has without being told to.
    hosts = {each: f"127.0.1.{number}" for number, each in enumerate((*BETWEEN, *own), start=1)}
    cluster = KafkaCluster(
        home,
        len(BROKERS),
        dict.fromkeys((COPIES, *own), "PLAINTEXT"),
        {"inter.broker.listener.name": COPIES},
        advertised=hosts,
    )
    async with AsyncExitStack() as stack:
        made = Network(cluster, hosts, stack)
        for listener in BETWEEN:
            await made.lead_to_brokers(ANY_BROKER, listener)
        for each in processes:
            await made.lead_to_brokers(each, listener_of(each))
        stack.push_async_callback(asyncio.to_thread, cluster.delete)
        await asyncio.to_thread(cluster.up)
        yield made


def listener_of(process: str) -> str:
    """``worker 1``: ``WORKER1``."""
    return process.replace(" ", "").upper()
