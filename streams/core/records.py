"""The values that are stored and sent: the interaction's record in the table, the outcome, the dead
letter.

JSON, UTF-8, camelCase; times are RFC 3339 UTC with milliseconds. The schemas in
``topics/schemas`` describe the same shapes for readers of other languages.
"""

from __future__ import annotations

import uuid
from enum import StrEnum
from typing import Any

import msgspec

SCHEMA_VERSION = 1

# Namespace of the name-based outcome ids. Changing it would give every source record a new id, so
# consumers could no longer drop what they have seen.
OUTCOME_NAMESPACE = uuid.UUID("6f1d6c0e-5c9b-5d0e-9a53-6d6f4a0b7c11")


# Separates, in the life of a log that was cut, the topic's id from the time of the cut.
CUT = "@"


class Decision(StrEnum):
    """The decision on one source record (contract, Outcome)."""

    PATCHED = "patched"
    WOULD_PATCH = "would-patch"
    INELIGIBLE = "ineligible"
    DUPLICATE = "duplicate"
    STALE = "stale"
    CONFLICT = "conflict"
    NOT_FOUND = "not-found"
    DEFERRED = "deferred"
    FAILED = "failed"


class Reason(StrEnum):
    """Why it was decided so (contract, Outcome)."""

    ELIGIBLE = "eligible"
    NON_VOICE = "non-voice-interaction"
    NOT_COMPLETED = "interaction-not-completed"
    DISPOSITION_SET = "disposition-already-set"
    WRAP_UP_SET = "wrap-up-already-set"
    TOO_SHORT = "duration-below-threshold"
    DUPLICATE_SEQUENCE = "duplicate-sequence"
    STALE_SEQUENCE = "stale-sequence"
    CONCURRENT_MODIFICATION = "concurrent-modification"
    NOT_FOUND = "interaction-not-found"
    SERVER_ERROR = "server-error"
    RATE_LIMITED = "rate-limited"
    TIMEOUT = "timeout"
    CIRCUIT_OPEN = "circuit-open"
    UNAUTHORIZED = "unauthorized"
    NOT_YET_VISIBLE = "not-yet-visible"
    INTERNAL_ERROR = "internal-error"
    FORBIDDEN = "forbidden"
    BAD_REQUEST = "bad-request"
    RETRIES_EXHAUSTED = "retries-exhausted"
    MALFORMED = "malformed-event"
    SKIPPED = "skipped"


class Basis(StrEnum):
    """What the decision rests on: the event, the table (``cache``) or the API."""

    EVENT = "event"
    CACHE = "cache"
    API = "api"


class Stage(StrEnum):
    """Where a record became a dead letter (``dlq.stage``)."""

    BRIDGE = "bridge"
    WORKER = "worker"
    RETRY = "retry"


class Fault(msgspec.Struct, frozen=True, rename="camel"):
    """An error as an outcome shows it."""

    code: str
    message: str
    status: int | None = None
    correlation_id: str | None = None


class Source(msgspec.Struct, frozen=True):
    """The place in Kafka of the source record that an outcome is about."""

    topic: str
    partition: int
    offset: int


class PutOff(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Deferral number ``attempt`` (from 1) of a record, which must not be taken up again before
    ``not_before`` (epoch milliseconds).

    ``looks``: how many of the deferrals so far only waited for the API to show what the event says;
    RETRY_MAX_ATTEMPTS does not count them. ``visible_by``: when that waiting ends, epoch
    milliseconds; 0 while it has not begun.
    """

    attempt: int
    not_before: int
    looks: int = 0
    visible_by: int = 0


class Verdict(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What was decided for one source record.

    This part of an outcome must be the same when the record is processed again, so the table keeps
    it until the record is finished. ``provisional``: the API's answer may still be incomplete, so
    the verdict settles nothing about the interaction for good. ``latency_ms``: from taking the
    record up to this decision. ``end_to_end_ms``: from the event's own time to this decision.
    ``put_off``: set only when the decision is ``deferred``.
    """

    decision: Decision
    reason: Reason
    basis: Basis
    dry_run: bool = False
    disposition_code_id: str | None = None
    patch_status: int | None = None
    recovered: bool = False
    duration_ms: int | None = None
    api_calls: int = 0
    attempts: int = 0
    decided_at: str = ""
    latency_ms: float = 0.0
    end_to_end_ms: float = 0.0
    provisional: bool = False
    error: Fault | None = None
    put_off: PutOff | None = None


class Deferred(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A source record of this interaction that was put off, or redriven, at least once.

    ``offset``: its offset in ``events``. ``verdict``: the latest verdict on it; final once the
    record is finished. ``taken``: offset of the record in ``retries`` that this verdict is for;
    None for the first verdict. ``redriven``: how often the record had been redriven by then.
    """

    offset: int
    verdict: Verdict
    taken: int | None = None
    redriven: int = 0

    @property
    def waits(self) -> bool:
        """Whether the record will be taken up again."""
        return self.verdict.decision is Decision.DEFERRED


class Intent(msgspec.Struct, frozen=True, rename="camel"):
    """A PATCH that may have left. It is in the changelog before the PATCH leaves (promise 4).

    ``offset``: its source record's, in ``events``.
    """

    offset: int
    disposition_code_id: str


class Seen(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The sequences of one interaction that were already applied.

    ``ranges``: inclusive, ascending, never touching, so a run without gaps is one pair.
    ``opaque``: ids that are not numbers, oldest first.
    """

    ranges: tuple[tuple[int, int], ...] = ()
    opaque: tuple[str, ...] = ()


class InteractionRecord(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One interaction as the table keeps it.

    ``last_offset``: offset of the source record that was decided last; ``verdict`` is its verdict.
    ``settled``: the verdict on the interaction itself, once nothing can change it any more.
    ``deferred``: the records that are put off, and the latest ones that were and are finished now;
    ordered by the time of their latest verdict. ``life``: the life of the partition's log in which
    ``last_offset`` counts; empty where the broker can not tell. ``told_before``: the records that
    Kafka had got by this time were decided in an earlier life of the log; epoch milliseconds, 0 in
    the first life. ``updated_at``: epoch milliseconds; the record is forgotten
    ``STATE_TTL_SECONDS`` later.
    """

    interaction_id: str
    seen: Seen = Seen()
    interaction_type: str | None = None
    state: str | None = None
    settled: Verdict | None = None
    verdict: Verdict | None = None
    last_offset: int | None = None
    intent: Intent | None = None
    deferred: tuple[Deferred, ...] = ()
    life: str = ""
    told_before: int = 0
    events: int = 0
    first_seen_at: int = 0
    updated_at: int = 0

    def deferral(self, offset: int) -> Deferred | None:
        """The entry of the record with this offset; None when it was never put off."""
        return next((each for each in self.deferred if each.offset == offset), None)

    @property
    def waits(self) -> bool:
        """Whether a record of this interaction will be taken up again."""
        return any(each.waits for each in self.deferred)

    @property
    def undecided_intent(self) -> bool:
        """Whether a PATCH may have left for a source record that has no verdict yet."""
        last = -1 if self.last_offset is None else self.last_offset
        return self.intent is not None and self.intent.offset > last

    def waiting_beside(self, offset: int) -> int:
        """How many records other than this one will be taken up again."""
        return sum(each.waits and each.offset != offset for each in self.deferred)


class Outcome(msgspec.Struct, frozen=True, rename="camel"):
    """One verdict, as other teams consume it (contract, Outcome)."""

    outcome_id: str
    final: bool
    interaction_id: str | None
    sequence_id: int | str | None
    event_id: str | None
    decision: Decision
    reason: Reason
    basis: Basis
    dry_run: bool
    disposition_code_id: str | None
    patch_status: int | None
    recovered: bool
    api_calls: int
    attempts: int
    duration_ms: int | None
    event_time: str
    decided_at: str
    latency_ms: float
    end_to_end_ms: float
    source: Source
    trace_id: str | None
    error: Fault | None
    next_at: str | None = None
    schema_version: int = SCHEMA_VERSION


class DeadLetter(msgspec.Struct, frozen=True):
    """Bytes that could not be handled, untouched, and why (contract, dead-letter headers).

    ``attempts``: how often the record was taken up: once, and once more for each deferral.
    """

    key: bytes | None
    value: bytes | None
    reason: str
    message: str
    stage: Stage
    attempts: int
    failed_at: str
    source: Source | None = None
    redriven: int = 0

    def headers(self) -> list[tuple[str, bytes]]:
        """The ``dlq.*`` headers."""
        named: dict[str, Any] = {
            "dlq.reason": self.reason,
            "dlq.message": self.message,
            "dlq.stage": self.stage.value,
            "dlq.attempts": self.attempts,
            "dlq.failed-at": self.failed_at,
        }
        if self.source is not None:
            named["dlq.source.topic"] = self.source.topic
            named["dlq.source.partition"] = self.source.partition
            named["dlq.source.offset"] = self.source.offset
        if self.redriven:
            named["dlq.redriven"] = self.redriven
        return [(name, str(value).encode()) for name, value in named.items()]


def outcome_id(
    source: Source, attempt: int | None = None, *, redriven: int = 0, life: str = ""
) -> str:
    """The id of an outcome: the same source record always gives the same id.

    A deferral adds its ``attempt``. A redriven record is decided anew, so ``redriven`` is added.
    ``life`` is added once the log was cut, because another record may then lie at the same offset.
    """
    name = f"{source.topic}/{source.partition}/{source.offset}"
    if CUT in life:
        name += f" of {life}"
    if redriven:
        name += f"@{redriven}"
    if attempt is not None:
        name += f"#{attempt}"
    return str(uuid.uuid5(OUTCOME_NAMESPACE, name))


encode_record = msgspec.json.Encoder().encode
decode_record = msgspec.json.Decoder(InteractionRecord).decode
encode_outcome = msgspec.json.Encoder().encode
decode_outcome = msgspec.json.Decoder(Outcome).decode
