"""A worker in miniature for conversations: a table, two topics, an API and a clock, all in memory.

It drives the core as the worker has to: the record first, then what is published, then the record's
copy in ``retries``, then it is finished. Between any two steps it may crash; what was not finished,
and some of what was, comes again then, in any order that Kafka allows.
"""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from streams.core.conversations.arrival import arrive
from streams.core.conversations.conversation import Conversation
from streams.core.conversations.events import ConversationEvent, parse_conversation_event
from streams.core.conversations.inquiry import Inquiry
from streams.core.conversations.policy import LOOKS, LookPolicy, WrapUpPolicy
from streams.core.conversations.record import (
    ConversationRecord,
    Delivery,
    Result,
    decode_record,
    encode_record,
)
from streams.core.conversations.steps import Conclude, Write
from streams.core.records import Verdict
from streams.errors import ApiError, ApiTimeout, NotFound, RateLimited
from tests.support.conversations import as_read

Json = dict[str, Any]

# How long a call takes, and the wait before a look that failed is taken up again.
CALL_MS = 50
RETRY_MS = 30_000


class Cloud:
    """Genesys Cloud: one conversation that changes with time.

    ``states``: what GET answers from a time on; 404 before the first. ``visible_ms``: from a PATCH
    to its code in the answers. ``get_faults``: so many GETs fail first. ``patch_faults``, one for
    each PATCH: ``busy`` has no effect, ``lost`` has its effect and no answer, ``gone`` has neither;
    or an error to raise. ``gate_ms``: for how long each PATCH waits before it leaves. ``late_ms``:
    how long after that one has its effect whose answer is lost; it is waited for as long.
    """

    def __init__(
        self,
        states: list[tuple[int, Json]],
        *,
        visible_ms: int = 1_000,
        get_faults: int = 0,
        patch_faults: tuple[str | ApiError, ...] = (),
        gate_ms: int = 0,
        late_ms: int = 0,
    ) -> None:
        self._states = states
        self.gate_ms = gate_ms
        self.late_ms = late_ms
        self._visible_ms = visible_ms
        self._get_faults = get_faults
        self._patch_faults = deque(patch_faults)
        self.gets: list[int] = []
        self.patches: list[tuple[int, str]] = []
        self.applied: list[tuple[int, str, str]] = []

    def get(self, now: int) -> Conversation:
        self.gets.append(now)
        if self._get_faults > 0:
            self._get_faults -= 1
            raise RateLimited("busy", retry_after=1)
        shown = [state for since, state in self._states if since <= now]
        if not shown:
            raise NotFound("unknown", status=404)
        state = json.loads(json.dumps(shown[-1]))
        for at, participant_id, code in self.applied:
            if at + self._visible_ms <= now:
                for participant in state["participants"]:
                    if participant["id"] == participant_id:
                        participant["wrapup"] = {"code": code}
        return as_read(state)

    def patch(self, now: int, participant_id: str, code: str) -> int:
        self.patches.append((now, participant_id))
        fault = self._patch_faults.popleft() if self._patch_faults else "none"
        if isinstance(fault, ApiError):
            raise fault
        if fault == "busy":
            raise RateLimited("busy", retry_after=1)
        if fault != "gone":
            late_ms = self.late_ms if fault == "lost" else 0
            self.applied.append((now + late_ms, participant_id, code))
        if fault in ("gone", "lost"):
            raise ApiTimeout("no answer", maybe_applied=True)
        return 202


@dataclass(slots=True)
class Returning:
    """A copy in ``retries``, not to be taken up before ``not_before``."""

    not_before: int
    offset: int
    redriven: int = 0
    replayed: bool = False


@dataclass(slots=True)
class Desk:
    """``log``: events with the time at which Kafka has them, in the order of the topic. What
    outlives a crash is in ``table``, ``retries`` and ``published``. ``set_back``: by how much the
    worker's clock is set back before a look that is due, milliseconds."""

    log: list[tuple[int, ConversationEvent]]
    cloud: Cloud
    policy: WrapUpPolicy
    looks: LookPolicy = LOOKS
    set_back: Callable[[], int] = lambda: 0
    now: int = 0
    _behind: int = 0
    table: bytes | None = None
    retries: list[Returning] = field(default_factory=list)
    published: defaultdict[tuple[Any, ...], list[Verdict]] = field(
        default_factory=lambda: defaultdict(list)
    )
    # Offsets that are to be taken up, of both topics.
    _events: deque[int] = field(default_factory=deque)
    _copies: set[int] = field(default_factory=set)
    _finished: set[tuple[str, int]] = field(default_factory=set)
    _life: int = 0

    def live(self, random: Random | None = None, crashes: list[int] | None = None) -> None:
        """Take up everything; crash after so many steps, and start again, for each crash."""
        random = random or Random(0)
        self._events = deque(range(len(self.log)))
        for steps in [*(crashes or []), None]:
            self._run(random, steps)
            self._life += 1
            self._come_again(random)
        self._run(random, None)

    def redrive(self, offset: int, times: int = 1, *, replayed: bool = False) -> None:
        """An operator has this record decided anew."""
        self._copies.add(len(self.retries))
        self.retries.append(Returning(self._clock, offset, times, replayed))
        self._run(Random(0), None)

    def lose_copies_of(self, number: int) -> None:
        """So many events are taken up, and their copies in ``retries`` are lost."""
        for offset in range(number):
            self.now = max(self.now, self.log[offset][0])
            for _ in self._arrive(offset):
                pass
        self._finished |= {("retries", each) for each in self._copies}
        self._copies.clear()
        self._events = deque(range(number, len(self.log)))
        self._run(Random(0), None)

    @property
    def _clock(self) -> int:
        """What the worker takes for the time."""
        return self.now - self._behind

    def record(self) -> ConversationRecord:
        if self.table is None:
            return ConversationRecord(self.log[0][1].conversation_id)
        return decode_record(self.table)

    def final(self) -> dict[tuple[Any, ...], Verdict]:
        """The final verdict on each source record and each leg; there is exactly one."""
        found = {}
        for key, verdicts in self.published.items():
            assert len(set(map(_told, verdicts))) == 1, (key, verdicts)
            if verdicts[0].final:
                found[key] = verdicts[0]
        return found

    def on_legs(self) -> dict[str, tuple[str, str]]:
        return {
            key[1]: (verdict.decision.value, verdict.reason.value)
            for key, verdict in self.final().items()
            if key[0] == "leg"
        }

    def on_records(self) -> dict[int, tuple[str, str]]:
        records = {key[1]: each for key, each in self.final().items() if key[0] == "record"}
        return {
            offset: (records[offset].decision.value, records[offset].reason.value)
            for offset in sorted(records)
        }

    def _come_again(self, random: Random) -> None:
        """After a crash: committed is at most what is finished without a gap."""
        taken = [n for n in range(len(self.log)) if ("events", n) not in self._finished]
        frontier = taken[0] if taken else len(self.log)
        self._events = deque(self._from(random.randint(0, frontier), len(self.log), "events"))
        left = [n for n in range(len(self.retries)) if ("retries", n) not in self._finished]
        frontier = left[0] if left else len(self.retries)
        copies = self._from(random.randint(0, frontier), len(self.retries), "retries")
        self._copies = set(copies)

    def _from(self, committed: int, end: int, topic: str) -> range:
        """All from there on: to be finished by this life, and no commit passes them before."""
        self._finished -= {(topic, number) for number in range(committed, end)}
        return range(committed, end)

    def _run(self, random: Random, steps: int | None) -> None:
        while self._events or self._copies:
            work = self._next_work(random)
            for _ in work:
                if steps is not None:
                    steps -= 1
                    if steps <= 0:
                        return

    def _next_work(self, random: Random) -> Iterator[None]:
        """The next delivery that is due, of either topic; time passes until there is one."""
        due = {n: max(self.retries[n].not_before + self._behind, 0) for n in self._copies}
        times = list(due.values())
        if self._events:
            times.append(self.log[self._events[0]][0])
        self.now = max(self.now, min(times))
        ready: list[tuple[str, int]] = [("retries", n) for n, at in due.items() if at <= self.now]
        if self._events and self.log[self._events[0]][0] <= self.now:
            ready.append(("events", self._events[0]))
        topic, number = random.choice(sorted(ready))
        if topic == "events":
            self._events.popleft()
            return self._arrive(number)
        self._copies.remove(number)
        return self._look(number)

    def _arrive(self, offset: int) -> Iterator[None]:
        yield
        record = self.record()
        delivery = Delivery(offset, owner=f"w{self._life}")
        at = self._clock
        after, result = arrive(
            record, self.log[offset][1], delivery, at, policy=self.policy, looks=self.looks
        )
        yield
        if after is not record:
            self.table = encode_record(after)
        yield from self._publish(result)
        self._finished.add(("events", offset))

    def _look(self, number: int) -> Iterator[None]:
        yield
        copy = self.retries[number]
        delivery = Delivery(
            copy.offset,
            number,
            copy.redriven,
            f"w{self._life}",
            replayed=copy.replayed,
            due_ms=copy.not_before,
        )
        self._behind += self.set_back()
        inquiry = Inquiry(self.record(), delivery, self._clock, self.policy, self.looks)
        while not isinstance(step := inquiry.step, Conclude):
            yield
            try:
                if isinstance(step, Write):
                    self.table = encode_record(inquiry.intends(self._clock))
                    yield
                    participant_id = step.leg.leg.participant_id
                    self.now += self.cloud.gate_ms
                    status = self.cloud.patch(self.now, participant_id, step.code)
                    yield
                    self.now += CALL_MS
                    inquiry.written(status, self._clock)
                else:
                    conversation = self.cloud.get(self.now)
                    self.now += CALL_MS
                    inquiry.fetched(conversation, self._clock)
            except ApiError as error:
                yield
                in_doubt = isinstance(step, Write) and error.maybe_applied
                self.now += CALL_MS + (self.cloud.late_ms if in_doubt else 0)
                inquiry.failed(error, self._clock, self._clock + RETRY_MS)
        yield
        after, result = inquiry.conclude(self._clock)
        if after is not None:
            self.table = encode_record(after)
        yield from self._publish(result)
        self._finished.add(("retries", number))

    def _publish(self, result: Result) -> Iterator[None]:
        yield
        if result.verdict is not None:
            attempt = result.verdict.put_off and result.verdict.put_off.attempt
            key: tuple[Any, ...] = ("record", result.offset, result.redriven, attempt)
            self.published[key].append(result.verdict)
        for leg in result.legs:
            yield
            attempt = leg.verdict.put_off and leg.verdict.put_off.attempt
            key = ("leg", leg.leg.participant_id, leg.redriven, attempt)
            self.published[key].append(leg.verdict)
        yield
        if result.wake_at is not None:
            self._copies.add(len(self.retries))
            self.retries.append(Returning(result.wake_at, result.offset, result.redriven))
        yield


def _told(verdict: Verdict) -> bytes:
    return json.dumps([verdict.decision, verdict.reason, verdict.basis, verdict.recovered]).encode()


def parsed(events: list[Json]) -> list[ConversationEvent]:
    """Those of the events that are taken."""
    found = [parse_conversation_event(json.dumps(event).encode()) for event in events]
    return [event for event in found if event is not None]
