"""Ten calls as a bridge and a worker leave them in Kafka, each of which an operator asks about."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from streams.clock import rfc3339
from streams.console.index.keys import Topic
from streams.console.index.raw import RawRecord
from streams.console.index.store import Index
from streams.core.envelope import UPDATE_DETAIL_TYPE
from streams.core.records import Basis, Call, Decision, Fault, PutOff, Reason, Source
from streams.kafka.partitioner import partition_of
from streams.kafka.settings import TopicNames
from streams.wire.dead_letters import DeadLetter, Stage
from streams.wire.events import RECEIVED_AT
from streams.wire.outcomes import Outcome, encode_outcome, outcome_id
from streams.wire.retries import retry_headers

CODE = "8d1f1f0a-5b1c-4a44-9a3e-0c6f2b1e7d55"
TRACE = "56e61b9e6c485c758b5c793dea22c80c"
SECOND = 1_000


@dataclass(frozen=True, slots=True)
class Case:
    """What somebody asks about. ``state``: the word at the top; ``says``: what the page has to
    say."""

    name: str
    id: str
    state: str
    says: str


@dataclass
class Field:
    """Plants records, in the order in which Kafka would have them. ``now_ms``: the present."""

    now_ms: int
    names: TopicNames = field(default_factory=lambda: TopicNames("genesys.interaction."))
    partitions: int = 4
    records: list[tuple[Topic, RawRecord]] = field(default_factory=list)
    _ends: dict[tuple[Topic, int], int] = field(default_factory=lambda: defaultdict(int))

    def event(self, name: str, sequence: int, state: str, ago: int, kind: str = "voice") -> Source:
        """``ago``: seconds before the present."""
        at = self.now_ms - ago * SECOND
        body = {
            "id": f"event-{name}-{sequence}-{ago}",
            "detail-type": UPDATE_DETAIL_TYPE,
            "time": rfc3339((at - 40) / 1000),
            "detail": {
                "interactionId": name,
                "sequenceId": sequence,
                "interactionType": kind,
                "state": state,
            },
        }
        headers = [
            (RECEIVED_AT, rfc3339((at - 4) / 1000).encode()),
            ("traceparent", f"00-{TRACE}-00f067aa0ba902b7-01".encode()),
        ]
        return self._plant(Topic.EVENTS, name.encode(), json.dumps(body).encode(), at, headers)

    def outcome(
        self,
        name: str,
        sequence: int | None,
        source: Source,
        decided: tuple[Decision, Reason],
        ago: int,
        *,
        attempt: int | None = None,
        calls: Sequence[Call] = (),
        **more: Any,
    ) -> Source:
        decision, reason = decided
        at = self.now_ms - ago * SECOND + 90
        made: dict[str, Any] = {
            "outcome_id": outcome_id(source, attempt),
            "final": decision is not Decision.DEFERRED,
            "interaction_id": name,
            "sequence_id": sequence,
            "event_id": None,
            "decision": decision,
            "reason": reason,
            "basis": Basis.API if calls else Basis.EVENT,
            "dry_run": False,
            "disposition_code_id": None,
            "patch_status": None,
            "recovered": False,
            "api_calls": len(calls),
            "attempts": 1 if calls else 0,
            "duration_ms": None,
            "event_time": rfc3339((at - 130) / 1000),
            "decided_at": rfc3339(at / 1000),
            "latency_ms": 84.0 if calls else 0.4,
            "end_to_end_ms": 260.0,
            "source": source,
            "trace_id": TRACE,
            "error": None,
            "calls": tuple(calls),
        }
        value = encode_outcome(Outcome(**made | more))
        return self._plant(Topic.OUTCOMES, name.encode(), value, at + 4, [])

    def call(self, method: str, status: int | None, ago: int, took: float = 62.0) -> Call:
        at = rfc3339((self.now_ms - ago * SECOND + 12) / 1000)
        error = "ApiTimeout" if status is None else None
        return Call(at, method, status, error, 6.0, took, f"7f0b2c10-{ago:04d}")

    def put_off(self, name: str, source: Source, ago: int, wait: int) -> Source:
        at = self.now_ms - ago * SECOND + 95
        headers = retry_headers(source, PutOff(1, at + wait * SECOND), Reason.SERVER_ERROR.value)
        key = name.encode()
        return self._plant(Topic.RETRIES, key, b"{}", at, headers, partition=source.partition)

    def letter(
        self,
        name: str,
        source: Source | None,
        reason: str,
        message: str,
        ago: int,
        *,
        value: bytes | None = None,
    ) -> Source:
        at = self.now_ms - ago * SECOND + 96
        body = {
            "detail-type": UPDATE_DETAIL_TYPE,
            "detail": {"interactionId": name, "sequenceId": 1, "state": "completed"},
        }
        letter = DeadLetter(
            name.encode(),
            json.dumps(body).encode() if value is None else value,
            reason,
            message,
            Stage.BRIDGE if source is None else Stage.WORKER,
            1,
            rfc3339(at / 1000),
            source,
        )
        return self._plant(
            Topic.LETTERS, letter.key, letter.value, at, letter.headers(), partition=0
        )

    def into(self, index: Index, at_once: int = 1_000) -> None:
        """Put them into an index, as the follower does."""
        logs: dict[tuple[Topic, int], list[RawRecord]] = defaultdict(list)
        for topic, record in self.records:
            logs[(topic, record.partition)].append(record)
        for (topic, partition), records in logs.items():
            for first in range(0, len(records), at_once):
                some = records[first : first + at_once]
                index.apply(some, topic, partition, some[-1].offset + 1)

    def _plant(
        self,
        topic: Topic,
        key: bytes | None,
        value: bytes | None,
        at: int,
        headers: Sequence[tuple[str, bytes | None]],
        *,
        partition: int | None = None,
    ) -> Source:
        name = {
            Topic.EVENTS: self.names.events,
            Topic.OUTCOMES: self.names.outcomes,
            Topic.RETRIES: self.names.retries,
            Topic.LETTERS: self.names.dead_letters,
        }[topic]
        if partition is None:
            partition = partition_of(key or b"", self.partitions)
        offset = self._ends[(topic, partition)]
        self._ends[(topic, partition)] += 1
        self.records.append(
            (topic, RawRecord(name, partition, offset, at, key, value, tuple(headers)))
        )
        return Source(name, partition, offset)


def plant_cases(land: Field) -> list[Case]:
    """All ten, and what is right for each."""
    done = [
        _simple(land, "too-short", Decision.INELIGIBLE, Reason.TOO_SHORT, duration_ms=12_000),
        _simple(land, "coded-by-agent", Decision.INELIGIBLE, Reason.DISPOSITION_SET),
        _simple(land, "conflict", Decision.CONFLICT, Reason.CONCURRENT_MODIFICATION),
        _simple(land, "purged", Decision.NOT_FOUND, Reason.NOT_FOUND),
    ]
    said = [
        "it lasted 12 s; 30 s would have done (DURATION_THRESHOLD_MS)",
        "Genesys Cloud says that it has one already; without one it would have been looked at",
        "somebody changed the interaction between our GET and our PATCH",
        "Genesys Cloud does not know the interaction (404): it is of another org, or was deleted",
    ]
    return [
        *(Case(name, name, "no-code", says) for name, says in zip(done, said, strict=True)),
        _duplicate(land),
        _late(land),
        _deferred(land),
        _scope_missing(land),
        _refused(land),
        _never_sent(land),
    ]


def _simple(land: Field, name: str, decision: Decision, reason: Reason, **more: Any) -> str:
    at = land.event(name, 1, "alerting", 312)
    land.outcome(name, 1, at, (Decision.INELIGIBLE, Reason.NOT_COMPLETED), 312)
    at = land.event(name, 2, "completed", 300)
    calls = [land.call("GET", 404 if decision is Decision.NOT_FOUND else 200, 300)]
    if decision is Decision.CONFLICT:
        calls.append(land.call("PATCH", 409, 300))
    land.outcome(name, 2, at, (decision, reason), 300, calls=calls, **more)
    return name


def _coded(
    land: Field, name: str, sequence: int, at: Source, ago: int, *, before: Sequence[Call] = ()
) -> None:
    """``before``: the requests of its deferrals."""
    land.outcome(
        name,
        sequence,
        at,
        (Decision.PATCHED, Reason.ELIGIBLE),
        ago,
        calls=[*before, land.call("GET", 200, ago), land.call("PATCH", 200, ago, 118.0)],
        disposition_code_id=CODE,
        patch_status=200,
    )


def _duplicate(land: Field) -> Case:
    name = "duplicate"
    _coded(land, name, 1, land.event(name, 1, "completed", 280), 280)
    again = land.event(name, 1, "completed", 270)
    land.outcome(name, 1, again, (Decision.DUPLICATE, Reason.DUPLICATE_SEQUENCE), 270)
    return Case(name, name, "coded", "a duplicate: sequence 1 had been decided before")


def _late(land: Field) -> Case:
    name = "late-completed"
    first = land.event(name, 9, "connected", 260)
    land.outcome(name, 9, first, (Decision.INELIGIBLE, Reason.NOT_COMPLETED), 260)
    late = land.event(name, 7, "completed", 250)
    _coded(land, name, 7, late, 250)
    return Case(name, name, "coded", "sequence 7, voice, completed: late, behind a higher sequence")


def _deferred(land: Field) -> Case:
    name = "through-an-outage"
    at = land.event(name, 4, "completed", 240)
    failing = [land.call("GET", 503, 240), land.call("GET", None, 239, 900.0)]
    fault = Fault("unavailable", f"GET interaction {name}: 503 in 3 tries", 503, "corr-1")
    land.outcome(
        name,
        4,
        at,
        (Decision.DEFERRED, Reason.SERVER_ERROR),
        238,
        attempt=1,
        calls=failing,
        error=fault,
        next_at=rfc3339((land.now_ms - 210 * SECOND) / 1000),
    )
    land.put_off(name, at, 238, 28)
    _coded(land, name, 4, at, 209, before=failing)
    return Case(name, name, "coded", "put off: Genesys Cloud failed: GET interaction")


def _scope_missing(land: Field) -> Case:
    name = "scope-missing"
    message = "PATCH interaction: 403, add interaction:write to GENESYS_CLOUD_SCOPES"
    at = land.event(name, 3, "completed", 200)
    land.outcome(
        name,
        3,
        at,
        (Decision.FAILED, Reason.FORBIDDEN),
        200,
        calls=[land.call("GET", 200, 200), land.call("PATCH", 403, 200)],
        error=Fault("forbidden", message, 403, "corr-2"),
    )
    land.letter(name, at, Reason.FORBIDDEN, message, 200)
    return Case(name, name, "failed", "failed: a scope or permission was missing: PATCH")


def _refused(land: Field) -> Case:
    name = "refused-by-bridge"
    land.letter(name, None, Reason.MALFORMED, "sequenceId is missing", 190, value=b'{"detail": {}}')
    return Case(name, name, "refused", "the bridge refused what was sent of it")


def _never_sent(land: Field) -> Case:
    """Where it would lie, there is something: so it is known that nothing older was there."""
    full = {record.partition for topic, record in land.records if topic is Topic.EVENTS}
    names = (f"never-sent-{number}" for number in range(1_000))
    name = next(each for each in names if partition_of(each.encode(), land.partitions) in full)
    return Case("never-sent", name, "never-arrived", "it never arrived")


def plant_waiting(land: Field) -> str:
    """A call that is put off now."""
    name = "waits-now"
    at = land.event(name, 2, "completed", 20)
    land.outcome(
        name,
        2,
        at,
        (Decision.DEFERRED, Reason.TIMEOUT),
        18,
        attempt=1,
        calls=[land.call("GET", None, 19, 900.0)],
        error=Fault("timeout", "GET interaction waits-now: no answer in 10 s"),
        next_at=rfc3339((land.now_ms + 40 * SECOND) / 1000),
    )
    land.put_off(name, at, 18, 58)
    return name


def plant_traffic(land: Field, minutes: int) -> None:
    """What a contact centre does beside them, as a picture needs it: an outage in the middle."""
    for minute in range(minutes):
        hard = minutes // 2 <= minute < minutes // 2 + 6
        for nth in range(14 + (minute * 7) % 11):
            name = f"{minute:04x}{nth:04x}-5b1c-4a44-9a3e-0c6f2b1e7d55"
            ago = (minutes - minute) * 60 - nth * 3
            source = land.event(name, 1, "completed", ago)
            decided = _TRAFFIC[(minute * 5 + nth * 3) % len(_TRAFFIC)]
            if hard and nth % 3:
                decided = (Decision.DEFERRED, Reason.SERVER_ERROR)
            asked = decided[0] in (Decision.PATCHED, Decision.DEFERRED)
            calls = [land.call("GET", 503 if hard else 200, ago)] if asked else []
            land.outcome(name, 1, source, decided, ago, calls=calls)
            if decided[0] is Decision.DEFERRED:
                _coded(land, name, 1, source, max(ago - 300, 30), before=calls)


_TRAFFIC = (
    *[(Decision.INELIGIBLE, Reason.NOT_COMPLETED)] * 5,
    *[(Decision.INELIGIBLE, Reason.NON_VOICE)] * 2,
    *[(Decision.PATCHED, Reason.ELIGIBLE)] * 3,
    (Decision.DUPLICATE, Reason.DUPLICATE_SEQUENCE),
    (Decision.INELIGIBLE, Reason.TOO_SHORT),
    (Decision.INELIGIBLE, Reason.WRAP_UP_SET),
)
