"""The reference model of wrap-up codes: a call as it really goes, and what is right for its legs.

Written from the contract and apart from the core, with which it shares no code. A story says what
happens when; from it come the events, the answers of the API, and the verdict that each leg must
have in the end, in whatever order and how often the events arrive.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]

CONVERSATION = "c-1"
OURS = "code-ours"
THEIRS = "code-theirs"
TIMEOUT = "ININ-WRAP-UP-TIMEOUT"

# The story begins here, epoch milliseconds; all its other times are counted from it.
START = 1_765_552_000_000

LISTS = {"voice": "calls", "callback": "callbacks", "message": "messages"}


@dataclass(frozen=True)
class StoryLeg:
    """One agent. ``connected``: whether the agent took the call. ``begins``, ``ends``: of its leg.
    ``acw_ends``: milliseconds after the leg's end; None: never. ``code``: set at that time.
    ``picks``: the code is picked, and not saved, from half that time on."""

    begins: int
    ends: int
    connected: bool = True
    required: bool = True
    medium: str = "voice"
    prompt: str | None = "timeout"
    timeout_ms: int | None = 60_000
    acw_ends: int | None = None
    code: str | None = None
    picks: bool = False
    tells_end: bool = True
    tells_acw: bool = True


@dataclass(frozen=True)
class Story:
    """A call. ``ends``: of its customer, and no leg ends later. ``lag_ms``: from a change to its
    being seen. ``campaign``: a dialer has called."""

    legs: tuple[StoryLeg, ...]
    ends: int
    lag_ms: int = 0
    campaign: bool = False
    gives_end_time: bool = True


@dataclass(frozen=True)
class Rules:
    """The settings that decisions depend on."""

    media: frozenset[str] = frozenset({"voice"})
    last_only: bool = False
    set_campaigns: bool = False
    threshold_ms: int = 30_000
    margin_ms: int = 10_000
    patience_ms: int = 900_000


@dataclass
class Right:
    """What is right for one leg: the reasons of which one stands, and when its code may be set at
    the earliest. There are two where it depends on when it is looked at."""

    reasons: set[str]
    not_before: int = 0

    @property
    def patched(self) -> bool:
        return self.reasons == {"eligible"}


def name(number: int) -> str:
    return f"agent-{number}"


def right(story: Story, rules: Rules) -> dict[str, Right]:
    """The verdict on each leg, by its participant."""
    over = max([story.ends, *(leg.ends for leg in story.legs)])
    talked = [number for number, leg in enumerate(story.legs) if leg.connected]
    last = max(talked, key=lambda number: (story.legs[number].ends, number), default=None)
    found = {}
    for number, leg in enumerate(story.legs):
        done = None if leg.acw_ends is None else leg.ends + leg.acw_ends
        timed = leg.prompt in ("timeout", "forcedTimeout", "agentRequested")
        if timed and leg.timeout_ms is not None:
            grace = leg.ends + leg.timeout_ms + rules.margin_ms
        else:
            grace = leg.ends + rules.patience_ms
        against: set[str] = set()
        if not leg.required:
            against = {"wrap-up-not-required"}
        elif story.campaign and not rules.set_campaigns:
            against = {"campaign"}
        elif rules.last_only and number != last:
            against = {"not-the-last-leg"}
        coded = {"wrap-up-already-set"} if done is not None and leg.code == THEIRS else set[str]()
        if not leg.connected:
            verdict = Right({"not-connected"})
        elif leg.ends - leg.begins < rules.threshold_ms:
            verdict = Right({"duration-below-threshold"})
        elif leg.medium not in rules.media:
            verdict = Right({"non-voice-interaction"})
        elif against or coded:
            # What speaks against it is not waited for: a look before the agent codes says so.
            verdict = Right(against | coded)
        else:
            verdict = Right({"eligible"}, START + max(over, min(done or grace, grace)))
        found[name(number)] = verdict
    return found


def state(story: Story, at: int) -> Json:
    """What GET answers at a time, counted from the start, as if it lagged by nothing."""
    participants: list[Json] = [_customer(story, at)]
    for number, leg in enumerate(story.legs):
        if leg.begins <= at:
            participants.append(_agent(name(number), leg, at))
    over = at >= max([story.ends, *(leg.ends for leg in story.legs)])
    body: Json = {"id": CONVERSATION, "startTime": _time(0), "participants": participants}
    if over and story.gives_end_time:
        body["endTime"] = _time(max([story.ends, *(leg.ends for leg in story.legs)]))
    return body


def states(story: Story) -> list[tuple[int, Json]]:
    """What GET answers from when on, epoch milliseconds."""
    changes = {0, story.ends}
    for leg in story.legs:
        changes |= {leg.begins, leg.ends}
        if leg.acw_ends is not None:
            changes |= {leg.ends + leg.acw_ends // 2, leg.ends + leg.acw_ends}
    return [(START + at + story.lag_ms, state(story, at)) for at in sorted(changes)]


def events(story: Story) -> list[tuple[int, Json]]:
    """The story's events with their times, in the order in which they happen."""
    found = [_event("customer.end", "customer", story.ends)]
    if story.campaign:
        found.append(_event("outbound", "customer", 0, outboundCampaignId="campaign-1"))
    for number, leg in enumerate(story.legs):
        medium = leg.medium.upper()
        if leg.tells_end:
            talked = leg.ends - leg.begins if leg.connected else 0
            more = {"interactingDurationMs": talked, "heldDurationMs": 0, "userId": "user-1"}
            found.append(_event("user.end", name(number), leg.ends, mediaType=medium, **more))
        if leg.acw_ends is not None and leg.tells_acw and leg.connected:
            at = leg.ends + leg.acw_ends
            code = {"wrapupCode": leg.code} if leg.code else {}
            found.append(_event("acw", name(number), at, mediaType=medium, **code))
    return sorted(found, key=lambda each: each[0])


def _event(kind: str, participant_id: str, at: int, **more: Any) -> tuple[int, Json]:
    body = {
        "eventTime": START + at,
        "conversationId": CONVERSATION,
        "participantId": participant_id,
        "sessionId": f"session-of-{participant_id}",
        "mediaType": "VOICE",
        "ani": "tel:+12025550123",
    }
    envelope = {
        "id": f"{kind}-{participant_id}-{at}",
        "detail-type": "v2.detail.events.conversation.{id}." + kind,
        "time": _time(at),
        "detail": {"eventBody": body | more},
    }
    return START + at, envelope


def _customer(story: Story, at: int) -> Json:
    call: Json = {"id": "session-of-customer", "state": "connected", "connectedTime": _time(0)}
    customer: Json = {"id": "customer", "purpose": "customer", "connectedTime": _time(0)}
    if at >= story.ends:
        call |= {"state": "terminated", "disconnectedTime": _time(story.ends)}
        customer["endTime"] = _time(story.ends)
    return customer | {"calls": [call]}


def _agent(participant_id: str, leg: StoryLeg, at: int) -> Json:
    one: Json = {"id": f"session-of-{participant_id}", "state": "alerting"}
    agent: Json = {
        "id": participant_id,
        "purpose": "agent",
        "userId": "user-1",
        "wrapupRequired": leg.required and leg.connected,
        "wrapupPrompt": leg.prompt,
        "wrapupTimeoutMs": leg.timeout_ms,
    }
    if leg.connected:
        agent["connectedTime"] = one["connectedTime"] = _time(leg.begins)
        one["state"] = "connected"
    if at >= leg.ends:
        one |= {"state": "disconnected", "disconnectedTime": _time(leg.ends)}
        agent["endTime"] = _time(leg.ends)
        if leg.connected:
            agent["startAcwTime"] = _time(leg.ends)
    if leg.connected and leg.acw_ends is not None:
        if leg.picks and leg.code and at >= leg.ends + leg.acw_ends // 2:
            agent["wrapup"] = {"code": leg.code, "provisional": True}
        if at >= leg.ends + leg.acw_ends:
            agent["endAcwTime"] = _time(leg.ends + leg.acw_ends)
            agent["wrapup"] = {"code": leg.code} if leg.code else None
    return agent | {LISTS[leg.medium]: [one]}


def _time(at: int) -> str:
    moment = datetime.fromtimestamp((START + at) / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
