"""Faults of the simulated API: from a script, one after the other, or at a rate drawn from the
seed."""

from __future__ import annotations

import hashlib
from collections import deque
from typing import Literal

import msgspec

from streams.local.simulator.route import Route


class Fault(
    msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True
):
    """One fault. An empty one lets a request through; in a script the next fault waits meanwhile.

    ``status``: answer with it. ``retry_after``: seconds in a Retry-After header of that answer, as
    an HTTP date if ``retry_after_date``. ``timeout``: never answer. ``drop``: close the connection
    before or after the request took effect. ``delay_ms``: answer that much later. ``after_apply``:
    the status, the time-out or the delay comes only after the request took effect. ``regardless``:
    after the delay the request takes effect even if the client has left by then. ``times``: in a
    script, how many requests in a row it strikes.
    """

    status: int | None = None
    retry_after: int | None = None
    retry_after_date: bool = False
    timeout: bool = False
    drop: Literal["before-apply", "after-apply"] | None = None
    delay_ms: int = 0
    after_apply: bool = False
    regardless: bool = False
    times: int = 1

    def __post_init__(self) -> None:
        if (self.status is not None) + self.timeout + (self.drop is not None) > 1:
            raise ValueError("a fault has one of status, timeout and drop")
        if self.status is not None and not 400 <= self.status <= 599:
            raise ValueError("status must be 400 to 599")
        if self.regardless and (self.refuses or self.comes_after_effect):
            raise ValueError("a request that takes effect regardless can only be delayed")
        if self.times < 1 or self.delay_ms < 0:
            raise ValueError("times must be at least 1, delayMs at least 0")

    @property
    def comes_after_effect(self) -> bool:
        return self.after_apply or self.drop == "after-apply"

    @property
    def refuses(self) -> bool:
        """Whether the client gets no proper answer."""
        return self.status is not None or self.timeout or self.drop is not None


class Rate(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """``fault`` strikes this share (0 to 1) of the requests of ``route``. Without a route it
    strikes GET and PATCH."""

    rate: float
    fault: Fault
    route: Route | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.rate <= 1:
            raise ValueError("rate must be 0 to 1")

    def strikes(self, route: Route) -> bool:
        return self.route is route or (self.route is None and route is not Route.TOKEN)


class Script(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """``faults`` strike the next requests one by one. Those are requests for one interaction or for
    any, on one route or on GET and PATCH."""

    faults: tuple[Fault, ...]
    interaction_id: str | None = None
    route: Route | None = None


class FaultPlan(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """All faults that shall happen."""

    rates: tuple[Rate, ...] = ()
    scripts: tuple[Script, ...] = ()


# The faults of `--chaos` and of the demo's chaos: every kind that passes, and none that ends a
# record. The shares are small because a time-out costs the client its whole patience.
CHAOS = FaultPlan(
    rates=(
        Rate(0.010, Fault(status=429, retry_after=1)),
        Rate(0.020, Fault(status=500)),
        Rate(0.010, Fault(status=503)),
        Rate(0.005, Fault(status=401)),
        Rate(0.010, Fault(drop="before-apply")),
        Rate(0.010, Fault(drop="after-apply"), Route.PATCH),
        Rate(0.005, Fault(status=500, after_apply=True), Route.PATCH),
        Rate(0.020, Fault(delay_ms=500, after_apply=True)),
        Rate(0.001, Fault(timeout=True)),
        Rate(0.001, Fault(timeout=True, after_apply=True), Route.PATCH),
        Rate(0.050, Fault(status=503), Route.TOKEN),
    )
)

NO_FAULTS = FaultPlan()

_ScriptKey = tuple[Route | None, str | None]


class Faults:
    """Decides which fault strikes a request. ``outage`` strikes every request until it is None
    again.

    A rate is drawn from the seed, the interaction and the number of the request. The same seed hits
    the same requests, in whatever order they come.
    """

    def __init__(self, plan: FaultPlan = NO_FAULTS, seed: int = 0) -> None:
        self._seed = seed
        self.outage: Fault | None = None
        self.plan(plan)

    def plan(self, plan: FaultPlan) -> None:
        """Replace the earlier plan with this one."""
        self._rates = {
            route: tuple(rate for rate in plan.rates if rate.strikes(route)) for route in Route
        }
        self._scripts: dict[_ScriptKey, deque[Fault]] = {}
        for script in plan.scripts:
            left = self._scripts.setdefault((script.route, script.interaction_id), deque())
            for fault in script.faults:
                left.extend([fault] * fault.times)

    def draw(self, route: Route, interaction_id: str, nth: int) -> Fault | None:
        """The fault for the ``nth`` request of this route for this interaction, or None.

        A script for the interaction comes before one for any interaction, a script for the route
        before one for both routes, and every script before the rates.
        """
        if self.outage is not None:
            return self.outage
        if self._scripts and (fault := self._next_of_script(route, interaction_id)) is not None:
            return fault
        if rates := self._rates[route]:
            draw = self._share(route, interaction_id, nth)
            for rate in rates:
                if draw < rate.rate:
                    return rate.fault
                draw -= rate.rate
        return None

    def _next_of_script(self, route: Route, interaction_id: str) -> Fault | None:
        keys: list[_ScriptKey] = [(route, interaction_id), (route, None)]
        if route is not Route.TOKEN:
            keys = [keys[0], (None, interaction_id), keys[1], (None, None)]
        for key in keys:
            left = self._scripts.get(key)
            if left:
                return left.popleft()
        return None

    def _share(self, route: Route, interaction_id: str, nth: int) -> float:
        name = f"{self._seed} {route} {interaction_id} {nth}".encode()
        digest = hashlib.blake2b(name, digest_size=8).digest()
        return int.from_bytes(digest) / 2**64
