"""The simulated Genesys Cloud itself: the token route and the routes of an interaction."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, NoReturn

import msgspec
from aiohttp import web

from streams.clock import Clock, SystemClock
from streams.local.simulator import answers
from streams.local.simulator.faults import NO_FAULTS, Fault, FaultPlan, Faults
from streams.local.simulator.latency import Latency
from streams.local.simulator.ratelimit import DEFAULT_REQUESTS_PER_MINUTE, RateLimit
from streams.local.simulator.route import Route
from streams.local.simulator.store import Store
from streams.local.simulator.tokens import DEFAULT_LIFETIME_SECONDS, Client, Tokens
from streams.local.simulator.traffic import UNANSWERED, Traffic

_ROUTES = {"GET": Route.GET, "PATCH": Route.PATCH}


class _Code(msgspec.Struct, forbid_unknown_fields=True):
    id: str


class _Change(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    disposition_code: _Code


@dataclass(slots=True)
class _Call:
    """One request. ``limits``: the rate headers of its answer, once they are known."""

    request: web.Request
    route: Route
    token: str
    correlation_id: str
    limits: Mapping[str, str] = field(default_factory=dict)

    @property
    def interaction_id(self) -> str:
        return self.request.match_info["interaction_id"]


_decode_change = msgspec.json.Decoder(_Change).decode


class Simulator:
    """One org. ``truths``: interactions as GET returns them. Without ``client`` any client is let
    in.

    ``one_budget``: all tokens count against one rate limit, not each against its own. ``plan`` and
    ``latency``: the values at the start; the control API changes and resets them.
    """

    def __init__(
        self,
        truths: Iterable[dict[str, Any]] = (),
        *,
        seed: int = 0,
        plan: FaultPlan = NO_FAULTS,
        latency: Latency | None = None,
        requests_per_minute: int = DEFAULT_REQUESTS_PER_MINUTE,
        one_budget: bool = False,
        client: Client | None = None,
        token_lifetime: int = DEFAULT_LIFETIME_SECONDS,
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._random = Random(seed)
        self._initial = (plan, latency or Latency(), requests_per_minute)
        self._one_budget = one_budget
        self._correlation = answers.Correlation()
        self._token_requests = 0
        self._regardless: set[asyncio.Task[web.Response]] = set()
        self.store = Store(truths)
        self.faults = Faults(plan, seed)
        self.latency = latency or Latency()
        self.limit = RateLimit(requests_per_minute, self._clock.monotonic)
        self.tokens = Tokens(self._clock.monotonic, client, token_lifetime)
        self.traffic = Traffic(self._clock.monotonic)

    def fail(self, fault: Fault | None) -> None:
        """From now on every request meets this fault; None ends it."""
        self.faults.outage = fault

    def reset(self) -> None:
        """Restore interactions, faults, latency and limit as at the start. Clear counters and
        tokens."""
        plan, self.latency, self.limit.allowed = self._initial
        self.faults.plan(plan)
        self.faults.outage = None
        self._token_requests = 0
        for part in (self.store, self.limit, self.tokens, self.traffic):
            part.reset()

    async def close(self) -> None:
        """Cancels what was delayed, so that nothing takes effect any more."""
        left = list(self._regardless)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def token(self, request: web.Request) -> web.Response:
        """``POST /oauth/token``."""
        call = _Call(request, Route.TOKEN, "", self._correlation.next())
        status = UNANSWERED
        try:
            answer = await self._token(call)
            status = str(answer.status)
            return answer
        finally:
            self.traffic.answered(Route.TOKEN, status)

    async def interaction(self, request: web.Request) -> web.Response:
        """``GET`` and ``PATCH /api/v2/interactions/{interaction_id}``."""
        route = _ROUTES.get(request.method)
        if route is None:
            return answers.error(405, self._correlation.next())
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        call = _Call(request, route, token, self._correlation.next())
        status = UNANSWERED
        self.traffic.arrived(token)
        try:
            answer = await self._interaction(call)
            status = str(answer.status)
            return answer
        finally:
            self.traffic.left()
            self.traffic.answered(route, status)

    async def unknown(self, request: web.Request) -> web.Response:
        """Any other path."""
        return answers.error(404, self._correlation.next())

    async def _token(self, call: _Call) -> web.Response:
        self._token_requests += 1
        fault = self.faults.draw(Route.TOKEN, "", self._token_requests)
        if fault is not None:
            await self._sleep(fault.delay_ms / 1000)
            if fault.refuses:
                return await self._refuse(call, fault)
        if not self.tokens.lets_in(call.request.headers.get("Authorization", "")):
            return answers.refused_client(
                call.correlation_id, "invalid_client", "authentication failed"
            )
        if (await call.request.post()).get("grant_type") != "client_credentials":
            return answers.refused_client(
                call.correlation_id,
                "unsupported_grant_type",
                "grant_type must be client_credentials",
            )
        return answers.token(self.tokens.issue(), self.tokens.lifetime, call.correlation_id)

    async def _interaction(self, call: _Call) -> web.Response:
        nth = self.store.count(call.route, call.interaction_id)
        if not self.tokens.good(call.token):
            return answers.error(401, call.correlation_id)
        quota = self.limit.take("" if self._one_budget else call.token)
        call.limits = quota.headers()
        if quota.exceeded:
            return await self._refuse(call, Fault(status=429, retry_after=quota.reset))
        fault = self.faults.draw(call.route, call.interaction_id, nth)
        pause = self.latency.seconds(self._random)
        # A client that leaves in the first half of the pause leaves before the effect; in the
        # second half it leaves after it.
        await self._sleep(pause / 2)
        answer = await self._effect_or_fault(call, fault)
        await self._sleep(pause / 2)
        return answer

    async def _effect_or_fault(self, call: _Call, fault: Fault | None) -> web.Response:
        if fault is None:
            return await self._effect(call)
        if fault.regardless:
            return await self._effect_regardless(call, fault)
        answer = await self._effect(call) if fault.comes_after_effect else None
        await self._sleep(fault.delay_ms / 1000)
        if fault.refuses:
            return await self._refuse(call, fault)
        return answer or await self._effect(call)

    async def _effect_regardless(self, call: _Call, fault: Fault) -> web.Response:
        """Like a server that has the whole request: it takes effect even when the client leaves."""
        await call.request.read()

        async def later() -> web.Response:
            await self._sleep(fault.delay_ms / 1000)
            return await self._effect(call)

        task = asyncio.create_task(later())
        self._regardless.add(task)
        task.add_done_callback(self._regardless.discard)
        return await asyncio.shield(task)

    async def _effect(self, call: _Call) -> web.Response:
        if call.route is Route.GET:
            return self._get(call)
        return self._patch(call, await call.request.read())

    def _get(self, call: _Call) -> web.Response:
        known = self.store.find(call.interaction_id)
        if known is None:
            return answers.error(404, call.correlation_id, headers=call.limits)
        return answers.success(known.body, call.correlation_id, {"ETag": known.etag, **call.limits})

    def _patch(self, call: _Call, body: bytes) -> web.Response:
        if call.request.content_type != "application/json":
            return answers.error(415, call.correlation_id, headers=call.limits)
        try:
            code = _decode_change(body).disposition_code.id
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            return self._bad_request(call, str(exc))
        if not code:
            return self._bad_request(call, "dispositionCode.id is empty")
        known = self.store.find(call.interaction_id)
        if known is None:
            return answers.error(404, call.correlation_id, headers=call.limits)
        if call.request.headers.get("If-Match", "*") not in (known.etag, "*"):
            return answers.error(412, call.correlation_id, headers=call.limits)
        self.store.apply(call.interaction_id, code)
        return answers.success(known.body, call.correlation_id, {"ETag": known.etag, **call.limits})

    def _bad_request(self, call: _Call, message: str) -> web.Response:
        return answers.error(400, call.correlation_id, message=message, headers=call.limits)

    async def _refuse(self, call: _Call, fault: Fault) -> web.Response:
        status = fault.status
        if status is None:
            if fault.drop is not None and call.request.transport is not None:
                call.request.transport.abort()
            await _cancelled()
        if status == 429 and fault.retry_after is not None:
            self.traffic.asked_for_quiet(call.token, fault.retry_after)
        return answers.error(
            status,
            call.correlation_id,
            retry_after=fault.retry_after,
            retry_after_date=fault.retry_after_date,
            allowed=self.limit.allowed,
            headers=call.limits,
            now=self._clock.time(),
        )

    async def _sleep(self, seconds: float) -> None:
        if seconds > 0:
            await self._clock.sleep(seconds)


async def _cancelled() -> NoReturn:
    """Wait for the client to leave, or for the server's own end: both cancel the request."""
    while True:
        await asyncio.get_running_loop().create_future()
