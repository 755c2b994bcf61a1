"""An outcome keeps its shape, for other programs are written against it; and is read again."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.records import Basis, Decision, Fault, Reason, Source
from streams.kafka.declaration import declared_directory
from streams.wire.outcomes import (
    OUTCOME_NAMESPACE,
    SCHEMA_VERSION,
    Outcome,
    decode_outcome,
    encode_outcome,
    outcome_headers,
    outcome_id,
    read_outcome,
)
from streams.wire.reading import WHY_LENGTH, Unreadable

SCHEMAS = Path(__file__).parents[3] / "topics" / "schemas"

# The contract's table "Outcome out", in its order.
OUTCOME_FIELDS = [
    "schemaVersion",
    "outcomeId",
    "final",
    "interactionId",
    "sequenceId",
    "eventId",
    "decision",
    "reason",
    "basis",
    "dryRun",
    "dispositionCodeId",
    "patchStatus",
    "recovered",
    "apiCalls",
    "attempts",
    "durationMs",
    "eventTime",
    "decidedAt",
    "latencyMs",
    "endToEndMs",
    "source",
    "traceId",
    "error",
    "nextAt",
    "calls",
    "leg",
]

OUTCOME = Outcome(
    outcome_id="6ba7b810-9dad-11d1-80b4-00c04fd430c8",
    final=True,
    interaction_id="i-1",
    sequence_id="007",
    event_id="e-1",
    decision=Decision.CONFLICT,
    reason=Reason.CONCURRENT_MODIFICATION,
    basis=Basis.API,
    dry_run=False,
    disposition_code_id="code",
    patch_status=409,
    recovered=False,
    api_calls=2,
    attempts=1,
    duration_ms=60_000,
    event_time="2025-12-12T15:15:07.000Z",
    decided_at="2025-12-12T15:15:07.657Z",
    latency_ms=12.5,
    end_to_end_ms=657.0,
    source=Source("genesys.interaction.events", 3, 41),
    trace_id="0" * 32,
    error=Fault("conflict", "changed meanwhile", 409, "c-1"),
)


def changed(outcome: Outcome, **fields: Any) -> Outcome:
    return msgspec.structs.replace(outcome, **fields)


class TestOutcome:
    def test_has_the_contracts_fields_and_no_other(self) -> None:
        written = json.loads(encode_outcome(OUTCOME))
        assert sorted(written) == sorted(OUTCOME_FIELDS)
        assert written["schemaVersion"] == SCHEMA_VERSION == 1
        assert written["source"] == {
            "topic": "genesys.interaction.events",
            "partition": 3,
            "offset": 41,
        }
        assert written["error"] == {
            "code": "conflict",
            "message": "changed meanwhile",
            "status": 409,
            "correlationId": "c-1",
        }
        assert written["decision"] == "conflict"
        assert written["dispositionCodeId"] == "code"

    def test_names_every_field_when_it_has_nothing_to_say(self) -> None:
        bare = changed(
            OUTCOME,
            interaction_id=None,
            sequence_id=None,
            event_id=None,
            disposition_code_id=None,
            patch_status=None,
            duration_ms=None,
            trace_id=None,
            error=None,
        )
        written = json.loads(encode_outcome(bare))
        assert sorted(written) == sorted(OUTCOME_FIELDS)
        assert {name for name, value in written.items() if value is None} == {
            "interactionId",
            "sequenceId",
            "eventId",
            "dispositionCodeId",
            "patchStatus",
            "durationMs",
            "traceId",
            "error",
            "nextAt",
            "leg",
        }

    @given(
        st.none()
        | st.integers(-(10**128), 10**128)
        | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=128)
    )
    def test_keeps_the_sequence_as_received(self, sequence_id: int | str | None) -> None:
        there = decode_outcome(encode_outcome(changed(OUTCOME, sequence_id=sequence_id)))
        assert there.sequence_id == sequence_id
        assert type(there.sequence_id) is type(sequence_id)
        assert there == changed(OUTCOME, sequence_id=sequence_id)

    def test_the_schema_says_the_same(self) -> None:
        declared = json.loads((SCHEMAS / "outcome.schema.json").read_text())
        names = [field.encode_name for field in msgspec.structs.fields(Outcome)]
        assert sorted(declared["properties"]) == sorted(names)
        assert sorted(declared["required"]) == sorted(OUTCOME_FIELDS)


class TestOutcomeId:
    def test_never_changes_from_one_release_to_the_next(self) -> None:
        source = Source("genesys.interaction.events", 3, 41)
        assert outcome_id(source) == "ce7ccb6a-9e61-5a1f-b767-5eea67b6baa2"
        assert outcome_id(source, 0) not in (outcome_id(source), outcome_id(source, 1))
        assert outcome_id(source, 1) == "442479db-24ad-5125-bff7-de4046c09550"
        assert outcome_id(source, life="a-topics-id") == outcome_id(source)

    @given(topic=st.text(), offset=st.integers(0, 2**63 - 1))
    def test_it_is_a_name_based_uuid(self, topic: str, offset: int) -> None:
        """As any language makes it: RFC 9562, version 5."""
        name = f"{topic}/3/{offset}"
        assert outcome_id(Source(topic, 3, offset)) == str(uuid.uuid5(OUTCOME_NAMESPACE, name))

    def test_distinguishes_the_records_of_a_cut_log_from_those_before(self) -> None:
        source = Source("genesys.interaction.events", 3, 41)
        ids = {outcome_id(source, life=life) for life in ("id", "id@1", "id@2", "other@1")}
        assert len(ids) == 4

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["a", "a/1", "b", "b#1"]),
                st.integers(0, 12),
                st.integers(0, 120),
                st.none() | st.integers(0, 12),
            ),
            unique=True,
        )
    )
    def test_is_one_for_each_record_and_attempt(
        self, names: list[tuple[str, int, int, int | None]]
    ) -> None:
        ids = [outcome_id(Source(topic, part, at), attempt) for topic, part, at, attempt in names]
        assert len(set(ids)) == len(names)
        assert ids == [
            outcome_id(Source(topic, part, at), attempt) for topic, part, at, attempt in names
        ]
        assert all(uuid.UUID(name).version == 5 for name in ids)


def test_the_headers_are_those_of_a_cloud_event() -> None:
    assert outcome_headers(OUTCOME, app_id="worker-1") == [
        ("ce_specversion", b"1.0"),
        ("ce_id", OUTCOME.outcome_id.encode()),
        ("ce_source", b"/genesys-streams/worker-1"),
        ("ce_type", b"genesys.interaction.outcome.v1"),
        ("ce_subject", b"i-1"),
        ("ce_time", b"2025-12-12T15:15:07.657Z"),
        ("content-type", b"application/json"),
    ]


def test_without_an_interaction_the_subject_is_empty() -> None:
    bare = changed(OUTCOME, interaction_id=None)

    assert dict(outcome_headers(bare, app_id="worker-1"))["ce_subject"] == b""


EXAMPLE = json.loads((declared_directory() / "examples" / "outcome.patched.json").read_text())


def example(**changes: Any) -> bytes:
    return json.dumps(EXAMPLE | changes).encode()


def test_an_outcome_is_read() -> None:
    read = read_outcome(example(note="of a later version"))
    assert isinstance(read, Outcome)
    assert read.outcome_id == EXAMPLE["outcomeId"]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, "it has no value"),
        (b"", "not JSON: Input data was truncated"),
        (b"\xff", "not UTF-8: invalid start byte at byte 0"),
        (example(interactionId="X").replace(b'"X"', b'"\xff"'), "not UTF-8: invalid start byte"),
        (example(note="X").replace(b'"X"', b'"\xff"'), "not UTF-8: invalid start byte"),
        (example()[:-1], "not JSON: Input data was truncated"),
        (example(interactionId="\ud83d"), "not JSON: JSON is malformed"),
        (example(schemaVersion=2), "of a newer release: schemaVersion 2, and this one reads 1"),
        (b"[]", "JSON of another shape: Expected `object`"),
        (b"{}", "JSON of another shape: Object missing required field"),
        (example(decision="undecided"), "JSON of another shape: Invalid enum value"),
        (example(decision="\x1b[31m\n"), r"JSON of another shape: Invalid enum value '\x1b[31m\n'"),
        (example(apiCalls="X").replace(b'"X"', b"9" * 5000), "JSON of another shape: Integer"),
        (example(note="X").replace(b'"X"', b"[" * 10**5 + b"]" * 10**5), "JSON is nested too"),
    ],
)
def test_what_is_no_outcome_says_why(value: bytes | None, why: str) -> None:
    read = read_outcome(value)
    assert isinstance(read, Unreadable)
    assert read.why.startswith(why)


@given(
    st.none() | st.binary() | st.text(st.characters(codec=None)).map(lambda s: example(decision=s))
)
def test_reading_never_raises_and_a_reason_is_one_bounded_line(value: bytes | None) -> None:
    read = read_outcome(value)
    if isinstance(read, Unreadable):
        assert read.why.isprintable()
        assert len(read.why) <= WHY_LENGTH
