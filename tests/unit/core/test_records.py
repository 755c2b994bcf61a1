"""What is stored keeps its shape: the next release reads it."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.records import (
    Basis,
    Decision,
    Intent,
    InteractionRecord,
    Reason,
    Seen,
    Verdict,
    decode_record,
    encode_record,
)
from streams.core.state_version import STATE_VERSION, newer_version

SCHEMAS = Path(__file__).parents[3] / "topics" / "schemas"

# The contract's second table, and that of the conversations: each decision with its reasons.
DECISIONS = {
    "noted": {"look-planned", "look-joined"},
    "patched": {"eligible"},
    "would-patch": {"eligible"},
    "ineligible": {
        "non-voice-interaction",
        "interaction-not-completed",
        "disposition-already-set",
        "wrap-up-already-set",
        "duration-below-threshold",
        "not-connected",
        "wrap-up-not-required",
        "campaign",
        "not-the-last-leg",
        "no-agent-leg",
        "event-not-needed",
    },
    "duplicate": {"duplicate-sequence", "duplicate-event"},
    "stale": {"stale-sequence"},
    "conflict": {"concurrent-modification"},
    "not-found": {"interaction-not-found"},
    "refused": {"wrap-up-closed"},
    "unconfirmed": {"not-visible"},
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

interaction_records = st.builds(InteractionRecord)


def test_there_is_no_decision_or_reason_beside_the_contracts() -> None:
    assert {decision.value for decision in Decision} == set(DECISIONS)
    assert {reason.value for reason in Reason} == set().union(*DECISIONS.values())
    assert {basis.value for basis in Basis} == {"event", "cache", "api"}


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
            "schemaVersion": STATE_VERSION,
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

    def test_what_the_last_release_wrote_has_no_version_and_is_read(self) -> None:
        record = InteractionRecord("i-1", events=3)
        written = json.loads(encode_record(record))
        assert written.pop("schemaVersion") == STATE_VERSION
        assert decode_record(json.dumps(written).encode()) == record

    def test_of_a_newer_version_is_refused(self) -> None:
        newer = json.dumps({"interactionId": "i-1", "schemaVersion": STATE_VERSION + 1}).encode()
        with pytest.raises(msgspec.ValidationError, match="schemaVersion"):
            decode_record(newer)
        assert newer_version(newer) == STATE_VERSION + 1

    @pytest.mark.parametrize(
        "record",
        [
            encode_record(InteractionRecord("i-1")),
            b'{"interactionId":"i-1"}',
            b'{"schemaVersion":"2"}',
            b'{"schemaVersion":-1}',
            b"\xff",
            b"[" * 10**5,
        ],
    )
    def test_of_no_newer_version(self, record: bytes) -> None:
        assert newer_version(record) is None

    def test_the_schema_says_the_same(self) -> None:
        declared = json.loads((SCHEMAS / "interaction-record.schema.json").read_text())
        names = [field.encode_name for field in msgspec.structs.fields(InteractionRecord)]
        assert sorted(declared["properties"]) == sorted(["schemaVersion", *names])
