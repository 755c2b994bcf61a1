"""The simulated Genesys Cloud itself: the token route and the routes of an interaction."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from random import Random
from typing import Any, NoReturn

import msgspec
from aiohttp import web

from streams.clock import Clock, SystemClock
from streams.local.simulator import answers
from streams.local.simulator.call import Call, Effect
from streams.local.simulator.conversations import Conversations
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


_decode_change = msgspec.json.Decoder(_Change).decode


class Simulator:
    """One org. ``truths``: interactions as GET returns them. Without ``client`` any client is let
    in.

    ``refresh_token`` and ``rotates``: as Tokens has them. ``one_budget``: all tokens count against
    one rate limit, not each against its own. ``plan`` and ``latency``: the values at the start; the
    control API changes and resets them.
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
        refresh_token: str | None = None,
        rotates: bool = False,
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
        self.conversations = Conversations(self._clock.time, self.store.count_effect)
        self.faults = Faults(plan, seed)
        self.latency = latency or Latency()
        self.limit = RateLimit(requests_per_minute, self._clock.monotonic)
        self.tokens = Tokens(self._clock.monotonic, client, token_lifetime, refresh_token, rotates)
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
        for part in (self.store, self.conversations, self.limit, self.tokens, self.traffic):
            part.reset()

    async def close(self) -> None:
        """Cancels what was delayed, so that nothing takes effect any more."""
        left = list(self._regardless)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def token(self, request: web.Request) -> web.Response:
        """``POST /oauth/token``."""
        call = Call(request, Route.TOKEN, "", self._correlation.next())
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
        return await self._serve(request, route, self._interaction)

    def handler(
        self, route: Route, effect: Effect
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        """A handler for the server: token, limit, latency and faults around this effect."""

        async def handle(request: web.Request) -> web.Response:
            return await self._serve(request, route, effect)

        return handle

    async def _serve(self, request: web.Request, route: Route, effect: Effect) -> web.Response:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        of = request.match_info
        subject = of.get("interaction_id") or of.get("conversation_id") or request.path
        user = self.tokens.of_user(token)
        call = Call(request, route, token, self._correlation.next(), subject, user)
        status = UNANSWERED
        self.traffic.arrived(token)
        try:
            answer = await self._answer(call, effect)
            status = str(answer.status)
            return answer
        finally:
            self.traffic.left()
            self.traffic.answered(route, status)

    async def unknown(self, request: web.Request) -> web.Response:
        """Any other path."""
        return answers.error(404, self._correlation.next())

    async def _token(self, call: Call) -> web.Response:
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
        form = await call.request.post()
        match form.get("grant_type"):
            case "client_credentials":
                token, refresh_token = self.tokens.issue(), None
            case "refresh_token":
                refresh_token = self.tokens.renew(str(form.get("refresh_token", "")))
                if refresh_token is None:
                    return answers.refused_client(
                        call.correlation_id, "invalid_grant", "refresh token is not valid"
                    )
                token = self.tokens.issue(user=True)
            case _:
                return answers.refused_client(
                    call.correlation_id,
                    "unsupported_grant_type",
                    "grant_type must be client_credentials or refresh_token",
                )
        return answers.token(token, self.tokens.lifetime, call.correlation_id, refresh_token)

    async def _answer(self, call: Call, effect: Effect) -> web.Response:
        nth = self.store.count(call.route, call.subject)
        if not self.tokens.good(call.token):
            return answers.error(401, call.correlation_id)
        quota = self.limit.take("" if self._one_budget else call.token)
        call.limits = quota.headers()
        if quota.exceeded:
            return await self._refuse(call, Fault(status=429, retry_after=quota.reset))
        fault = self.faults.draw(call.route, call.subject, nth)
        pause = self.latency.seconds(self._random)
        # A client that leaves in the first half of the pause leaves before the effect; in the
        # second half it leaves after it.
        await self._sleep(pause / 2)
        answer = await self._effect_or_fault(call, fault, effect)
        await self._sleep(pause / 2)
        return answer

    async def _effect_or_fault(
        self, call: Call, fault: Fault | None, effect: Effect
    ) -> web.Response:
        if fault is None:
            return await effect(call)
        if fault.regardless:
            return await self._effect_regardless(call, fault, effect)
        answer = await effect(call) if fault.comes_after_effect else None
        await self._sleep(fault.delay_ms / 1000)
        if fault.refuses:
            return await self._refuse(call, fault)
        return answer or await effect(call)

    async def _effect_regardless(self, call: Call, fault: Fault, effect: Effect) -> web.Response:
        """Like a server that has the whole request: it takes effect even when the client leaves."""
        await call.request.read()

        async def later() -> web.Response:
            await self._sleep(fault.delay_ms / 1000)
            return await effect(call)

        task = asyncio.create_task(later())
        self._regardless.add(task)
        task.add_done_callback(self._regardless.discard)
        return await asyncio.shield(task)

    async def _interaction(self, call: Call) -> web.Response:
        if call.route is Route.GET:
            return self._get(call)
        return self._patch(call, await call.request.read())

    def _get(self, call: Call) -> web.Response:
        known = self.store.find(call.subject)
        if known is None:
            return answers.error(404, call.correlation_id, headers=call.limits)
        return answers.success(known.body, call.correlation_id, {"ETag": known.etag, **call.limits})

    def _patch(self, call: Call, body: bytes) -> web.Response:
        if call.request.content_type != "application/json":
            return answers.error(415, call.correlation_id, headers=call.limits)
        try:
            code = _decode_change(body).disposition_code.id
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            return self._bad_request(call, str(exc))
        if not code:
            return self._bad_request(call, "dispositionCode.id is empty")
        known = self.store.find(call.subject)
        if known is None:
            return answers.error(404, call.correlation_id, headers=call.limits)
        if call.request.headers.get("If-Match", "*") not in (known.etag, "*"):
            return answers.error(412, call.correlation_id, headers=call.limits)
        self.store.apply(call.subject, code)
        return answers.success(known.body, call.correlation_id, {"ETag": known.etag, **call.limits})

    def _bad_request(self, call: Call, message: str) -> web.Response:
        return answers.error(400, call.correlation_id, message=message, headers=call.limits)

    async def _refuse(self, call: Call, fault: Fault) -> web.Response:
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
