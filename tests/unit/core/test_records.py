"""What is stored and sent keeps its shape: other programs are written against it."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.records import (
    SCHEMA_VERSION,
    Basis,
    DeadLetter,
    Decision,
    Fault,
    Intent,
    InteractionRecord,
    Outcome,
    Reason,
    Seen,
    Source,
    Stage,
    Verdict,
    decode_outcome,
    decode_record,
    encode_outcome,
    encode_record,
    outcome_id,
)

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
]

# The contract's second table: each decision with its reasons.
DECISIONS = {
    "patched": {"eligible"},
    "would-patch": {"eligible"},
    "ineligible": {
        "non-voice-interaction",
        "interaction-not-completed",
        "disposition-already-set",
        "wrap-up-already-set",
        "duration-below-threshold",
    },
    "duplicate": {"duplicate-sequence"},
    "stale": {"stale-sequence"},
    "conflict": {"concurrent-modification"},
    "not-found": {"interaction-not-found"},
    "deferred": {
        "server-error",
        "rate-limited",
        "timeout",
        "circuit-open",
        "unauthorized",
        "not-yet-visible",
        "internal-error",
    },
    "failed": {
        "forbidden",
        "unauthorized",
        "bad-request",
        "retries-exhausted",
        "malformed-event",
        "skipped",
        "internal-error",
    },
}

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

interaction_records = st.builds(InteractionRecord)


def changed(outcome: Outcome, **fields: Any) -> Outcome:
    return msgspec.structs.replace(outcome, **fields)


class TestOutcome:
    def test_has_the_contracts_fields_and_no_other(self) -> None:
        told = json.loads(encode_outcome(OUTCOME))
        assert sorted(told) == sorted(OUTCOME_FIELDS)
        assert told["schemaVersion"] == SCHEMA_VERSION == 1
        assert told["source"] == {
            "topic": "genesys.interaction.events",
            "partition": 3,
            "offset": 41,
        }
        assert told["error"] == {
            "code": "conflict",
            "message": "changed meanwhile",
            "status": 409,
            "correlationId": "c-1",
        }
        assert told["decision"] == "conflict"
        assert told["dispositionCodeId"] == "code"

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
        told = json.loads(encode_outcome(bare))
        assert sorted(told) == sorted(OUTCOME_FIELDS)
        assert {name for name, value in told.items() if value is None} == {
            "interactionId",
            "sequenceId",
            "eventId",
            "dispositionCodeId",
            "patchStatus",
            "durationMs",
            "traceId",
            "error",
            "nextAt",
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

    @pytest.mark.parametrize("schema", ["outcome", "interaction-record"])
    def test_the_schemas_say_the_same(self, schema: str) -> None:
        declared = json.loads((SCHEMAS / f"{schema}.schema.json").read_text())
        kind = Outcome if schema == "outcome" else InteractionRecord
        names = [field.encode_name for field in msgspec.structs.fields(kind)]
        assert sorted(declared["properties"]) == sorted(names)
        if schema == "outcome":
            assert sorted(declared["required"]) == sorted(OUTCOME_FIELDS)

    def test_there_is_no_decision_or_reason_beside_the_contracts(self) -> None:
        assert {decision.value for decision in Decision} == set(DECISIONS)
        assert {reason.value for reason in Reason} == set().union(*DECISIONS.values())
        assert {basis.value for basis in Basis} == {"event", "cache", "api"}


class TestOutcomeId:
    def test_never_changes_from_one_release_to_the_next(self) -> None:
        source = Source("genesys.interaction.events", 3, 41)
        assert outcome_id(source) == "ce7ccb6a-9e61-5a1f-b767-5eea67b6baa2"
        assert outcome_id(source, 0) not in (outcome_id(source), outcome_id(source, 1))
        assert outcome_id(source, 1) == "442479db-24ad-5125-bff7-de4046c09550"
        assert outcome_id(source, life="a-topics-id") == outcome_id(source)

    def test_tells_the_records_of_a_cut_log_from_those_before(self) -> None:
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


class TestInteractionRecord:
    @given(interaction_records)
    def test_is_read_as_it_was_written(self, record: InteractionRecord) -> None:
        assert decode_record(encode_record(record)) == record

    def test_is_written_in_camel_case_and_without_what_is_not_known(self) -> None:
        record = InteractionRecord(
            "i-1",
            seen=Seen(((1, 3), (5, 10**30)), ("x",)),
            interaction_type="voice",
            intent=Intent(41, "code"),
            verdict=Verdict(
                Decision.INELIGIBLE, Reason.NOT_COMPLETED, Basis.EVENT, decided_at="now"
            ),
            last_offset=0,
            first_seen_at=1,
        )
        assert json.loads(encode_record(record)) == {
            "interactionId": "i-1",
            "seen": {"ranges": [[1, 3], [5, 10**30]], "opaque": ["x"]},
            "interactionType": "voice",
            "intent": {"offset": 41, "dispositionCodeId": "code"},
            "verdict": {
                "decision": "ineligible",
                "reason": "interaction-not-completed",
                "basis": "event",
                "decidedAt": "now",
            },
            "lastOffset": 0,
            "firstSeenAt": 1,
        }

    def test_of_a_later_release_is_still_read(self) -> None:
        assert decode_record(b'{"interactionId":"i-1","fromTheFuture":{}}') == InteractionRecord(
            "i-1"
        )

    def test_cannot_be_changed_in_place(self) -> None:
        with pytest.raises(AttributeError):
            InteractionRecord("i-1").events = 1  # type: ignore[misc]  # what is tested


class TestDeadLetter:
    LETTER = DeadLetter(
        key=b"\xff",
        value=b"\x00not JSON",
        reason="malformed-event",
        message="not JSON: é",
        stage=Stage.WORKER,
        attempts=1,
        failed_at="2025-12-12T15:15:07.657Z",
        source=Source("genesys.interaction.events", 0, 0),
    )

    def test_says_why_in_its_headers(self) -> None:
        headers = self.LETTER.headers()
        assert dict(headers) == {
            "dlq.reason": b"malformed-event",
            "dlq.message": "not JSON: é".encode(),
            "dlq.stage": b"worker",
            "dlq.attempts": b"1",
            "dlq.failed-at": b"2025-12-12T15:15:07.657Z",
            "dlq.source.topic": b"genesys.interaction.events",
            "dlq.source.partition": b"0",
            "dlq.source.offset": b"0",
        }
        assert len(headers) == len(dict(headers))

    def test_from_the_bridge_has_no_source(self) -> None:
        letter = msgspec.structs.replace(self.LETTER, source=None, stage=Stage.BRIDGE)
        names = dict(letter.headers())
        assert names["dlq.stage"] == b"bridge"
        assert not [name for name in names if name.startswith("dlq.source")]

    def test_stages_are_the_contracts(self) -> None:
        assert [stage.value for stage in Stage] == ["bridge", "worker", "retry"]
