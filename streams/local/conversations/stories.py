"""The kinds of conversations that a contact centre has, each as a history drawn from a generator of
random numbers."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random
from types import MappingProxyType

from streams.local.conversations.history import Communication, History, Leg, Work

TIMEOUT_CODE = "ININ-WRAP-UP-TIMEOUT"
SKIPPED_CODE = "ININ-WRAP-UP-SKIPPED"

# Prompt and time-out of each queue's after-call work, in milliseconds; without one it has none.
_PROMPTS: tuple[tuple[str, int | None], ...] = (
    ("timeout", 120_000),
    ("timeout", 60_000),
    ("forcedTimeout", 30_000),
    ("agentRequested", 60_000),
    ("mandatory", None),
    ("optional", None),
)

# How after-call work ends: with a time-out of its own, and without one.
_TIMED = MappingProxyType(
    {"codes-early": 30, "codes-late": 15, "times-out": 35, "picked-and-kept": 8, "never-ends": 12}
)
_UNTIMED = MappingProxyType(
    {"codes-early": 35, "codes-late": 20, "skips": 25, "picked-and-kept": 5, "never-ends": 15}
)

# What an agent without a time-out takes at most: within the patience that the program has (900 s).
_UNTIMED_MS = 600_000

# How long a call lasts at the mean beyond the least, and the share that is shorter than the
# threshold.
_USUAL_TALK_MS = 120_000
_LEAST_TALK_MS = 30_000
_SHORT = 0.08

# How near to the threshold a talk ends. Played a hundred times faster, and rounded, a nearer one
# could fall on either side of it.
_EDGE_MS = 200


@dataclass(slots=True)
class Stage:
    """Where a story is told: its generator, and the time that has passed in it."""

    random: Random
    now_ms: int

    def id(self) -> str:
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def wait(self, least: int, most: int) -> int:
        """Let a time pass; the time that it is then."""
        self.now_ms += self.random.randrange(least, most)
        return self.now_ms

    def talk(self) -> int:
        """Let a call's length pass."""
        if self.random.random() < _SHORT:
            return self.wait(2_000, _LEAST_TALK_MS - _EDGE_MS)
        self.now_ms += (
            _LEAST_TALK_MS + _EDGE_MS + round(self.random.expovariate(1 / _USUAL_TALK_MS))
        )
        return self.now_ms

    def pick(self, weights: Mapping[str, int]) -> str:
        return self.random.choices(list(weights), list(weights.values()))[0]

    def shared(self, what: str, count: int) -> str:
        """One of a few ids that many conversations share, as queues and users."""
        return Stage(Random(f"{what} {self.random.randrange(count)}"), 0).id()

    def leg(
        self,
        purpose: str,
        start_ms: int,
        connected_ms: int | None,
        end_ms: int,
        disconnect: str = "peer",
        *,
        medium: str = "voice",
        direction: str = "inbound",
    ) -> Leg:
        """A leg with one communication of the same times."""
        one = Communication(
            self.id(), medium, start_ms, connected_ms, end_ms, disconnect, direction
        )
        return Leg(self.id(), purpose, start_ms, connected_ms, end_ms, (one,))

    def agent(self, leg: Leg, *, queue: bool = True) -> Leg:
        """The leg as an agent's, with after-call work if it was connected."""
        number = self.random.randrange(len(_PROMPTS))
        prompt, timeout_ms = _PROMPTS[number]
        queue_id = queue_ids()[number] if queue else None
        work = None if leg.connected_ms is None else self._work(leg.end_ms, timeout_ms)
        return replace(
            leg,
            user_id=self.shared("user", 12),
            queue_id=queue_id,
            prompt=prompt,
            timeout_ms=timeout_ms,
            work=work,
        )

    def _work(self, start_ms: int, timeout_ms: int | None) -> Work:
        within = timeout_ms or _UNTIMED_MS
        code = self.shared("wrap-up code", 8)
        early = start_ms + self.random.randrange(2_000, 12_000)
        told = self.random.random() < 0.9
        match self.pick(_UNTIMED if timeout_ms is None else _TIMED):
            case "codes-early":
                return Work(start_ms, early, code, told=told)
            case "codes-late":
                late = start_ms + within - self.random.randrange(500, 5_000)
                return Work(start_ms, late, code, told=told)
            case "picked-and-kept":
                return Work(start_ms, start_ms + within, code, picked_ms=early, told=told)
            case "times-out":
                return Work(start_ms, start_ms + within, TIMEOUT_CODE, told=told)
            case "skips":
                return Work(start_ms, early, SKIPPED_CODE, told=told)
            case _:
                return Work(start_ms)


def queue_ids() -> tuple[str, ...]:
    """The queues of the centre, one for each prompt."""
    return tuple(Stage(Random(f"queue {number}"), 0).id() for number in range(len(_PROMPTS)))


def _opening(stage: Stage) -> list[Leg]:
    """The menu, and the queue up to now."""
    start = stage.now_ms
    menu = stage.leg("ivr", start + 100, start + 200, stage.wait(5_000, 20_000), "transfer")
    queued = stage.now_ms
    queue = stage.leg("acd", queued, queued + 100, stage.wait(1_000, 40_000), "transfer")
    return [menu, queue]


def _told(stage: Stage, kind: str, start_ms: int, legs: list[Leg], **customer: str) -> History:
    """A conversation around these legs, whose customer stays from the start until now."""
    caller = stage.leg("customer", start_ms, start_ms + 200, stage.now_ms, "endpoint", **customer)
    return History(stage.id(), kind, (caller, *legs))


def answered(stage: Stage) -> History:
    """An agent takes the call and talks until its end."""
    start, legs = stage.now_ms, _opening(stage)
    return _told(stage, "answered", start, [*legs, _answer(stage)])


def _answer(stage: Stage, disconnect: str = "peer", **how: str) -> Leg:
    alerted = stage.now_ms
    connected = stage.wait(1_000, 8_000)
    return stage.agent(stage.leg("agent", alerted, connected, stage.talk(), disconnect, **how))


def _miss(stage: Stage, disconnect: str) -> Leg:
    alerted = stage.now_ms
    return stage.agent(stage.leg("agent", alerted, None, stage.wait(3_000, 15_000), disconnect))


def abandoned(stage: Stage) -> History:
    """The caller hangs up in the queue."""
    start = stage.now_ms
    menu, queue = _opening(stage)
    (waited,) = queue.communications
    hung_up = replace(queue, communications=(replace(waited, disconnect="peer"),))
    return _told(stage, "abandoned", start, [menu, hung_up])


def requeued(stage: Stage) -> History:
    """One agent lets it ring, perhaps again, and another one answers."""
    start, legs = stage.now_ms, _opening(stage)
    for _ in range(stage.random.choice((1, 1, 2))):
        legs.append(_miss(stage, "transfer.noanswer"))
        stage.wait(500, 3_000)
    return _told(stage, "requeued", start, [*legs, _answer(stage)])


def declined(stage: Stage) -> History:
    """The agent declines, and the caller hangs up: nobody was ever connected."""
    start, legs = stage.now_ms, _opening(stage)
    legs.append(_miss(stage, "client"))
    stage.wait(5_000, 60_000)
    return _told(stage, "declined", start, legs)


def transferred(stage: Stage) -> History:
    """A blind transfer to another queue: the first leg is over, the call is not."""
    start, legs = stage.now_ms, _opening(stage)
    legs.append(_answer(stage, "transfer"))
    queued = stage.now_ms
    legs.append(stage.leg("acd", queued, queued + 100, stage.wait(2_000, 90_000), "transfer"))
    return _told(stage, "transferred", start, [*legs, _answer(stage)])


def consulted(stage: Stage) -> History:
    """An agent asks another one, who takes the call over. Their legs overlap."""
    start, legs = stage.now_ms, _opening(stage)
    first = _answer(stage, "transfer.consult")
    joined = stage.random.randrange(first.connected_ms or first.start_ms, first.end_ms)
    second = stage.leg("agent", joined, joined + 500, stage.talk(), "peer")
    taken_over = replace(stage.agent(second, queue=False), consulted_by=first.id)
    return _told(stage, "consulted", start, [*legs, first, taken_over])


def conference(stage: Stage) -> History:
    """Two agents and somebody from outside are in the call together until its end."""
    start, legs = stage.now_ms, _opening(stage)
    first = _answer(stage, "peer")
    connected = first.connected_ms or first.start_ms
    joined = stage.random.randrange(connected, first.end_ms)
    second = stage.agent(stage.leg("agent", joined, joined + 1, first.end_ms, "peer"), queue=False)
    outside = stage.leg("external", joined, joined + 1, first.end_ms, direction="outbound")
    return _told(stage, "conference", start, [*legs, first, second, outside])


def campaign(stage: Stage) -> History:
    """A dialer calls, and hands the call to an agent."""
    start = stage.now_ms
    campaign_id = stage.shared("campaign", 3)
    dialer = stage.leg("dialer", start, start + 100, stage.wait(5_000, 9_000), direction="outbound")
    spoken = replace(
        _answer(stage, direction="outbound"), attributes={"dialerCampaignId": campaign_id}
    )
    told = _told(stage, "campaign", start, [dialer, spoken], direction="outbound")
    return replace(told, campaign_id=campaign_id)


def callback(stage: Stage) -> History:
    """An agent is given a callback and dials: the leg has a callback and a call."""
    start = stage.now_ms
    stage.wait(10_000, 90_000)
    routed = _answer(stage, "client", medium="callback")
    dialled = (routed.connected_ms or start) + 500
    call = Communication(
        stage.id(), "voice", dialled, dialled + 200, routed.end_ms, "peer", "outbound", routed=False
    )
    both = replace(routed, communications=(*routed.communications, call))
    return _told(stage, "callback", start, [both], medium="callback")


def message(stage: Stage) -> History:
    """A web message."""
    start = stage.now_ms
    stage.wait(1_000, 30_000)
    return _told(
        stage, "message", start, [_answer(stage, "client", medium="message")], medium="message"
    )


def between_users(stage: Stage) -> History:
    """A call between two users: no agent, no queue, no after-call work."""
    start = stage.now_ms
    end = stage.talk()
    calling = stage.leg("user", start, start + 100, end, "client", direction="outbound")
    called = stage.leg("user", start + 50, start + 100, end)
    users = tuple(replace(each, user_id=stage.shared("user", 12)) for each in (calling, called))
    return History(stage.id(), "between-users", users)


# How often each kind is told: more of the rare ones than a centre has, so that a hundred show all.
STORIES: Mapping[str, tuple[Callable[[Stage], History], int]] = MappingProxyType(
    {
        "answered": (answered, 36),
        "abandoned": (abandoned, 8),
        "requeued": (requeued, 10),
        "declined": (declined, 4),
        "transferred": (transferred, 10),
        "consulted": (consulted, 7),
        "conference": (conference, 6),
        "campaign": (campaign, 7),
        "callback": (callback, 5),
        "message": (message, 5),
        "between-users": (between_users, 2),
    }
)
