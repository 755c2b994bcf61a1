"""Ownership (promise 8): which partitions are ours, since when, and whether that still holds.

There is one assignment for each consumer generation. Code that is about to write or call for a
partition calls ``check`` first. It raises OwnershipLost after a revocation, or when the group may
have removed us without our knowing (a worker frozen for longer than its session).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType

from faust.types import TP

from streams.errors import OwnershipLost
from streams.kafka.message import Headers
from streams.wire.generation import generation_headers
from streams.worker.partitions.frontier import Frontier

# How soon a lane that waits for the answer to a heartbeat goes on after it.
OWNERSHIP_POLL_SECONDS = 0.05


class Assignment:
    """The partitions of one generation, each with its frontier."""

    def __init__(
        self,
        generation: int,
        committed: Mapping[TP, int],
        *,
        lives: Mapping[int, str] = MappingProxyType({}),
        session_alive: Callable[[], bool] = lambda: True,
        on_revoked: Callable[[], None] = lambda: None,
    ) -> None:
        self.generation = generation
        self.headers: Headers = generation_headers(generation)
        """They tell a record of this assignment from one that a later owner wrote."""
        self.frontiers = {tp: Frontier(offset) for tp, offset in committed.items()}
        self.lives = lives
        """The life of each partition of ``events``, by its number: offsets of two lives cannot be
        compared (see ``streams.core.redelivery``)."""
        self._cut: set[TP] = set()
        self.ending = asyncio.Event()
        """Set when the partitions are to be given up: finish the record in hand, start no other."""
        self._session_alive = session_alive
        self._on_revoked = on_revoked
        self._revoked = False

    @property
    def partitions(self) -> list[int]:
        """Numbers of the partitions held: those of ``events`` and of ``retries`` are the same."""
        return sorted({tp.partition for tp in self.frontiers})

    @property
    def revoked(self) -> bool:
        return self._revoked

    def revoke(self) -> None:
        """From now on nothing of this assignment may have an effect."""
        if self._revoked:
            return
        self._revoked = True
        self.ending.set()
        self._on_revoked()

    def check(self) -> None:
        """Raises OwnershipLost when an effect for these partitions would no longer be ours."""
        if self._revoked:
            raise OwnershipLost(f"the partitions of generation {self.generation} were revoked")
        if not self._session_alive():
            raise OwnershipLost(
                f"no heartbeat was answered within the session of generation {self.generation}; "
                "another worker may own its partitions by now"
            )

    async def owned(self) -> None:
        """Wait until it is known whether the partitions are ours. Raises OwnershipLost if they are
        not.

        When no heartbeat was answered for a session, ownership is open until the worker has joined
        the group again, which revokes the partitions here. While they are being given up nothing is
        waited for: a drain has a deadline, and ownership in doubt is lost then.
        """
        while True:
            # The session is looked at once in each turn. Between two looks it may run out and be
            # renewed by a late answer; then nothing is lost, and nobody would take up the record
            # that was given up.
            try:
                self.check()
            except OwnershipLost:
                if self.ending.is_set():
                    raise
            else:
                return
            # The heartbeat is answered in the consumer's thread: there is no event to wait for.
            await asyncio.sleep(OWNERSHIP_POLL_SECONDS)

    def uncommitted(self) -> dict[TP, int]:
        """The offsets to commit, of the partitions whose frontier has moved since the last
        commit."""
        return {
            tp: frontier.committable
            for tp, frontier in self.frontiers.items()
            if frontier.committable > frontier.committed and tp not in self._cut
        }

    def cut(self, tp: TP) -> None:
        """The log of that partition was cut: the frontier's offsets mean nothing in what is left
        of it, so none is committed any more."""
        self._cut.add(tp)

    def committed(self, offsets: Mapping[TP, int]) -> None:
        """Note that these offsets are committed."""
        for tp, offset in offsets.items():
            self.frontiers[tp].committed = offset
