"""The schemas against the examples and the contract, and what must not pass them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from streams.core.conversations.events import needed, parse_conversation_event
from streams.core.conversations.record import (
    ConversationRecord,
    Look,
    OpenLeg,
    Result,
    Told,
    Waiting,
)
from streams.core.conversations.record import decode_record as decode_conversation
from streams.core.conversations.record import encode_record as encode_conversation
from streams.core.envelope import parse
from streams.core.records import Basis, Decision, Reason, decode_record, encode_record
from streams.kafka.declaration import declared_directory
from streams.wire.leg_ids import leg_outcome_id
from streams.wire.outcomes import decode_outcome, encode_outcome, outcome_id

Schema = Callable[..., Draft202012Validator]

TOPICS = declared_directory()
SCHEMAS: dict[str, dict[str, Any]] = {
    path.name: json.loads(path.read_text()) for path in (TOPICS / "schemas").glob("*.json")
}
EXAMPLES = sorted((TOPICS / "examples").glob("*.json"))


def example(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((TOPICS / "examples" / f"{name}.json").read_text())
    return loaded


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_well_formed(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])
    assert SCHEMAS[name]["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_valid_and_in_their_canonical_form(schema: Schema, path: Path) -> None:
    value = json.loads(path.read_text())
    kind = path.name.partition(".")[0]
    schema(kind).validate(value)
    encoded = json.dumps(value).encode()
    match kind:
        case "event":
            assert parse(encoded) is not None
        case "conversation-event":
            assert parse_conversation_event(encoded) is not None
            assert json.loads(needed(encoded)) == value
        case "outcome":
            outcome = decode_outcome(encoded)
            assert json.loads(encode_outcome(outcome)) == value
            attempt = None if outcome.final else 1
            own = outcome_id(outcome.source, attempt)
            assert outcome.interaction_id is not None or outcome.leg is None
            if outcome.interaction_id is not None and outcome.leg is not None:
                own = leg_outcome_id(outcome.interaction_id, outcome.leg.participant_id)
            assert outcome.outcome_id == own
        case "interaction-record":
            assert json.loads(encode_record(decode_record(encoded))) == value
        case "conversation-record":
            assert json.loads(encode_conversation(decode_conversation(encoded))) == value
        case _:
            raise AssertionError(kind)


def test_every_decision_has_an_example() -> None:
    shown = {example(path.stem)["decision"] for path in EXAMPLES if path.stem.startswith("outcome")}
    assert shown == {decision.value for decision in Decision}


@pytest.mark.parametrize(
    ("definition", "members"), [("decision", Decision), ("reason", Reason), ("basis", Basis)]
)
def test_enumerations_are_those_of_the_program(
    definition: str, members: type[Decision] | type[Reason] | type[Basis]
) -> None:
    assert SCHEMAS["outcome.schema.json"]["$defs"][definition]["enum"] == [
        member.value for member in members
    ]


def test_every_decision_goes_with_its_reasons_and_no_other(schema: Schema) -> None:
    pairing = schema("outcome", "#/$defs/pairing")
    allowed = {
        (decision.value, reason.value)
        for decision in Decision
        for reason in Reason
        if pairing.is_valid({"decision": decision, "reason": reason})
    }
    assert allowed == {(decision.value, reason.value) for decision, reason in PAIRS}


# The contract's table, row by row.
REASONS = {
    Decision.NOTED: [Reason.LOOK_PLANNED, Reason.LOOK_JOINED],
    Decision.PATCHED: [Reason.ELIGIBLE],
    Decision.WOULD_PATCH: [Reason.ELIGIBLE],
    Decision.INELIGIBLE: [
        Reason.NON_VOICE,
        Reason.NOT_COMPLETED,
        Reason.DISPOSITION_SET,
        Reason.WRAP_UP_SET,
        Reason.TOO_SHORT,
        Reason.NOT_CONNECTED,
        Reason.WRAP_UP_NOT_REQUIRED,
        Reason.CAMPAIGN,
        Reason.NOT_THE_LAST_LEG,
        Reason.NO_AGENT_LEG,
        Reason.EVENT_NOT_NEEDED,
    ],
    Decision.DUPLICATE: [Reason.DUPLICATE_SEQUENCE, Reason.DUPLICATE_EVENT],
    Decision.STALE: [Reason.STALE_SEQUENCE],
    Decision.CONFLICT: [Reason.CONCURRENT_MODIFICATION],
    Decision.NOT_FOUND: [Reason.NOT_FOUND],
    Decision.REFUSED: [Reason.WRAP_UP_CLOSED],
    Decision.UNCONFIRMED: [Reason.NOT_VISIBLE],
    Decision.DEFERRED: [
        Reason.SERVER_ERROR,
        Reason.RATE_LIMITED,
        Reason.TIMEOUT,
        Reason.CIRCUIT_OPEN,
        Reason.UNAUTHORIZED,
        Reason.NOT_YET_VISIBLE,
        Reason.INTERNAL_ERROR,
    ],
    Decision.FAILED: [
        Reason.FORBIDDEN,
        Reason.UNAUTHORIZED,
        Reason.BAD_REQUEST,
        Reason.RETRIES_EXHAUSTED,
        Reason.MALFORMED,
        Reason.SKIPPED,
        Reason.INTERNAL_ERROR,
    ],
}
PAIRS = [(decision, reason) for decision, reasons in REASONS.items() for reason in reasons]


Mutation = Callable[[dict[str, Any]], object]


def put(**members: object) -> Mutation:
    return lambda value: value.update(members)


@pytest.mark.parametrize("member", example("outcome.patched"))
def test_an_outcome_lacks_no_member(schema: Schema, member: str) -> None:
    value = example("outcome.patched")
    del value[member]
    assert not schema("outcome").is_valid(value)


@pytest.mark.parametrize("member", sorted(example("outcome.deferred").keys() - {"calls"}))
def test_no_other_member_of_an_outcome_may_be_a_list(schema: Schema, member: str) -> None:
    value = example("outcome.deferred")
    value[member] = []
    assert not schema("outcome").is_valid(value)


@pytest.mark.parametrize("member", example("interaction-record.intent"))
def test_no_member_of_a_record_may_be_a_boolean(schema: Schema, member: str) -> None:
    value = example("interaction-record.intent")
    value[member] = True
    assert not schema("interaction-record").is_valid(value)


@pytest.mark.parametrize("member", example("conversation-record.sent"))
def test_no_member_of_a_conversations_record_may_be_a_word(schema: Schema, member: str) -> None:
    value = example("conversation-record.sent")
    value[member] = "../../oauth/token" if member in ("conversationId", "life") else "word"
    assert schema("conversation-record").is_valid(value) == (member == "life")


def test_a_conversations_record_has_the_members_of_the_schema() -> None:
    schemas = SCHEMAS["conversation-record.schema.json"]
    held: dict[str, type[msgspec.Struct]] = {
        "told": Told,
        "look": Look,
        "waiting": Waiting,
        "openLeg": OpenLeg,
        "result": Result,
    }
    declared = {name: schemas["$defs"][name]["properties"] for name in held}
    fields = {
        name: {field.encode_name for field in msgspec.structs.fields(kind)}
        for name, kind in held.items()
    }
    assert {name: set(properties) for name, properties in declared.items()} == fields
    names = {field.encode_name for field in msgspec.structs.fields(ConversationRecord)}
    assert set(schemas["properties"]) == {"schemaVersion", *names}


@pytest.mark.parametrize(
    "kind", ["event", "outcome", "interaction-record", "conversation-record", "conversation-event"]
)
@pytest.mark.parametrize("value", [None, [], "text", 7])
def test_every_value_is_an_object(schema: Schema, kind: str, value: object) -> None:
    assert not schema(kind).is_valid(value)


LEG = example("outcome.leg-patched")["leg"]
SOURCE = example("outcome.patched")["source"]
ERROR = example("outcome.failed-forbidden")["error"]
INTENT = example("interaction-record.intent")["intent"]
VERDICT = example("interaction-record.patched")["verdict"]


@pytest.mark.parametrize(
    ("name", "mutation"),
    [
        pytest.param("patched", put(surprise=1), id="unknown member"),
        pytest.param("patched", put(schemaVersion=2), id="another version"),
        pytest.param("patched", put(outcomeId="42"), id="outcomeId is no uuid"),
        pytest.param("patched", put(final=False), id="not final"),
        pytest.param("patched", put(interactionId=None), id="no interaction"),
        pytest.param("patched", put(interactionId="../../oauth/token"), id="path"),
        pytest.param("patched", put(sequenceId=None), id="no sequence"),
        pytest.param("patched", put(sequenceId=""), id="empty sequence"),
        pytest.param("patched", put(sequenceId=True), id="sequence is no number"),
        pytest.param("patched", put(reason="forbidden"), id="reason of another decision"),
        pytest.param("patched", put(decision="done"), id="unknown decision"),
        pytest.param("patched", put(basis="event"), id="patched without the API"),
        pytest.param("patched", put(dryRun=True), id="patched in a dry run"),
        pytest.param("patched", put(dispositionCodeId=None), id="patched without a code"),
        pytest.param("patched", put(patchStatus=404), id="patched with a 404"),
        pytest.param("patched", put(patchStatus=None), id="patched without an answer"),
        pytest.param("patched", put(recovered=True), id="recovered with an answer"),
        pytest.param("patched", put(error=example("outcome.conflict")["error"]), id="error"),
        pytest.param("patched", put(apiCalls=-1), id="negative calls"),
        pytest.param("patched", put(durationMs=-1), id="negative duration"),
        pytest.param("patched", put(decidedAt="2025-12-12T15:15:07Z"), id="no milliseconds"),
        pytest.param("patched", put(eventTime="2025-12-12T15:15:07.000+01:00"), id="not UTC"),
        pytest.param("patched", put(eventTime=None), id="no event time"),
        pytest.param("patched", put(latencyMs=-0.1), id="negative latency"),
        pytest.param("patched", put(traceId="xyz"), id="trace id"),
        pytest.param("patched", put(source={"topic": "t", "partition": 0}), id="no offset"),
        pytest.param("patched", put(source=SOURCE | {"topic": 1}), id="topic"),
        pytest.param("patched", put(source=SOURCE | {"partition": -1}), id="partition"),
        pytest.param("patched", put(source=SOURCE | {"partition": "1"}), id="partition as text"),
        pytest.param("patched", put(source=SOURCE | {"offset": -1}), id="offset"),
        pytest.param("patched", put(source=SOURCE | {"offset": "1"}), id="offset as text"),
        pytest.param("patched", put(source=SOURCE | {"key": "k"}), id="unknown in source"),
        pytest.param("patched", put(dispositionCodeId=""), id="empty code"),
        pytest.param("patched", put(attempts=-1), id="negative tries"),
        pytest.param("failed-forbidden", put(patchStatus=99), id="no HTTP status"),
        pytest.param("failed-forbidden", put(patchStatus=600), id="no HTTP status either"),
        pytest.param("patched", put(patchStatus=199), id="patched with a 199"),
        pytest.param("would-patch", put(basis="cache"), id="would patch without the API"),
        pytest.param("would-patch", put(error=ERROR), id="would patch, with an error"),
        pytest.param("duplicate", put(error=ERROR), id="duplicate with an error"),
        pytest.param("would-patch", put(dryRun=False), id="would patch in earnest"),
        pytest.param("would-patch", put(patchStatus=200), id="would patch, and did"),
        pytest.param("duplicate", put(basis="api"), id="duplicate by the API"),
        pytest.param("duplicate", put(recovered=True), id="recovered duplicate"),
        pytest.param("stale", put(patchStatus=200), id="stale, and patched"),
        pytest.param("ineligible-too-short", put(dispositionCodeId="x"), id="ineligible, code"),
        pytest.param("conflict", put(error=None), id="conflict without error"),
        pytest.param("not-found", put(basis="event"), id="not found without asking"),
        pytest.param("deferred", put(final=True), id="final deferral"),
        pytest.param("failed-forbidden", put(error=None), id="failed without error"),
        pytest.param("failed-forbidden", put(error={"code": "x"}), id="half an error"),
        *(
            pytest.param(
                "failed-forbidden", put(error=ERROR | {member: wrong}), id=f"error {member}"
            )
            for member, wrong in [
                ("code", None),
                ("message", None),
                ("status", "403"),
                ("status", 99),
                ("status", 600),
                ("correlationId", 5),
                ("surprise", 1),
            ]
        ),
        pytest.param("failed-forbidden", put(interactionId=None), id="failed, whose?"),
        pytest.param("leg-patched", put(leg={"participantId": "p-1"}), id="half a leg"),
        pytest.param("leg-patched", put(leg=LEG | {"medium": 1}), id="medium is no text"),
        pytest.param("leg-patched", put(leg=LEG | {"participantId": None}), id="whose leg?"),
        pytest.param("leg-patched", put(leg=LEG | {"name": "Ann"}), id="unknown in leg"),
        pytest.param("leg-refused", put(leg=None), id="refused without a leg"),
        pytest.param("leg-refused", put(error=None), id="refused without error"),
        pytest.param("leg-unconfirmed", put(leg=None), id="unconfirmed without a leg"),
        pytest.param("noted", put(leg=LEG), id="noted of a leg"),
        pytest.param("noted", put(patchStatus=202), id="noted, and patched"),
        pytest.param("duplicate-event", put(basis="event"), id="duplicate by itself"),
    ],
)
def test_an_outcome_that_makes_no_sense_is_refused(
    schema: Schema, name: str, mutation: Mutation
) -> None:
    value = example(f"outcome.{name}")
    mutation(value)
    assert not schema("outcome").is_valid(value)


def test_a_record_may_spell_its_defaults_out(schema: Schema) -> None:
    value = example("interaction-record.patched")
    value.update(settled=None, verdict=None, intent=None, lastOffset=None, state=None)
    assert schema("interaction-record").is_valid(value)


@pytest.mark.parametrize(
    "mutation",
    [
        pytest.param(lambda value: value.pop("interactionId"), id="no interaction"),
        pytest.param(put(surprise=1), id="unknown member"),
        pytest.param(put(seen={"ranges": [[1]]}), id="half a range"),
        pytest.param(put(seen={"ranges": [[1, 2, 3]]}), id="one and a half ranges"),
        pytest.param(put(seen={"opaque": [1]}), id="opaque number"),
        pytest.param(put(seen={"opaque": ["x"] * 129}), id="unbounded ids"),
        pytest.param(put(seen={"ranges": {}}), id="ranges are no list"),
        pytest.param(put(seen={"ranges": [{}]}), id="range is no pair"),
        pytest.param(put(seen={"ranges": [["1", 2]]}), id="range from text"),
        pytest.param(put(seen={"ranges": [[1, "2"]]}), id="range to text"),
        pytest.param(put(seen={"opaque": {}}), id="opaque is no list"),
        pytest.param(put(intent=INTENT | {"offset": "1"}), id="intent offset as text"),
        pytest.param(put(intent=INTENT | {"dispositionCodeId": 5}), id="code is no text"),
        pytest.param(put(settled={"decision": "patched"}), id="half a verdict"),
        pytest.param(put(seen={"ranges": [[1, 2]] * 129}), id="unbounded ranges"),
        pytest.param(put(seen={"opaque": [""]}), id="empty id"),
        pytest.param(put(seen={"opaque": ["x" * 129]}), id="id too long"),
        pytest.param(put(seen={"gaps": 1}), id="unknown in seen"),
        pytest.param(put(intent={"offset": 1}), id="intent of what?"),
        pytest.param(put(intent=INTENT | {"offset": -2}), id="intent offset"),
        pytest.param(put(intent=INTENT | {"dispositionCodeId": ""}), id="intent without code"),
        pytest.param(put(intent=INTENT | {"surprise": 1}), id="unknown in intent"),
        pytest.param(put(lastOffset=-1), id="negative offset"),
        pytest.param(put(events=-1), id="negative count"),
        pytest.param(put(firstSeenAt=-1), id="before the epoch"),
        pytest.param(put(updatedAt=-1), id="updated before the epoch"),
        *(
            pytest.param(put(verdict=VERDICT | {member: wrong}), id=f"verdict {member}")
            for member, wrong in [
                ("dryRun", 1),
                ("dispositionCodeId", ""),
                ("patchStatus", 99),
                ("recovered", 1),
                ("durationMs", -1),
                ("apiCalls", -1),
                ("attempts", -1),
                ("decidedAt", "today"),
                ("error", {}),
                ("basis", "guess"),
                ("surprise", 1),
            ]
        ),
        pytest.param(put(updatedAt="2025-12-12T15:15:07.981Z"), id="time as text"),
        pytest.param(put(verdict={"decision": "stale", "reason": "stale-sequence"}), id="no basis"),
        pytest.param(
            put(verdict={"decision": "stale", "reason": "eligible", "basis": "cache"}), id="pairing"
        ),
        pytest.param(
            put(settled={"decision": "stale", "reason": "stale-sequence", "basis": "cache"}),
            id="settled by what settles nothing",
        ),
    ],
)
def test_a_record_that_makes_no_sense_is_refused(schema: Schema, mutation: Mutation) -> None:
    value = example("interaction-record.patched")
    mutation(value)
    assert not schema("interaction-record").is_valid(value)


@pytest.mark.parametrize(
    "mutation",
    [
        pytest.param(lambda event: event.pop("detail-type"), id="no detail-type"),
        pytest.param(lambda event: event.pop("detail"), id="no detail"),
        pytest.param(lambda event: event["detail"].pop("interactionId"), id="no interactionId"),
        pytest.param(lambda event: event["detail"].pop("sequenceId"), id="no sequenceId"),
        pytest.param(lambda event: event["detail"].update(sequenceId=""), id="empty sequenceId"),
        pytest.param(lambda event: event["detail"].update(sequenceId="x" * 129), id="too long"),
        pytest.param(put(detail=[]), id="detail is no object"),
        pytest.param(put(**{"detail-type": "v2.users.{id}.presence"}), id="another detail-type"),
    ],
)
def test_what_is_no_event_is_refused(schema: Schema, mutation: Mutation) -> None:
    event = example("event.completed")
    mutation(event)
    assert not schema("event").is_valid(event)
