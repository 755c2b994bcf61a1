"""The control API under ``/_simulator/``: for tests, the demo and a curious user; not Genesys'."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from streams.local.conversations.scenario import Scenario, all_moved
from streams.local.simulator.api import Simulator
from streams.local.simulator.conversations import Org
from streams.local.simulator.faults import Fault, FaultPlan
from streams.local.simulator.latency import Latency
from streams.timestamps import epoch_ms


class RateLimitSetting(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The body of ``PUT /_simulator/rate-limit``."""

    requests_per_minute: int

    def __post_init__(self) -> None:
        if self.requests_per_minute < 1:
            raise ValueError("requestsPerMinute must be at least 1")


class Control:
    """Handlers of the control API. A wrong body is answered 400 ``{"error": …}``, success is 200
    JSON."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def routes(self) -> list[web.RouteDef]:
        return [
            web.put("/_simulator/interactions", self._answering(self.register)),
            web.get("/_simulator/interactions/{interaction_id}", self._answering(self.interaction)),
            web.put("/_simulator/conversations", self._answering(self.load)),
            web.get("/_simulator/conversations/{id}", self._answering(self.conversation)),
            web.get("/_simulator/writes", self._answering(self.writes)),
            web.put("/_simulator/org", self._answering(self.org)),
            web.get("/_simulator/counters", self._answering(self.counters)),
            web.put("/_simulator/faults", self._answering(self.faults)),
            web.put("/_simulator/outage", self._answering(self.outage)),
            web.delete("/_simulator/outage", self._answering(self.outage_over)),
            web.put("/_simulator/latency", self._answering(self.latency)),
            web.put("/_simulator/rate-limit", self._answering(self.rate_limit)),
            web.post("/_simulator/tokens/revoke", self._answering(self.revoke)),
            web.post("/_simulator/reset", self._answering(self.reset)),
        ]

    async def register(self, request: web.Request) -> dict[str, Any]:
        """Takes a JSON array of interactions as GET shall return them; known ones are changed."""
        truths = await _body(request, list[dict[str, Any]])
        if not all(isinstance(truth.get("id"), str) and truth["id"] for truth in truths):
            raise ValueError("every interaction needs an id")
        self._simulator.store.register(truths)
        return {"registered": len(truths)}

    async def interaction(self, request: web.Request) -> dict[str, Any]:
        """The interaction as it is now and its counters; ``truth`` is null for an unknown one."""
        interaction_id = request.match_info["interaction_id"]
        store = self._simulator.store
        known = store.find(interaction_id)
        return {
            "truth": known.truth if known else None,
            "etag": known.etag if known else None,
            "counters": store.counters(interaction_id).as_dict(),
        }

    async def load(self, request: web.Request) -> dict[str, Any]:
        """Takes a JSON array of scenarios; one of a known conversation replaces it.

        ``?startsAt=``: the first of them begins then (RFC 3339, or ``now``), the others as much
        later as they are apart. ``?scale=``: all lengths of time are multiplied by it.
        """
        scenarios = await _body(request, list[Scenario])
        store = self._simulator.conversations.store
        starts = request.query.get("startsAt")
        if starts is not None:
            at_ms = store.now_ms if starts == "now" else epoch_ms(starts)
            if at_ms is None:
                raise ValueError("startsAt must be now, or a time as RFC 3339 has it")
            scenarios = all_moved(scenarios, at_ms, float(request.query.get("scale", "1")))
        store.load(scenarios)
        return {"loaded": len(scenarios)}

    async def conversation(self, request: web.Request) -> dict[str, Any]:
        """The conversation as GET shows it now, what was sent to it and when, and its counters."""
        conversation_id = request.match_info["id"]
        store = self._simulator.conversations.store
        return {
            "conversation": store.find(conversation_id),
            "writes": store.written(conversation_id),
            "counters": self._simulator.store.counters(conversation_id).as_dict(),
        }

    async def writes(self, request: web.Request) -> dict[str, Any]:
        """Every wrap-up code that was sent, in order."""
        return {"writes": self._simulator.conversations.store.writes}

    async def org(self, request: web.Request) -> dict[str, Any]:
        """Takes an Org that replaces the earlier one; ``{}`` is the usual one."""
        self._simulator.conversations.org = await _body(request, Org)
        return {}

    async def counters(self, request: web.Request) -> dict[str, Any]:
        """All counters; ``?interactions=false`` leaves out those of each interaction."""
        counted = self._simulator.traffic.counted()
        counted["tokensIssued"] = self._simulator.tokens.issued
        counted["patchesApplied"] = self._simulator.store.patches_applied
        if request.query.get("interactions") != "false":
            counted["interactions"] = self._simulator.store.counted()
        return counted

    async def faults(self, request: web.Request) -> dict[str, Any]:
        """Takes a FaultPlan that replaces the earlier one; ``{}`` ends all faults."""
        plan = await _body(request, FaultPlan)
        self._simulator.faults.plan(plan)
        return {"rates": len(plan.rates), "scripts": len(plan.scripts)}

    async def outage(self, request: web.Request) -> dict[str, Any]:
        """Takes a Fault that strikes every request from now on."""
        self._simulator.faults.outage = await _body(request, Fault)
        return {"outage": True}

    async def outage_over(self, request: web.Request) -> dict[str, Any]:
        """Ends the outage: requests are answered again."""
        self._simulator.faults.outage = None
        return {"outage": False}

    async def latency(self, request: web.Request) -> dict[str, Any]:
        """Takes a Latency."""
        latency = await _body(request, Latency)
        self._simulator.latency = latency
        return {"medianMs": latency.median_ms, "spread": latency.spread}

    async def rate_limit(self, request: web.Request) -> dict[str, Any]:
        """Takes a RateLimitSetting. It applies to the windows that are open as well."""
        setting = await _body(request, RateLimitSetting)
        self._simulator.limit.allowed = setting.requests_per_minute
        return {"requestsPerMinute": setting.requests_per_minute}

    async def revoke(self, request: web.Request) -> dict[str, Any]:
        """Makes every token issued so far invalid."""
        self._simulator.tokens.revoke()
        return {}

    async def reset(self, request: web.Request) -> dict[str, Any]:
        """Brings everything back to the start."""
        self._simulator.reset()
        return {}

    @staticmethod
    def _answering(
        handler: Callable[[web.Request], Awaitable[dict[str, Any]]],
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(request: web.Request) -> web.Response:
            try:
                body, status = await handler(request), 200
            except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as exc:
                body, status = {"error": str(exc)}, 400
            return web.Response(
                status=status, body=msgspec.json.encode(body), content_type="application/json"
            )

        return answer


async def _body(request: web.Request, kind: Any) -> Any:
    return msgspec.json.decode(await request.read(), type=kind)
