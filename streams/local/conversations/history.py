"""What happened in one conversation: its legs from beginning to end, and what GET shows of them at
any moment. Field names, types and enums are those of Genesys' own SDK."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from streams.clock import rfc3339

Json = dict[str, Any]

# Made up, as every number here: nobody is called.
CUSTOMER_ADDRESS = "tel:+13175550142"
CENTRE_ADDRESS = "tel:+13125550100"

DIVISION_ID = "2f4c9f3e-5f0b-4d5f-9a35-5a1c7a0c7d11"

# Where a communication of each medium is, and the state that it ends in.
_LISTS = MappingProxyType({"voice": "calls", "callback": "callbacks", "message": "messages"})
_LAST_STATE = MappingProxyType(
    {"voice": "terminated", "callback": "terminated", "message": "disconnected"}
)
_PROVIDERS = MappingProxyType(
    {"voice": "Edge", "callback": "PureCloud Messaging", "message": "PureCloud Messaging"}
)
_OF_THE_MEDIUM: Mapping[str, Json] = MappingProxyType(
    {
        "voice": {"muted": False, "confined": False, "recording": False, "recordingState": "none"},
        "callback": {"callbackNumbers": ["+13175550142"], "callbackUserName": "Test Caller"},
        "message": {"type": "webmessaging"},
    }
)


@dataclass(frozen=True, slots=True)
class Work:
    """After-call work. ``end_ms``: None while it is never ended. ``code``: what is saved then.
    ``picked_ms``: from when on a code that is not saved yet shows. ``told``: an event says so."""

    start_ms: int
    end_ms: int | None = None
    code: str | None = None
    picked_ms: int | None = None
    told: bool = True


@dataclass(frozen=True, slots=True)
class Communication:
    """A call, a callback or a message of one leg. Never connected: ``connected_ms`` is None."""

    id: str
    medium: str
    start_ms: int
    connected_ms: int | None
    end_ms: int
    disconnect: str
    direction: str = "inbound"
    # Whether the leg's after-call work belongs to it, as the routed one.
    routed: bool = True


@dataclass(frozen=True, slots=True)
class Leg:
    """One participant. ``prompt`` and ``timeout_ms`` are the queue's, for agents."""

    id: str
    purpose: str
    start_ms: int
    connected_ms: int | None
    end_ms: int
    communications: tuple[Communication, ...]
    user_id: str | None = None
    queue_id: str | None = None
    prompt: str | None = None
    timeout_ms: int | None = None
    work: Work | None = None
    consulted_by: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def medium(self) -> str:
        """The medium of the routed communication."""
        return next((each.medium for each in self.communications if each.routed), "voice")

    @property
    def talked_ms(self) -> int | None:
        """How long it was connected; None if it never was."""
        return None if self.connected_ms is None else self.end_ms - self.connected_ms


@dataclass(frozen=True, slots=True)
class History:
    """One conversation. ``kind``: what it is an example of. ``campaign_id``: of a dialer's call."""

    id: str
    kind: str
    legs: tuple[Leg, ...]
    campaign_id: str | None = None

    @property
    def start_ms(self) -> int:
        return min(leg.start_ms for leg in self.legs)

    @property
    def agents(self) -> tuple[Leg, ...]:
        """The legs that may get a code."""
        return tuple(leg for leg in self.legs if leg.purpose == "agent")

    def over_ms(self) -> int:
        """When the last leg ended. One that is opened again is over when it is so for good."""
        return max(leg.end_ms for leg in self.legs)

    def moments(self) -> list[int]:
        """The times at which GET begins to show something else."""
        times = [self.start_ms]
        for leg in self.legs:
            times += [leg.start_ms, leg.end_ms]
            for each in leg.communications:
                times += [each.start_ms, each.connected_ms or each.start_ms, each.end_ms]
            if leg.work is not None:
                of_work = (leg.work.start_ms, leg.work.picked_ms, leg.work.end_ms)
                times += [at for at in of_work if at is not None]
        return sorted(set(times))


def shown(history: History, now_ms: int) -> Json:
    """The conversation as GET shows it at this time: nothing of what comes later."""
    begun = [leg for leg in history.legs if leg.start_ms <= now_ms]
    body: Json = {
        "id": history.id,
        "startTime": _at(history.start_ms),
        "address": CUSTOMER_ADDRESS,
        "participants": [_participant(leg, now_ms) for leg in begun],
        "recordingState": "NONE",
        "divisions": [{"division": {"id": DIVISION_ID}, "entities": []}],
        "recentTransfers": [],
        "securePause": False,
        "selfUri": f"/api/v2/conversations/{history.id}",
    }
    if all(leg.end_ms <= now_ms for leg in begun):
        body["endTime"] = _at(max(leg.end_ms for leg in begun))
    return body


def _participant(leg: Leg, now_ms: int) -> Json:
    connected = leg.connected_ms is not None and leg.connected_ms <= now_ms
    body: Json = {
        "id": leg.id,
        "startTime": _at(leg.start_ms),
        "purpose": leg.purpose,
        "address": CUSTOMER_ADDRESS,
        "ani": CUSTOMER_ADDRESS,
        "dnis": CENTRE_ADDRESS,
        # Genesys asks an agent for a code once the agent has been connected.
        "wrapupRequired": leg.purpose == "agent" and leg.prompt is not None and connected,
        "attributes": dict(leg.attributes),
    }
    if connected:
        body["connectedTime"] = _at(leg.connected_ms)
    if leg.end_ms <= now_ms:
        body["endTime"] = _at(leg.end_ms)
    if leg.user_id is not None:
        body |= {"userId": leg.user_id, "userUri": f"/api/v2/users/{leg.user_id}"}
    if leg.queue_id is not None:
        body["queueId"] = leg.queue_id
    if leg.prompt is not None:
        body |= {"wrapupPrompt": leg.prompt, "alertingTimeoutMs": 15_000}
        if leg.timeout_ms is not None:
            body["wrapupTimeoutMs"] = leg.timeout_ms
    if leg.consulted_by is not None:
        body["consultParticipantId"] = leg.consulted_by
    body |= _work(leg.work, now_ms)
    for each in leg.communications:
        if each.start_ms <= now_ms:
            body.setdefault(_LISTS[each.medium], []).append(_communication(leg, each, now_ms))
    return body


def _work(work: Work | None, now_ms: int) -> Json:
    """What a participant has of its after-call work."""
    if work is None or work.start_ms > now_ms:
        return {}
    body: Json = {"startAcwTime": _at(work.start_ms)}
    if work.end_ms is not None and work.end_ms <= now_ms:
        body["endAcwTime"] = _at(work.end_ms)
        if work.code is not None:
            seconds = (work.end_ms - work.start_ms) // 1000
            body["wrapup"] = wrap_up(work.code, seconds, work.end_ms)
    elif work.picked_ms is not None and work.picked_ms <= now_ms:
        body["wrapup"] = {"code": work.code, "notes": "", "tags": [], "provisional": True}
    return body


def wrap_up(code: str, seconds: int, end_ms: int) -> Json:
    """A wrap-up that is saved, as GET shows it."""
    return {
        "code": code,
        "notes": "",
        "tags": [],
        "durationSeconds": seconds,
        "endTime": _at(end_ms),
    }


def _communication(leg: Leg, one: Communication, now_ms: int) -> Json:
    body: Json = {
        "id": one.id,
        "state": "alerting",
        "direction": one.direction,
        "provider": _PROVIDERS[one.medium],
        "held": False,
        **_OF_THE_MEDIUM[one.medium],
    }
    if one.connected_ms is not None and one.connected_ms <= now_ms:
        body |= {"state": "connected", "connectedTime": _at(one.connected_ms)}
    if one.end_ms <= now_ms:
        body |= {
            "state": _LAST_STATE[one.medium],
            "disconnectedTime": _at(one.end_ms),
            "disconnectType": one.disconnect,
        }
    if leg.purpose == "agent" and one.routed:
        body |= _after_call_work(leg, now_ms)
    return body


def _after_call_work(leg: Leg, now_ms: int) -> Json:
    work = _work(leg.work, now_ms)
    if not work:
        return {"afterCallWork": {"state": "notApplicable"}}
    of_call: Json = {"startTime": work["startAcwTime"], "state": "pending"}
    if "endAcwTime" in work:
        of_call |= {"state": "complete", "endTime": work["endAcwTime"]}
    body: Json = {"afterCallWork": of_call, "afterCallWorkRequired": True}
    return body | ({"wrapup": work["wrapup"]} if "wrapup" in work else {})


def _at(ms: int | None) -> str:
    return rfc3339((ms or 0) / 1000)
