"""The interaction's record in the table, and the values that it is made of.

A decision, its reason and its verdict are one vocabulary for both dialects of the API.

JSON, UTF-8, camelCase; times are RFC 3339 UTC with milliseconds. The schemas in
``topics/schemas`` describe the same shapes for readers of other languages.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

import msgspec

from streams.core.state_version import STATE_VERSION

# Separates, in the life of a log that was cut, the topic's id from the time of the cut.
CUT = "@"


class Decision(StrEnum):
    """The decision on one source record, or on one leg of a conversation (contract, Outcome)."""

    NOTED = "noted"
    PATCHED = "patched"
    WOULD_PATCH = "would-patch"
    INELIGIBLE = "ineligible"
    DUPLICATE = "duplicate"
    STALE = "stale"
    CONFLICT = "conflict"
    NOT_FOUND = "not-found"
    REFUSED = "refused"
    UNCONFIRMED = "unconfirmed"
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
    NOT_CONNECTED = "not-connected"
    WRAP_UP_NOT_REQUIRED = "wrap-up-not-required"
    CAMPAIGN = "campaign"
    NOT_THE_LAST_LEG = "not-the-last-leg"
    NO_AGENT_LEG = "no-agent-leg"
    EVENT_NOT_NEEDED = "event-not-needed"
    LOOK_PLANNED = "look-planned"
    LOOK_JOINED = "look-joined"
    DUPLICATE_EVENT = "duplicate-event"
    DUPLICATE_SEQUENCE = "duplicate-sequence"
    STALE_SEQUENCE = "stale-sequence"
    CONCURRENT_MODIFICATION = "concurrent-modification"
    NOT_FOUND = "interaction-not-found"
    WRAP_UP_CLOSED = "wrap-up-closed"
    NOT_VISIBLE = "not-visible"
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


class Leg(msgspec.Struct, frozen=True, rename="camel"):
    """One leg of a conversation, as an outcome shows it: one participant of purpose agent."""

    participant_id: str
    user_id: str | None = None
    queue_id: str | None = None
    communication_id: str | None = None
    medium: str | None = None


class Call(msgspec.Struct, frozen=True, rename="camel"):
    """One request that was made to the API for a source record (contract, ``calls``).

    ``at``: when it left. ``status``: None when no answer came, and ``error`` is then what came
    instead. ``waited_ms``: how long it had waited for a token and for its turn before it left.
    ``correlation_id``: of the answer, ASCII alone; an id of Genesys' is nothing else, and so the
    whole has at most 300 bytes as JSON.
    """

    at: str
    method: str
    status: int | None
    error: str | None
    waited_ms: float
    took_ms: float
    correlation_id: str | None


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
    """What was decided for one source record, or for one leg of a conversation.

    This part of an outcome must be the same when the record is processed again, so the table keeps
    it until the record is finished. ``provisional``: the API's answer may still be incomplete, so
    the verdict settles nothing about the interaction for good. ``latency_ms``: from taking the
    record up to this decision. ``end_to_end_ms``: from the event's own time to this decision.
    ``put_off``: set only when the decision is ``deferred``. ``calls``: the latest requests made for
    the record, in order.
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
    calls: tuple[Call, ...] = ()

    @property
    def final(self) -> bool:
        return self.decision is not Decision.DEFERRED


class Deferred(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A source record of this interaction that was put off, or redriven, at least once.

    ``offset``: its offset in ``events``. ``verdict``: the latest verdict on it; final once the
    record is finished. ``returned_at``: offset of the record in ``retries`` that this verdict is
    for; None for the first verdict. ``redriven``: how often the record had been redriven by then.
    """

    offset: int
    verdict: Verdict
    returned_at: int | None = msgspec.field(default=None, name="taken")
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


class Unpublished(msgspec.Struct, frozen=True, rename="camel"):
    """A verdict that was in the table before its outcome was published.

    ``offset``: its source record's, in ``events``.
    """

    offset: int
    verdict: Verdict


class Seen(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The sequences of one interaction that were already applied.

    ``ranges``: inclusive, ascending, never touching, so a run without gaps is one pair.
    ``opaque``: ids that are not numbers, oldest first.
    """

    ranges: tuple[tuple[int, int], ...] = ()
    opaque: tuple[str, ...] = ()


class InteractionRecord(
    msgspec.Struct,
    frozen=True,
    rename="camel",
    omit_defaults=True,
    tag_field="schemaVersion",
    tag=STATE_VERSION,
):
    """One interaction as the table keeps it. As JSON it says its version first.

    ``last_offset``: offset of the source record that was decided last; ``verdict`` is its verdict.
    ``unpublished``: the verdicts before that one whose outcomes were not known to be published when
    this record was made; by offset, at most MOST_UNPUBLISHED of ``decision``.
    ``settled``: the verdict on the interaction itself, once nothing can change it any more.
    ``deferred``: the records that are put off, and the latest ones that were and are finished now;
    ordered by the time of their latest verdict. ``life``: the life of the partition's log in which
    ``last_offset`` counts; empty where the broker does not say. ``decided_before``: the records
    that Kafka had got by this time were decided in an earlier life of the log; epoch milliseconds,
    0 in the first life. ``updated_at``: epoch milliseconds; the record is forgotten
    ``STATE_TTL_SECONDS`` later.
    """

    interaction_id: str
    seen: Seen = Seen()
    interaction_type: str | None = None
    state: str | None = None
    settled: Verdict | None = None
    verdict: Verdict | None = None
    last_offset: int | None = None
    unpublished: tuple[Unpublished, ...] = ()
    intent: Intent | None = None
    deferred: tuple[Deferred, ...] = ()
    life: str = ""
    decided_before: int = msgspec.field(default=0, name="toldBefore")
    events: int = 0
    first_seen_at: int = 0
    updated_at: int = 0

    def deferral(self, offset: int) -> Deferred | None:
        """The entry of the record with this offset; None when it was never put off."""
        for each in self.deferred:
            if each.offset == offset:
                return each
        return None

    @property
    def waits(self) -> bool:
        """Whether a record of this interaction will be taken up again."""
        return any(each.waits for each in self.deferred)

    @property
    def undecided_intent(self) -> bool:
        """Whether a PATCH may have left for a source record that has no verdict yet."""
        last = -1 if self.last_offset is None else self.last_offset
        return self.intent is not None and self.intent.offset > last

    @property
    def pending(self) -> bool:
        """Whether something of it is still to come: until then it is not forgotten."""
        return self.waits or self.undecided_intent

    def waiting_beside(self, offset: int) -> int:
        """How many records other than this one will be taken up again."""
        return sum(each.waits and each.offset != offset for each in self.deferred)


class Remembered(Protocol):
    """What the table keeps under one key: an interaction's record, or a conversation's."""

    @property
    def interaction_id(self) -> str:
        """The key, and the key of its events."""
        ...

    @property
    def updated_at(self) -> int:
        """When it was written, epoch milliseconds."""
        ...

    @property
    def pending(self) -> bool:
        """Whether something of it is still to come: until then it is not forgotten."""
        ...


encode_record = msgspec.json.Encoder().encode
decode_record = msgspec.json.Decoder(InteractionRecord).decode
