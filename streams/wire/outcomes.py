"""Writes and reads the records of ``outcomes``: value, id and headers. Pure.

JSON, UTF-8, camelCase; times are RFC 3339 UTC with milliseconds. The schema
``topics/schemas/outcome.schema.json`` describes the same shape for readers of other languages.
"""

from __future__ import annotations

import uuid
from hashlib import sha1

import msgspec

from streams.core.foreign_text import foreign_text
from streams.core.records import CUT, Basis, Call, Decision, Fault, Leg, Reason, Source
from streams.kafka.message import Headers
from streams.wire.reading import NO_VALUE, WHY_LENGTH, Unreadable

SCHEMA_VERSION = 1

OUTCOME_TYPE = "genesys.interaction.outcome.v1"

_SPECVERSION = ("ce_specversion", b"1.0")
_TYPE = ("ce_type", OUTCOME_TYPE.encode())
_CONTENT_TYPE = ("content-type", b"application/json")

# Namespace of the name-based outcome ids. Changing it would give every source record a new id, so
# consumers could no longer drop what they have seen.
OUTCOME_NAMESPACE = uuid.UUID("6f1d6c0e-5c9b-5d0e-9a53-6d6f4a0b7c11")
_NAMESPACE = OUTCOME_NAMESPACE.bytes


class Outcome(msgspec.Struct, frozen=True, rename="camel"):
    """One verdict, as other teams consume it (contract, Outcome). ``leg``: the leg that it is on;
    None where it is on the source record itself."""

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
    calls: tuple[Call, ...] = ()
    leg: Leg | None = None
    schema_version: int = SCHEMA_VERSION


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
    # ``str(uuid.uuid5(OUTCOME_NAMESPACE, name))``, at an eighth of its price.
    digest = sha1(_NAMESPACE + name.encode(), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(digest[16], 16) & 3]
    return "-".join(
        (digest[:8], digest[8:12], f"5{digest[13:16]}", variant + digest[17:20], digest[20:32])
    )


encode_outcome = msgspec.json.Encoder().encode
decode_outcome = msgspec.json.Decoder(Outcome).decode


def outcome_headers(outcome: Outcome, *, app_id: str) -> Headers:
    """The headers of a CloudEvent in Kafka's binary mode: the value is the event's data alone."""
    return [
        _SPECVERSION,
        ("ce_id", outcome.outcome_id.encode()),
        ("ce_source", f"/genesys-streams/{app_id}".encode()),
        _TYPE,
        ("ce_subject", (outcome.interaction_id or "").encode()),
        ("ce_time", outcome.decided_at.encode()),
        _CONTENT_TYPE,
    ]


def read_outcome(value: bytes | None) -> Outcome | Unreadable:
    """Read one outcome. Never raises."""
    if value is None:
        return NO_VALUE
    try:
        value.decode()  # the decoder passes over fields that it does not need, UTF-8 or not
        outcome = decode_outcome(value)
    except UnicodeDecodeError as exc:
        return Unreadable(f"not UTF-8: {exc.reason} at byte {exc.start}")
    except RecursionError:
        return Unreadable("JSON is nested too deeply")
    except msgspec.ValidationError as exc:
        return Unreadable(foreign_text(f"JSON of another shape: {exc}", WHY_LENGTH))
    except msgspec.DecodeError as exc:
        return Unreadable(foreign_text(f"not JSON: {exc}", WHY_LENGTH))
    if outcome.schema_version > SCHEMA_VERSION:
        return Unreadable(
            f"of a newer release: schemaVersion {outcome.schema_version}, and this one reads "
            f"{SCHEMA_VERSION}"
        )
    return outcome
