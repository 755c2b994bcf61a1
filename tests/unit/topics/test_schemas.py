"""The schemas against the examples, against what the program writes, and against what it reads."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from streams.clock import rfc3339
from streams.envelope import UPDATE_DETAIL_TYPE, parse
from streams.errors import EnvelopeError
from streams.kafka.declaration import declared_directory
from streams.records import (
    Basis,
    Decision,
    Fault,
    Intent,
    InteractionRecord,
    Outcome,
    Reason,
    Seen,
    Source,
    Verdict,
    decode_outcome,
    decode_record,
    encode_outcome,
    encode_record,
    outcome_id,
)

TOPICS = declared_directory()
SCHEMAS: dict[str, dict[str, Any]] = {
    path.name: json.loads(path.read_text()) for path in (TOPICS / "schemas").glob("*.json")
}
EXAMPLES = sorted((TOPICS / "examples").glob("*.json"))
REGISTRY: Registry[Any] = Registry().with_resources(
    (name, Resource.from_contents(schema)) for name, schema in SCHEMAS.items()
)


def validator(kind: str) -> Draft202012Validator:
    return Draft202012Validator(
        {"$ref": f"{kind}.schema.json"},
        registry=REGISTRY,
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )


EVENT, OUTCOME, RECORD = map(validator, ("event", "outcome", "interaction-record"))


def example(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((TOPICS / "examples" / f"{name}.json").read_text())
    return loaded


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_well_formed(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])
    assert SCHEMAS[name]["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_valid_and_in_their_canonical_form(path: Path) -> None:
    value = json.loads(path.read_text())
    kind = path.name.partition(".")[0]
    validator(kind).validate(value)
    encoded = json.dumps(value).encode()
    match kind:
        case "event":
            assert parse(encoded) is not None
        case "outcome":
            outcome = decode_outcome(encoded)
            assert json.loads(encode_outcome(outcome)) == value
            attempt = None if outcome.final else 1
            assert outcome.outcome_id == outcome_id(outcome.source, attempt)
        case "interaction-record":
            assert json.loads(encode_record(decode_record(encoded))) == value


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


def test_every_decision_goes_with_its_reasons_and_no_other() -> None:
    pairing = validator("outcome").evolve(schema={"$ref": "outcome.schema.json#/$defs/pairing"})
    allowed = {
        (decision.value, reason.value)
        for decision in Decision
        for reason in Reason
        if pairing.is_valid({"decision": decision, "reason": reason})
    }
    assert allowed == {(decision.value, reason.value) for decision, reason in PAIRS}


# The contract's table, row by row.
REASONS = {
    Decision.PATCHED: [Reason.ELIGIBLE],
    Decision.WOULD_PATCH: [Reason.ELIGIBLE],
    Decision.INELIGIBLE: [
        Reason.NON_VOICE,
        Reason.NOT_COMPLETED,
        Reason.DISPOSITION_SET,
        Reason.WRAP_UP_SET,
        Reason.TOO_SHORT,
    ],
    Decision.DUPLICATE: [Reason.DUPLICATE_SEQUENCE],
    Decision.STALE: [Reason.STALE_SEQUENCE],
    Decision.CONFLICT: [Reason.CONCURRENT_MODIFICATION],
    Decision.NOT_FOUND: [Reason.NOT_FOUND],
    Decision.DEFERRED: [
        Reason.SERVER_ERROR,
        Reason.RATE_LIMITED,
        Reason.TIMEOUT,
        Reason.CIRCUIT_OPEN,
        Reason.UNAUTHORIZED,
    ],
    Decision.FAILED: [
        Reason.FORBIDDEN,
        Reason.UNAUTHORIZED,
        Reason.BAD_REQUEST,
        Reason.RETRIES_EXHAUSTED,
        Reason.MALFORMED,
    ],
}
PAIRS = [(decision, reason) for decision, reasons in REASONS.items() for reason in reasons]


# What the program writes.

counts = st.integers(0, 2**40)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
codes = texts.filter(bool)
ids = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", fullmatch=True)
numbers = st.integers(-(10**127) + 1, 10**128 - 1)
opaques = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=128)
times = st.floats(0, 4e9).map(rfc3339)
statuses = st.integers(400, 599)
faults = st.builds(
    Fault,
    code=texts,
    message=texts,
    status=st.none() | statuses,
    correlation_id=st.none() | texts,
)


@st.composite
def verdicts(draw: st.DrawFn) -> Verdict:
    decision, reason = draw(st.sampled_from(PAIRS))
    verdict = Verdict(
        decision,
        reason,
        draw(st.sampled_from(Basis)),
        dry_run=draw(st.booleans()),
        duration_ms=draw(st.none() | counts),
        api_calls=draw(counts),
        attempts=draw(counts),
        decided_at=draw(times),
    )
    change: dict[str, Any] = {}
    match decision:
        case Decision.PATCHED:
            recovered = draw(st.booleans())
            change = {
                "dry_run": False,
                "basis": Basis.API,
                "disposition_code_id": draw(codes),
                "recovered": recovered,
                "patch_status": None if recovered else draw(st.integers(200, 299)),
            }
        case Decision.WOULD_PATCH:
            change = {
                "dry_run": True,
                "basis": Basis.API,
                "disposition_code_id": draw(st.none() | codes),
            }
        case Decision.DUPLICATE | Decision.STALE:
            change = {"basis": Basis.CACHE}
        case Decision.CONFLICT | Decision.NOT_FOUND | Decision.FAILED | Decision.DEFERRED:
            change = {
                "basis": Basis.API,
                "disposition_code_id": draw(st.none() | codes),
                "patch_status": draw(st.none() | statuses),
                "error": draw(faults),
            }
    return msgspec.structs.replace(verdict, **change)


@st.composite
def outcomes(draw: st.DrawFn) -> Outcome:
    verdict = draw(verdicts())
    unreadable = verdict.reason is Reason.MALFORMED
    source = Source("genesys.interaction.events", draw(st.integers(0, 500)), draw(counts))
    return Outcome(
        outcome_id=outcome_id(source),
        final=verdict.decision is not Decision.DEFERRED,
        interaction_id=None if unreadable else draw(ids),
        sequence_id=None if unreadable else draw(numbers | opaques),
        event_id=draw(st.none() | texts),
        event_time=draw(times),
        latency_ms=draw(st.floats(0, 1e9)),
        end_to_end_ms=draw(st.floats(-1e9, 1e9)),
        source=source,
        trace_id=draw(st.none() | st.uuids().map(lambda trace: trace.hex)),
        **{name: getattr(verdict, name) for name in Verdict.__struct_fields__},
    )


@st.composite
def records(draw: st.DrawFn) -> InteractionRecord:
    bounds = draw(st.lists(numbers, max_size=8, unique=True).map(sorted))
    ranges = tuple(zip(bounds[::2], bounds[1::2], strict=False))
    lasting = [Decision.PATCHED, Decision.WOULD_PATCH, Decision.INELIGIBLE]
    return InteractionRecord(
        interaction_id=draw(ids),
        seen=Seen(ranges, tuple(draw(st.lists(opaques, max_size=3)))),
        interaction_type=draw(st.none() | texts),
        state=draw(st.none() | texts),
        settled=draw(st.none() | verdicts().filter(lambda verdict: verdict.decision in lasting)),
        verdict=draw(st.none() | verdicts()),
        last_offset=draw(st.none() | counts),
        intent=draw(st.none() | st.builds(Intent, offset=counts, disposition_code_id=codes)),
        events=draw(counts),
        first_seen_at=draw(counts),
        updated_at=draw(counts),
    )


@given(outcomes())
def test_every_outcome_that_is_written_is_valid(outcome: Outcome) -> None:
    OUTCOME.validate(json.loads(encode_outcome(outcome)))


@given(records())
def test_every_record_that_is_written_is_valid(record: InteractionRecord) -> None:
    RECORD.validate(json.loads(encode_record(record)))


# What must not pass.

Mutation = Callable[[dict[str, Any]], object]


def put(**members: object) -> Mutation:
    return lambda value: value.update(members)


@pytest.mark.parametrize("member", example("outcome.patched"))
def test_an_outcome_lacks_no_member(member: str) -> None:
    value = example("outcome.patched")
    del value[member]
    assert not OUTCOME.is_valid(value)


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
        pytest.param("failed-forbidden", put(interactionId=None), id="failed, whose?"),
    ],
)
def test_an_outcome_that_makes_no_sense_is_refused(name: str, mutation: Mutation) -> None:
    value = example(f"outcome.{name}")
    mutation(value)
    assert not OUTCOME.is_valid(value)


@pytest.mark.parametrize(
    "mutation",
    [
        pytest.param(lambda value: value.pop("interactionId"), id="no interaction"),
        pytest.param(put(surprise=1), id="unknown member"),
        pytest.param(put(seen={"ranges": [[1]]}), id="half a range"),
        pytest.param(put(seen={"ranges": [[1, 2, 3]]}), id="one and a half ranges"),
        pytest.param(put(seen={"opaque": [1]}), id="opaque number"),
        pytest.param(put(seen={"opaque": ["x"] * 129}), id="unbounded"),
        pytest.param(put(intent={"offset": 1}), id="intent of what?"),
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
def test_a_record_that_makes_no_sense_is_refused(mutation: Mutation) -> None:
    value = example("interaction-record.patched")
    mutation(value)
    assert not RECORD.is_valid(value)


# What the program reads: the schema accepts what the parser accepts, and nothing else.

ABSENT = "-"
junk = st.sampled_from([ABSENT, None, True, 0, 7, "", "007", "abc", "x" * 129, [], {}, "../up"])


def members(**strategies: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with these members, those left out that are drawn as absent."""
    return st.fixed_dictionaries(strategies).map(
        lambda drawn: {name: value for name, value in drawn.items() if value != ABSENT}
    )


changes = members(
    interactionId=ids | ids | junk,
    sequenceId=numbers | opaques | junk,
    interactionType=st.just("voice") | junk,
    state=st.just("completed") | junk,
    more=junk,
)
texts_or_not = st.sampled_from([ABSENT, ABSENT, None, "text", "text", 5, {}])
detail_types = st.sampled_from([ABSENT, None, UPDATE_DETAIL_TYPE, UPDATE_DETAIL_TYPE, "another", 5])


@st.composite
def events(draw: st.DrawFn) -> object:
    envelope: dict[str, Any] = draw(
        members(
            id=texts_or_not,
            time=texts_or_not,
            source=texts_or_not,
            version=junk,
            detail=st.just(ABSENT) | changes | junk,
            detailType=detail_types,
        )
    )
    dashed = draw(detail_types)
    if dashed != ABSENT:
        # With EventBridge's own spelling there the parser does not look at the other.
        envelope["detail-type"] = dashed
        if dashed is not None:
            envelope.pop("detailType", None)
    if not isinstance(envelope.get("detail"), dict) or draw(st.booleans()):
        envelope = draw(changes) | envelope
    return envelope


@settings(max_examples=1000)
@given(events())
def test_the_event_schema_accepts_what_the_parser_accepts(event: object) -> None:
    try:
        accepted = parse(json.dumps(event).encode()) is not None
    except EnvelopeError:
        accepted = False
    assert EVENT.is_valid(event) == accepted


@pytest.mark.parametrize("value", [None, [], "event", 7])
def test_an_event_is_an_object(value: object) -> None:
    assert not EVENT.is_valid(value)


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
def test_what_is_no_event_is_refused(mutation: Mutation) -> None:
    event = copy.deepcopy(example("event.completed"))
    mutation(event)
    assert not EVENT.is_valid(event)
