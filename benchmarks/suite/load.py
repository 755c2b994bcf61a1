"""What lies in ``events`` when a contender is measured, and what the API knows of it. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from streams.core.envelope import UPDATE_DETAIL_TYPE

ENDED_AT = "2026-01-05T08:05:00Z"


@dataclass(frozen=True, slots=True)
class Load:
    """Events of distinct interactions.

    ``quiet``: events of each that table and event settle, for it is *connected*.
    ``call``: one more, *completed*, that has to be asked about.
    ``patch``: it gets its code then, so that it costs a PATCH beside the GET.
    ``apart``: how many interactions lie between two events of one: as many as begin meanwhile. All
    of them at most, so that the second event of the first comes after the first of the last.
    """

    interactions: int
    quiet: int
    call: bool
    apart: int
    patch: bool = False

    @property
    def events(self) -> int:
        return self.interactions * (self.quiet + self.call)

    @property
    def gets(self) -> int:
        return self.interactions if self.call else 0

    @property
    def patches(self) -> int:
        return self.gets if self.patch else 0

    def ids(self, run: str) -> list[str]:
        """Ids of the interactions; other ones in another run."""
        return [str(uuid.uuid5(uuid.NAMESPACE_OID, f"{run}/{n}")) for n in range(self.interactions)]

    def messages(self, run: str) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values, in the order in which they belong into the topic."""
        ids = self.ids(run)
        each = self.quiet + self.call
        order = sorted((n + self.apart * s, s, n) for n in range(len(ids)) for s in range(each))
        for _, sequence, number in order:
            state = "connected" if sequence < self.quiet else "completed"
            yield ids[number].encode(), event(ids[number], sequence, state)


def calls(interactions: int, *, patch: bool = False) -> Load:
    """One completed event of each."""
    return Load(interactions, quiet=0, call=True, apart=interactions, patch=patch)


def mixed(interactions: int, quiet: int) -> Load:
    """So many events without a call to one with. Interactions last for a fifth of the load, so that
    calls and the rest are side by side for most of it."""
    return Load(interactions, quiet, call=True, apart=max(1, interactions // (5 * max(1, quiet))))


def no_calls(interactions: int, quiet: int = 8) -> Load:
    """So many events of each, the second ones after all first ones: no two of one are near each
    other, which would spare work to a contender that gathers them."""
    return Load(interactions, quiet=quiet, call=False, apart=interactions)


def event(interaction_id: str, sequence: int, state: str) -> bytes:
    """As EventBridge delivers it."""
    return msgspec.json.encode(
        {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": UPDATE_DETAIL_TYPE,
            "source": "aws.partner/genesys.com/benchmark",
            "account": "111122223333",
            "time": ENDED_AT,
            "region": "eu-central-1",
            "resources": [],
            "detail": {
                "interactionId": interaction_id,
                "sequenceId": sequence,
                "interactionType": "voice",
                "state": state,
            },
        }
    )


def truth(interaction_id: str) -> dict[str, Any]:
    """As the API shows it: a call that is over, long enough, and without a code."""
    return {
        "id": interaction_id,
        "type": "voice",
        "state": "completed",
        "dispositionCode": None,
        "wrapUpCode": None,
        "metadata": {"startTime": "2026-01-05T08:00:00Z", "endTime": ENDED_AT},
        "timeline": [],
    }
