"""One conversation as data: events in the order of arrival, what GET answers from when on, and what
is right for each leg.

Scenarios are written by the generator, by hand in tests, and by others in the same form. They are
at fixed times; ``moved`` takes them to other ones, and faster.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from streams.clock import rfc3339
from streams.timestamps import epoch_ms

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", re.ASCII)

# Names of numbers that are a length of time, in milliseconds or in seconds. Ring times of another
# speed harm nobody, and are left out: a phone's alert has nothing to do with what is decided.
_LENGTH = re.compile(r"(interacting|held|dialing|wrapup)DurationMs|wrapupTimeoutMs|.*Seconds")


class Reply(msgspec.Struct, frozen=True):
    """An answer in place of the usual one. Below 300 the request takes effect all the same."""

    status: int
    body: Any = None

    def __post_init__(self) -> None:
        if not 200 <= self.status <= 599:
            raise ValueError("status must be 200 to 599")


class Answers(msgspec.Struct, frozen=True, rename="camel"):
    """Where the API answers something else than 200 to GET and 202 to a write: always the same, or
    one after the other and then the usual one. ``visible_after_seconds``: a write shows so late."""

    get: Reply | list[Reply] | None = None
    patch: Reply | list[Reply] | None = None
    visible_after_seconds: float | None = None

    def __post_init__(self) -> None:
        if self.visible_after_seconds is not None and self.visible_after_seconds < 0:
            raise ValueError("visibleAfterSeconds must be at least 0")


class State(msgspec.Struct, frozen=True, rename={"since": "from"}):
    """``conversation`` is what GET answers from this time (RFC 3339) until the next state."""

    since: str
    conversation: dict[str, Any]

    def __post_init__(self) -> None:
        if epoch_ms(self.since) is None:
            raise ValueError("from must be a time as RFC 3339 has it")

    @property
    def since_ms(self) -> int:
        return epoch_ms(self.since) or 0


class Get(msgspec.Struct, frozen=True):
    """What GET answers over time. Before the first state the API does not know the conversation."""

    states: list[State]

    def __post_init__(self) -> None:
        ids = {state.conversation.get("id") for state in self.states}
        if len(ids) != 1 or not all(isinstance(each, str) and each for each in ids):
            raise ValueError("the states must be of one conversation, which has an id")
        times = [state.since_ms for state in self.states]
        if times != sorted(times):
            raise ValueError("the states must be in the order of their times")


class SetLeg(msgspec.Struct, frozen=True, rename="camel"):
    """A leg that must get the code, once, and not before this time."""

    participant_id: str
    not_before: str
    why: str = ""


class LeftLeg(msgspec.Struct, frozen=True, rename="camel"):
    """A leg that must get none."""

    participant_id: str
    why: str = ""


class Expected(msgspec.Struct, frozen=True, rename="camel"):
    """What is right. ``refused``: legs whose code Genesys will not take. ``over_from``: when no leg
    is left; None if that never comes."""

    set: list[SetLeg] = msgspec.field(default_factory=list)
    leave: list[LeftLeg] = msgspec.field(default_factory=list)
    refused: list[LeftLeg] = msgspec.field(default_factory=list)
    over_from: str | None = None


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One conversation from its first event to its last state. Other fields are not read."""

    id: str
    events: list[dict[str, Any]]
    get: Get
    answers: Answers = Answers()
    expected: Expected = msgspec.field(default_factory=Expected)

    @property
    def conversation_id(self) -> str:
        return str(self.get.states[0].conversation["id"])

    @property
    def starts_ms(self) -> int:
        """When the conversation began, or when GET first shows it if that is not said."""
        first = self.get.states[0]
        start = first.conversation.get("startTime")
        begun = epoch_ms(start) if isinstance(start, str) else None
        return first.since_ms if begun is None else begun

    def arrivals(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Each event with the time in epoch milliseconds at which it arrives. One that is late has
        the ``time`` of its happening, and arrives with the one that overtook it."""
        arrived = self.starts_ms
        for event in self.events:
            arrived = max(arrived, epoch_ms(event["time"]) or arrived)
            yield arrived, event


_decode = msgspec.json.Decoder(Scenario).decode


def scenario(text: bytes | str) -> Scenario:
    """Read a scenario. Raises msgspec.DecodeError when it is none."""
    return _decode(text)


def scenario_of(content: Any) -> Scenario:
    """A scenario of JSON that is read already. Raises msgspec.ValidationError when it is none."""
    return msgspec.convert(content, Scenario)


def moved(told: Scenario, to_ms: int, scale: float = 1.0) -> Scenario:
    """The same conversation, begun at ``to_ms``, its lengths multiplied by ``scale``. All ids stay.

    Whoever scales must scale the settings that are lengths of time as well: the threshold, the
    margin and the patience.
    """
    if scale <= 0:
        raise ValueError("scale must be above 0")
    origin = told.starts_ms

    def at(ms: int) -> int:
        return round(to_ms + (ms - origin) * scale)

    def walk(value: Any, name: str = "") -> Any:
        match value:
            case dict():
                return {key: walk(each, key) for key, each in value.items()}
            case list():
                return [walk(each, name) for each in value]
            case str() if _TIME.fullmatch(value) and (ms := epoch_ms(value)) is not None:
                return rfc3339(at(ms) / 1000)
            case int() | float() if not isinstance(value, bool):
                if name == "eventTime":
                    return at(round(value))
                if _LENGTH.fullmatch(name):
                    return type(value)(value * scale)
        return value

    return scenario_of(walk(msgspec.to_builtins(told)))


def all_moved(told: Sequence[Scenario], to_ms: int, scale: float = 1.0) -> list[Scenario]:
    """All of them moved, the first to begin at ``to_ms``, the others as much later as before."""
    first = min((each.starts_ms for each in told), default=0)
    return [moved(each, round(to_ms + (each.starts_ms - first) * scale), scale) for each in told]
