"""What a worker answers to ``GET /stuck``, as the command and the console read it. JSON, camelCase;
times are RFC 3339 UTC with milliseconds."""

from __future__ import annotations

import msgspec

from streams.core.records import Source
from streams.core.stuck import Cause


class OpenRecord(msgspec.Struct, frozen=True, rename="camel"):
    """A record that a worker has taken up and not finished.

    ``record``: where it was read; ``source``: the record in ``events`` that it is, or is a copy of.
    ``since``: the event's own time. ``next_at``: its next try, where that is known. ``requests``:
    made for it since it was taken up; ``sent_at``: of the one that is under way. ``attempt``: how
    often it was put off. ``put_off_for``: why it was, in the word of its outcome. What a record
    that is no event does not say is None.
    """

    record: Source
    source: Source | None
    interaction_id: str | None
    since: str | None
    taken_up_at: str | None
    cause: Cause
    next_at: str | None = None
    requests: int = 0
    sent_at: str | None = None
    attempt: int = 0
    put_off_for: str | None = None


class Drain(msgspec.Struct, frozen=True, rename="camel"):
    """When a worker will be done with all that waits for it.

    ``at``, ``seconds``: None when that can not be said, for the reason in ``never``. ``waiting``:
    records, and ``requests`` that they take together; ``per_minute``: how many of those are
    allowed. ``held_by``: what holds requests back now. ``oldest``: the event's time of the oldest
    that waits for more than its planned look, ``oldest_seconds`` ago. ``within_a_day``: whether
    that one is done within 24 hours of its event.
    """

    at: str | None
    seconds: float | None
    waiting: int
    requests: float
    per_minute: float
    held_by: Cause | None
    never: str | None
    oldest: str | None
    oldest_seconds: float | None
    within_a_day: bool


class WorkerStanding(msgspec.Struct, frozen=True, rename="camel"):
    """What one worker has open.

    ``worker``: the URL under which the others of its group know it. ``life``: another text for each
    start of a worker. ``not_ready``: as ``/readyz`` says; None when it is ready. ``positions``: by
    ``TOPIC/PARTITION``, the offset that it takes up next. ``open``: how many records are open;
    ``records``: the oldest of them.
    """

    worker: str
    life: str
    version: str
    at: str
    not_ready: str | None
    positions: dict[str, int]
    open: int
    records: tuple[OpenRecord, ...]
    drain: Drain


_DECODER = msgspec.json.Decoder(WorkerStanding)


def encode_standing(standing: WorkerStanding) -> bytes:
    return msgspec.json.encode(standing)


def read_standing(body: bytes) -> WorkerStanding:
    """Raises msgspec.MsgspecError or UnicodeDecodeError when it is none: another program may answer
    at a worker's address."""
    return _DECODER.decode(body)
