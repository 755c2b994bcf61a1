"""The work on one record: what is acknowledged before what, whatever fails in between.

Promises 3 (finish last), 4 (intent first), 5 (in doubt, look), 6 (same record, same answer),
7 (nothing vanishes) and 8 (ownership).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams.core.decision import MOST_REMEMBERED, Policy
from streams.core.deferral import MOST_WAITING
from streams.core.interaction import Interaction
from streams.core.records import (
    Decision,
    Intent,
    InteractionRecord,
    PutOff,
    Reason,
    Source,
    encode_record,
)
from streams.core.retry_policy import DeferralPolicy
from streams.errors import (
    ApiError,
    BadRequest,
    Conflict,
    EnvelopeError,
    Forbidden,
    NotFound,
    OwnershipLost,
    RateLimited,
    ServerError,
)
from streams.genesys.api import CallContext
from streams.wire.outcomes import outcome_id
from streams.wire.retries import retry_headers
from tests.support.world import (
    CODE,
    ELIGIBLE,
    EVENTS,
    RETRIES,
    TTL_SECONDS,
    Crashed,
    Patched,
    Sent,
    StandInApi,
    Worker,
    World,
    arrives_late,
    event,
    failed_at_once,
    failed_once_applied,
    lost_on_the_way,
    lost_once_applied,
    samples,
    unreachable,
)

WHOLE_ROAD = [
    "GET leaves",
    "GET acknowledged",
    "intent leaves",
    "intent acknowledged",
    "PATCH leaves",
    "PATCH acknowledged",
    "verdict leaves",
    "verdict acknowledged",
    "outcome leaves",
    "outcome acknowledged",
    "finished 0",
]


def raising(error: Exception) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise error

    return fail


# What is acknowledged before what


async def test_each_step_waits_for_the_one_before() -> None:
    world = World()

    await Worker(world).process(event())

    assert world.journal == WHOLE_ROAD


async def test_eligible_interaction_is_patched_and_told() -> None:
    world = World()

    await Worker(world).process(event())

    (outcome,) = world.outcomes
    assert (outcome.decision, outcome.reason) == (Decision.PATCHED, Reason.ELIGIBLE)
    assert (outcome.patch_status, outcome.api_calls, outcome.attempts) == (200, 2, 1)
    assert (outcome.recovered, outcome.disposition_code_id) == (False, CODE)
    assert world.interaction.disposition_code_id == CODE


async def test_intent_names_the_record_and_the_code() -> None:
    world = World()
    intents: list[Intent | None] = []

    def look(_: int, step: str) -> None:
        if step == "PATCH leaves":
            intents.append(world.record.intent)

    world.at_step = look

    await Worker(world).process(event(), offset=17)

    assert intents == [Intent(17, CODE)]
    assert world.record.intent is None
    assert world.record.last_offset == 17


async def test_nothing_is_asked_that_the_event_can_answer() -> None:
    world = World()

    await Worker(world).process(event(interactionType="voice", state="connected"))

    assert world.journal == [
        "verdict leaves",
        "verdict acknowledged",
        "outcome leaves",
        "outcome acknowledged",
        "finished 0",
    ]
    assert world.outcomes[0].reason is Reason.NOT_COMPLETED


async def test_dry_run_writes_no_intent_and_no_patch() -> None:
    world = World()

    await Worker(world, policy=Policy(code=None, dry_run=True)).process(event())

    assert not [step for step in world.journal if step.startswith(("PATCH", "intent"))]
    assert world.outcomes[0].decision is Decision.WOULD_PATCH
    assert world.outcomes[0].dry_run


# The same record again


async def test_same_offset_again_tells_the_same() -> None:
    world = World()
    await Worker(world).process(event(), offset=5)
    world.journal.clear()
    world.clock.now += 60
    worker = Worker(world, committed=5)

    await worker.process(event(), offset=5)

    first, again = world.outcomes
    ours = {"latency_ms": 0, "end_to_end_ms": 0, "trace_id": None}
    assert msgspec.structs.replace(again, **ours) == msgspec.structs.replace(first, **ours)
    assert first.outcome_id == outcome_id(Source(EVENTS.topic, EVENTS.partition, 5))
    assert world.journal == ["outcome leaves", "outcome acknowledged", "finished 5"]


async def test_lower_offset_is_finished_without_a_word() -> None:
    world = World()
    await Worker(world).process(event(1, state="connected", interactionType="voice"), offset=5)
    await Worker(world).process(event(2), offset=6)
    told, record = len(world.sent), world.record
    world.journal.clear()
    worker = Worker(world, committed=5)

    await worker.process(event(1, state="connected", interactionType="voice"), offset=5)

    assert world.journal == ["finished 5"]
    assert len(world.sent) == told
    assert world.record == record
    assert samples(worker.metrics)["genesys_streams_repeated_records_total"] == 1


async def test_another_record_with_the_same_sequence_is_a_duplicate() -> None:
    world = World()
    await Worker(world).process(event(), offset=5)

    await Worker(world).process(event(), offset=6)

    first, second = world.outcomes
    assert second.decision is Decision.DUPLICATE
    assert first.outcome_id != second.outcome_id
    assert world.applied == 1


async def test_an_interaction_past_its_ttl_begins_anew() -> None:
    world = World()
    await Worker(world).process(event(), offset=5)
    world.change(None)
    world.clock.now += TTL_SECONDS + 1

    await Worker(world).process(event(), offset=6)

    assert [outcome.decision for outcome in world.outcomes] == [Decision.PATCHED] * 2
    assert world.record.events == 1


# In doubt


@pytest.mark.parametrize("fate", [lost_once_applied, failed_once_applied])
async def test_applied_without_an_answer_is_found_by_looking(fate: Patched) -> None:
    world = World()
    world.patches.append(fate)

    await Worker(world).process(event())

    assert world.applied == 1
    assert [step for step in world.journal if step.endswith("leaves")] == [
        "GET leaves",
        "intent leaves",
        "PATCH leaves",
        "GET leaves",
        "verdict leaves",
        "outcome leaves",
    ]
    (outcome,) = world.outcomes
    assert (outcome.decision, outcome.recovered) == (Decision.PATCHED, True)
    assert (outcome.patch_status, outcome.api_calls) == (None, 3)


@pytest.mark.parametrize("fate", [lost_on_the_way, failed_at_once])
async def test_not_applied_is_found_by_looking_and_done(fate: Patched) -> None:
    world = World()
    world.patches.extend([fate, fate])

    await Worker(world).process(event())

    assert world.applied == 1
    assert world.count("PATCH leaves") == 3
    assert world.count("intent leaves") == 1
    (outcome,) = world.outcomes
    assert (outcome.decision, outcome.recovered) == (Decision.PATCHED, False)


async def test_every_patch_follows_a_look_of_its_own() -> None:
    world = World()
    world.patches.extend([lost_on_the_way] * 2)

    await Worker(world).process(event())

    calls = [step for step in world.journal if step in ("GET leaves", "PATCH leaves")]
    assert calls == ["GET leaves", "PATCH leaves"] * 3


async def test_a_patch_put_off_is_preceded_by_a_new_look() -> None:
    """Meanwhile the interaction may have changed, and its ETag with it."""
    world = World()
    world.patches.append(raising(RateLimited("slow down", retry_after=0.0)))
    worker = Worker(world)
    await worker.process(event())
    (put_off,) = world.put_off

    await worker.resume(put_off)

    calls = [step for step in world.journal if step in ("GET leaves", "PATCH leaves")]
    assert calls == ["GET leaves", "PATCH leaves"] * 2
    assert [outcome.recovered for outcome in world.outcomes] == [False, False]


async def test_a_patch_that_always_fails_is_put_off_in_doubt() -> None:
    """Each failure may have been applied: it is looked at, and tried so often and no oftener."""
    world = World()
    world.patches.extend([failed_at_once] * 2 + [lost_once_applied])
    worker = Worker(world)

    await worker.process(event())

    assert world.count("PATCH leaves") == 3
    assert world.outcomes[0].reason is Reason.TIMEOUT
    assert world.record.intent == Intent(0, CODE)
    await worker.resume(world.put_off[0])
    assert world.applied == 1
    assert (world.outcomes[1].decision, world.outcomes[1].recovered) == (Decision.PATCHED, True)


async def test_conflict_with_our_own_late_patch_is_no_conflict() -> None:
    world = World()
    world.patches.append(arrives_late)

    await Worker(world).process(event())

    assert world.applied == 1
    (outcome,) = world.outcomes
    assert (outcome.decision, outcome.recovered) == (Decision.PATCHED, True)


async def test_conflict_with_somebody_else() -> None:
    world = World()
    world.patches.append(raising(Conflict("changed", status=409, code="conflict")))

    await Worker(world).process(event())

    (outcome,) = world.outcomes
    assert outcome.decision is Decision.CONFLICT
    assert outcome.reason is Reason.CONCURRENT_MODIFICATION
    assert outcome.patch_status == 409
    assert world.applied == 0
    assert world.dead_letters == []
    assert world.count("PATCH leaves") == 1


async def test_conflict_after_doubt_that_somebody_else_caused() -> None:
    world = World()

    def somebody(world: World, code: str, etag: str | None) -> None:
        world.change("other")
        world.take(code, etag)

    world.patches.extend([lost_on_the_way, somebody])

    await Worker(world).process(event())

    (outcome,) = world.outcomes
    assert outcome.decision is Decision.INELIGIBLE
    assert outcome.reason is Reason.DISPOSITION_SET
    assert world.interaction.disposition_code_id == "other"


async def test_conflicts_that_go_on_after_a_doubt_end() -> None:
    """One look per doubt: an API that says 409 whatever is sent is not asked for ever."""
    world = World()
    world.patches.append(lost_on_the_way)
    world.patches.extend([raising(Conflict("locked", status=409))] * 50)

    await Worker(world).process(event())

    (outcome,) = world.outcomes
    assert outcome.decision is Decision.CONFLICT
    assert world.count("PATCH leaves") <= 3


async def test_doubt_left_by_a_crash_is_looked_at_first() -> None:
    world = World(interaction=replace(ELIGIBLE, disposition_code_id=CODE))
    world.records["i-1"] = InteractionRecord("i-1", intent=Intent(4, CODE), updated_at=1)

    await Worker(world).process(event(), offset=4)

    (outcome,) = world.outcomes
    assert (outcome.decision, outcome.recovered) == (Decision.PATCHED, True)
    assert world.count("PATCH leaves") == 0


async def test_a_code_that_was_there_before_is_not_ours() -> None:
    world = World(interaction=replace(ELIGIBLE, disposition_code_id=CODE))

    await Worker(world).process(event(), offset=4)

    (outcome,) = world.outcomes
    assert (outcome.decision, outcome.recovered) == (Decision.INELIGIBLE, False)
    assert outcome.reason is Reason.DISPOSITION_SET


async def test_a_changed_code_gets_an_intent_of_its_own() -> None:
    world = World()
    world.records["i-1"] = InteractionRecord("i-1", intent=Intent(4, "old-code"), updated_at=1)

    await Worker(world).process(event(), offset=4)

    assert world.count("intent leaves") == 1
    assert world.interaction.disposition_code_id == CODE


# What the API says no to for good


@pytest.mark.parametrize(
    ("error", "reason", "decision"),
    [
        (Forbidden("no scope", status=403), Reason.FORBIDDEN, Decision.FAILED),
        (BadRequest("no", status=400, code="bad"), Reason.BAD_REQUEST, Decision.FAILED),
        (NotFound("gone", status=404), Reason.NOT_FOUND, Decision.NOT_FOUND),
    ],
)
@pytest.mark.parametrize("call", ["fetches", "patches"])
async def test_final_errors(
    error: Exception, reason: Reason, decision: Decision, call: str
) -> None:
    world = World()
    getattr(world, call).append(raising(error))

    await Worker(world).process(event(), offset=2)

    (outcome,) = world.outcomes
    assert (outcome.decision, outcome.reason) == (decision, reason)
    assert outcome.error is not None
    assert outcome.error.message == str(error)
    assert len(world.dead_letters) == (decision is Decision.FAILED)
    assert world.applied == 0
    assert world.journal[-1] == "finished 2"


async def test_failed_record_is_buried_before_it_is_told() -> None:
    world = World()
    world.fetches.append(raising(Forbidden("give it the scope", status=403)))
    value = event()

    await Worker(world).process(value, offset=2, key=b"any key")

    assert world.journal[-7:] == [
        "verdict leaves",
        "verdict acknowledged",
        "dead letter leaves",
        "dead letter acknowledged",
        "outcome leaves",
        "outcome acknowledged",
        "finished 2",
    ]
    (letter,) = world.dead_letters
    assert (letter.key, letter.value) == (b"any key", value)
    assert letter.named["dlq.reason"] == "forbidden"
    assert letter.named["dlq.message"] == "give it the scope"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"\xff\x00", b"\x00\xffnot JSON"),
        (None, b'{"detail": 1}'),
        (None, b""),
        (b"i-1", None),
        (b"i-1", b"[" * 100_000),
        (b"i-1", event(interactionType="voice").replace(b"i-1", b"../../oauth/token")),
    ],
)
async def test_bytes_that_are_no_event(key: bytes | None, value: bytes | None) -> None:
    world = World()

    await Worker(world).process(value, offset=9, key=key)

    (letter,) = world.dead_letters
    assert (letter.key, letter.value) == (key, value)
    assert letter.named["dlq.reason"] == "malformed-event"
    assert letter.named["dlq.stage"] == "worker"
    source = [letter.named[f"dlq.source.{part}"] for part in ("topic", "partition", "offset")]
    assert source == [EVENTS.topic, "3", "9"]
    (outcome,) = world.outcomes
    assert (outcome.decision, outcome.reason) == (Decision.FAILED, Reason.MALFORMED)
    assert (outcome.interaction_id, outcome.sequence_id, outcome.event_id) == (None, None, None)
    assert outcome.error is not None
    assert world.sent[-1].key == key
    assert world.journal[-1] == "finished 9"
    assert world.records == {}


@pytest.mark.parametrize(
    "time",
    [
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "0001-01-01T00:00:00",
        "1969-12-31T23:59:59.999Z",
        "yesterday",
        "",
    ],
)
async def test_no_time_stops_the_partition(time: str) -> None:
    """A time that no calendar has in UTC counts as none."""
    world = World()

    await Worker(world).process(event(time=time))

    assert world.outcomes[0].decision is Decision.PATCHED
    assert world.journal[-1] == "finished 0"


# Ownership


def scenarios() -> dict[str, tuple[World, bytes]]:
    """Worlds whose processors differ; made anew for each test."""
    in_doubt = World()
    in_doubt.patches.append(lost_once_applied)
    not_applied = World()
    not_applied.patches.append(lost_on_the_way)
    late = World()
    late.patches.append(arrives_late)
    put_off = World()
    put_off.fetches.append(unreachable)
    forbidden = World()
    forbidden.fetches.append(raising(Forbidden("no", status=403)))
    return {
        "plain": (World(), event()),
        "in doubt, applied": (in_doubt, event()),
        "in doubt, not applied": (not_applied, event()),
        "in doubt, late": (late, event()),
        "put off": (put_off, event()),
        "forbidden": (forbidden, event()),
        "malformed": (World(), b"no event"),
        "not completed": (World(), event(interactionType="voice", state="connected")),
    }


def boundaries() -> list[tuple[str, int]]:
    """Every step of every scenario."""
    found = []
    for name, (world, value) in scenarios().items():
        asyncio.run(Worker(world).process(value))
        found += [(name, number) for number in range(len(world.journal))]
    return found


BOUNDARIES = boundaries()


@pytest.mark.parametrize(("scenario", "number"), BOUNDARIES)
async def test_ownership_lost(scenario: str, number: int) -> None:
    """Nothing leaves after the revocation but what was leaving, and what has not been told is not
    finished."""
    world, value = scenarios()[scenario]
    worker = Worker(world)

    def revoke(at: int, _: str) -> None:
        if at == number:
            worker.assignment.revoke()

    world.at_step = revoke

    try:
        await worker.process(value)
    except OwnershipLost:
        assert not [step for step in world.journal if step.startswith("finished")]
    else:
        assert world.outcomes

    after = world.journal[number + 1 :]
    assert not [step for step in after if step.endswith("leaves")]


@pytest.mark.parametrize(("scenario", "number"), BOUNDARIES)
async def test_ownership_in_doubt(scenario: str, number: int) -> None:
    """While no heartbeat is answered nothing leaves; once one is, the record goes on."""
    world, value = scenarios()[scenario]
    alive = True

    def freeze(at: int, _: str) -> None:
        nonlocal alive
        alive = alive and at != number

    world.at_step = freeze
    worker = Worker(world, session_alive=lambda: alive)
    travelling = asyncio.create_task(worker.process(value))
    await asyncio.wait({travelling}, timeout=0.02)
    assert not [step for step in world.journal[number + 1 :] if step.endswith("leaves")]

    alive = True
    world.at_step = lambda _number, _step: None
    await asyncio.wait_for(travelling, 5)

    assert world.applied == (scenario in ("plain", *(s for s in scenarios() if "doubt" in s)))
    assert len(world.outcomes) == 1
    assert worker.frontier.unfinished == 0


# Crashes


def crash_at(number: int) -> Callable[[int, str], None]:
    def crash(at: int, step: str) -> None:
        if at >= number:
            raise Crashed(step)

    return crash


async def live(world: World, value: bytes) -> Worker:
    """One life of a worker, from what was committed at first: nothing. Everything comes again."""
    worker = Worker(world)
    await worker.process(value, offset=6)
    taken = 0
    while taken < len(world.put_off):
        sent = world.put_off[taken]
        world.clock.now += 1e5  # its time has come
        await worker.resume(sent, taken)
        taken += 1
    return worker


async def survive(world: World, value: bytes, crashes: list[int]) -> None:
    """A life for each crash, and one more to its end."""
    for number in crashes:
        world.at_step = crash_at(len(world.journal) + number)
        try:
            await live(world, value)
        except Crashed:
            continue
        break
    world.at_step = lambda _number, _step: None
    worker = await live(world, value)
    assert worker.frontier.committable == 7
    assert worker.retries.committable == len(world.put_off)
    assert not world.records or not world.record.waits


def assert_one_answer(world: World, decision: Decision) -> None:
    told = [outcome for outcome in world.outcomes if outcome.final]
    assert {outcome.outcome_id for outcome in told} == {
        outcome_id(Source(EVENTS.topic, EVENTS.partition, 6))
    }
    assert {(outcome.decision, outcome.recovered) for outcome in told} == {
        (decision, told[0].recovered)
    }
    put_off = {
        outcome_id(Source(EVENTS.topic, EVENTS.partition, 6), int(sent.named["retry.attempt"]))
        for sent in world.put_off
    }
    assert {outcome.outcome_id for outcome in world.outcomes if not outcome.final} == put_off


DECISIONS = {
    "forbidden": Decision.FAILED,
    "malformed": Decision.FAILED,
    "not completed": Decision.INELIGIBLE,
}


@pytest.mark.parametrize(("scenario", "number"), BOUNDARIES)
async def test_crash(scenario: str, number: int) -> None:
    """At any step: one effect, one id, one true decision."""
    world, value = scenarios()[scenario]
    if scenario == "forbidden":
        world.fetches.extend(world.fetches)  # still forbidden when it is asked again

    await survive(world, value, [number])

    decision = DECISIONS.get(scenario, Decision.PATCHED)
    assert world.applied == (decision is Decision.PATCHED)
    assert_one_answer(world, decision)
    assert bool(world.dead_letters) == (decision is Decision.FAILED)


FATES = [
    lost_once_applied,
    lost_on_the_way,
    failed_once_applied,
    failed_at_once,
    arrives_late,
    unreachable,
    lambda world, code, etag: world.take(code, etag),
]


@given(
    fates=st.lists(st.sampled_from(FATES), max_size=6),
    crashes=st.lists(st.integers(0, 14), max_size=5),
    fetches=st.lists(st.sampled_from([unreachable, lambda world: None]), max_size=6),
)
@example(fates=[arrives_late], crashes=[4], fetches=[])
def test_any_crashes_and_faults(
    fates: list[Patched], crashes: list[int], fetches: list[Callable[[World], None]]
) -> None:
    """Nobody else touches the interaction: it is patched once, and that is what is told."""
    world = World()
    world.patches.extend(fates)
    world.fetches.extend(fetches)

    asyncio.run(survive(world, event(), crashes))
    world.arrive_late()

    assert world.applied == 1
    assert world.interaction.disposition_code_id == CODE
    assert_one_answer(world, Decision.PATCHED)


# Put off


async def put_off_once(world: World, *, fails: int = 1, **options: Any) -> Worker:
    """A worker whose first record could not be looked up."""
    world.fetches.extend([raising(ServerError("503", status=503))] * fails)
    worker = Worker(world, **options)
    await worker.process(event(), offset=6)
    return worker


async def test_a_record_that_can_not_be_looked_up_is_put_off() -> None:
    world = World()

    worker = await put_off_once(world)

    assert world.journal == [
        "GET leaves",
        "verdict leaves",
        "verdict acknowledged",
        "outcome leaves",
        "outcome acknowledged",
        "put off leaves",
        "put off acknowledged",
        "finished 6",
    ]
    (outcome,) = world.outcomes
    assert (outcome.decision, outcome.reason) == (Decision.DEFERRED, Reason.SERVER_ERROR)
    assert not outcome.final
    assert outcome.outcome_id == outcome_id(Source(EVENTS.topic, EVENTS.partition, 6), 1)
    (sent,) = world.put_off
    assert (sent.key, sent.value) == (b"i-1", event())
    not_before = int(sent.named.pop("retry.not-before")) / 1000 - world.clock.time()
    assert 15 <= not_before <= 30
    assert (
        sent.named.items()
        >= {
            "retry.attempt": "1",
            "retry.reason": "server-error",
            "retry.source.topic": EVENTS.topic,
            "retry.source.partition": "3",
            "retry.source.offset": "6",
        }.items()
    )
    assert samples(worker.metrics)["genesys_streams_deferred_records_total"] == 1


async def test_a_record_put_off_is_decided_when_it_comes_back() -> None:
    world = World()
    worker = await put_off_once(world)

    await worker.resume(world.put_off[0])

    outcome = world.outcomes[-1]
    assert (outcome.decision, outcome.final) == (Decision.PATCHED, True)
    assert outcome.outcome_id == outcome_id(Source(EVENTS.topic, EVENTS.partition, 6))
    assert outcome.source == Source(EVENTS.topic, EVENTS.partition, 6)
    assert outcome.api_calls == 3
    assert world.journal[-1] == "finished 0"
    assert not world.record.waits


async def test_put_off_too_often_it_has_failed() -> None:
    world = World()
    worker = await put_off_once(world, fails=3, deferrals=DeferralPolicy(limit=2))

    for offset in range(2):
        await worker.resume(world.put_off[offset], offset)

    assert [outcome.decision for outcome in world.outcomes] == [
        Decision.DEFERRED,
        Decision.DEFERRED,
        Decision.FAILED,
    ]
    assert world.outcomes[-1].reason is Reason.RETRIES_EXHAUSTED
    (letter,) = world.dead_letters
    assert (letter.key, letter.value) == (b"i-1", event())
    assert letter.named["dlq.stage"] == "retry"
    assert letter.named["dlq.reason"] == "retries-exhausted"
    source = [letter.named[f"dlq.source.{part}"] for part in ("topic", "partition", "offset")]
    assert source == [EVENTS.topic, "3", "6"]


async def test_a_newer_event_may_make_it_pointless() -> None:
    world = World()
    worker = await put_off_once(world)
    await worker.process(event(2), offset=7)

    await worker.resume(world.put_off[0])

    told = [(outcome.source.offset, outcome.decision) for outcome in world.outcomes]
    assert told == [(6, Decision.DEFERRED), (7, Decision.PATCHED), (6, Decision.INELIGIBLE)]
    assert world.outcomes[-1].reason is Reason.DISPOSITION_SET
    assert world.applied == 1


async def test_a_newer_event_that_finds_our_code_leaves_the_truth_to_its_record() -> None:
    world = World()
    world.patches.append(lost_once_applied)
    world.fetches.extend([lambda _: None, raising(ServerError("503", status=503))])
    worker = Worker(world)
    await worker.process(event(), offset=6)
    assert world.record.intent == Intent(6, CODE)
    await worker.process(event(2), offset=7)

    await worker.resume(world.put_off[0])

    told = [(outcome.source.offset, outcome.decision) for outcome in world.outcomes]
    assert told == [(6, Decision.DEFERRED), (7, Decision.INELIGIBLE), (6, Decision.PATCHED)]
    assert world.outcomes[-1].recovered
    assert world.applied == 1


async def test_a_newer_event_that_meets_the_late_patch_of_one_put_off_says_it_is_ours() -> None:
    """Its intent takes the place of the older one's, and so does its doubt."""
    world = World()
    world.patches.append(arrives_late)
    world.fetches.extend([lambda _: None, unreachable])
    worker = Worker(world)
    await worker.process(event(1), offset=6)
    assert world.record.intent == Intent(6, CODE)

    await worker.process(event(2), offset=7)
    await worker.resume(world.put_off[0])

    assert world.applied == 1
    assert [each.decision for each in world.outcomes] == [
        Decision.DEFERRED,
        Decision.PATCHED,
        Decision.INELIGIBLE,
    ]
    assert world.outcomes[1].recovered


@pytest.mark.parametrize("look", [unreachable, raising(Forbidden("403", status=403))])
@pytest.mark.parametrize("then", ["it is sent back", "a newer event comes"])
async def test_who_dies_in_doubt_leaves_it_to_whoever_looks_next(
    look: Callable[[World], None], then: str
) -> None:
    world = World()
    world.patches.append(lost_once_applied)
    world.fetches.extend([lambda _: None, look])
    worker = Worker(world, deferrals=DeferralPolicy(limit=0))
    await worker.process(event(1), offset=6)
    assert world.outcomes[0].decision is Decision.FAILED

    if then == "it is sent back":
        await worker.resume(sent_back(6))
    else:
        await worker.process(event(2), offset=7)

    told = world.outcomes[1]
    assert (told.decision, told.recovered) == (Decision.PATCHED, True)
    assert (world.applied, world.record.intent) == (1, None)


async def test_of_one_interaction_no_more_are_put_off_than_its_record_can_hold() -> None:
    """A record that Kafka does not take would stop its partition for good."""
    world = World()
    worker = Worker(world)
    long = ServerError("GET interaction i-1: 503 " + 400 * "x", status=503, code="internal.error")
    world.fetches.extend([raising(long)] * 1000)
    for number in range(300):
        await worker.process(event(number), offset=number)

    decisions = Counter(each.decision for each in world.outcomes)
    assert decisions == {Decision.DEFERRED: MOST_WAITING, Decision.FAILED: 300 - MOST_WAITING}
    last = world.outcomes[-1]
    assert last.reason is Reason.RETRIES_EXHAUSTED
    assert last.error is not None
    assert last.error.message.startswith(f"{MOST_WAITING} records of this interaction")
    assert len(world.dead_letters) == 300 - MOST_WAITING

    world.fetches.clear()
    for offset, sent in enumerate(list(world.put_off)):
        await worker.resume(sent, offset)
    for times in range(3):
        for number in range(MOST_WAITING, 300):
            await worker.resume(sent_back(number, redriven=times + 1), worker.retries.expected)
    assert len(world.record.deferred) == MOST_REMEMBERED
    assert len(encode_record(world.record)) < 256 * 1024
    assert world.applied == 1
    assert sorted({each.source.offset for each in world.outcomes if each.final}) == list(range(300))


async def test_a_copy_of_one_that_came_back_is_dropped() -> None:
    world = World()
    worker = await put_off_once(world, fails=2)
    first = world.put_off[0]
    await worker.resume(first, 0)
    told = len(world.outcomes)

    await worker.resume(first, 1)

    assert len(world.outcomes) == told
    assert len(world.put_off) == 2
    assert world.journal[-1] == "finished 1"


async def test_without_its_table_record_it_is_decided_all_the_same() -> None:
    world = World()
    worker = await put_off_once(world)
    world.records.clear()

    await worker.resume(world.put_off[0])

    assert world.outcomes[-1].decision is Decision.PATCHED


async def test_what_somebody_else_puts_into_retries_is_buried_and_not_told() -> None:
    world = World()
    worker = Worker(world)
    work = replace(
        worker.work(b"garbage"),
        tp=RETRIES,
        source=Source(RETRIES.topic, RETRIES.partition, 0),
        event=EnvelopeError("the header retry.attempt is no number"),
    )
    worker.retries.take_up(0)

    await worker.processor.process(work)

    (letter,) = world.dead_letters
    assert letter.value == b"garbage"
    assert letter.named["dlq.stage"] == "retry"
    assert world.outcomes == []


@pytest.mark.parametrize(("asked", "waits"), [(25.0, True), (3600.0, False)])
async def test_the_look_after_a_patch_that_failed_waits_as_long_as_the_api_asks_or_is_put_off(
    asked: float, waits: bool
) -> None:
    world = World()
    failed = ServerError("503", status=503, maybe_applied=True, retry_after=asked)
    world.patches.append(raising(failed))
    began = world.clock.now

    await Worker(world).process(event())

    (outcome,) = world.outcomes
    assert outcome.decision is (Decision.PATCHED if waits else Decision.DEFERRED)
    assert (world.clock.now - began >= asked) is waits
    assert (world.record.intent is None) is waits


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RateLimited("daily limit", retry_after=7200.0), Reason.RATE_LIMITED),
        (ServerError("maintenance", status=503, retry_after=7200.0), Reason.SERVER_ERROR),
    ],
)
async def test_a_longer_quiet_than_the_deferral_is_kept(error: ApiError, reason: Reason) -> None:
    world = World()
    world.fetches.append(raising(error))

    await Worker(world).process(event())

    (outcome,) = world.outcomes
    assert outcome.reason is reason
    not_before = int(world.put_off[0].named["retry.not-before"]) / 1000
    assert not_before == pytest.approx(world.clock.time() + 7200, abs=0.01)


def sent_back(offset: int, *, redriven: int = 1) -> Sent:
    """What `dead-letters redrive` puts into ``retries`` for a record."""
    source = Source(EVENTS.topic, EVENTS.partition, offset)
    headers = retry_headers(source, PutOff(0, 0), "forbidden", redriven=redriven)
    return Sent(RETRIES.topic, b"i-1", event(), headers)


async def test_a_dead_record_that_is_sent_back_is_decided_anew() -> None:
    world = World()
    world.fetches.append(raising(Forbidden("no scope", status=403)))
    worker = Worker(world)
    await worker.process(event(), offset=6)

    await worker.resume(sent_back(6))

    failed, patched = world.outcomes
    assert (failed.decision, patched.decision) == (Decision.FAILED, Decision.PATCHED)
    source = Source(EVENTS.topic, EVENTS.partition, 6)
    assert (failed.outcome_id, patched.outcome_id) == (
        outcome_id(source),
        outcome_id(source, redriven=1),
    )
    assert patched.source == source


async def test_sent_back_twice_it_is_decided_once() -> None:
    world = World()
    world.fetches.append(raising(Forbidden("no scope", status=403)))
    worker = Worker(world)
    await worker.process(event(), offset=6)
    await worker.resume(sent_back(6), 0)
    told = len(world.outcomes)

    await worker.resume(sent_back(6), 1)

    assert len(world.outcomes) == told
    assert world.applied == 1


async def test_what_dies_again_says_how_often_it_was_sent_back() -> None:
    world = World()
    world.fetches.extend([raising(Forbidden("no scope", status=403))] * 3)
    worker = Worker(world)
    await worker.process(event(), offset=6)
    await worker.resume(sent_back(6), 0)

    await worker.resume(sent_back(6, redriven=2), 1)

    told = [letter.named.get("dlq.redriven") for letter in world.dead_letters]
    assert told == [None, "1", "2"]
    assert len({outcome.outcome_id for outcome in world.outcomes}) == 3


async def test_what_was_sent_back_may_be_put_off_as_any_other() -> None:
    world = World()
    world.fetches.extend([raising(Forbidden("no", status=403)), unreachable])
    worker = Worker(world)
    await worker.process(event(), offset=6)
    await worker.resume(sent_back(6), 0)
    (put_off,) = world.put_off
    assert put_off.named["retry.redriven"] == "1"
    assert put_off.named["retry.attempt"] == "1"

    await worker.resume(put_off, 1)

    assert world.outcomes[-1].decision is Decision.PATCHED
    source = Source(EVENTS.topic, EVENTS.partition, 6)
    assert world.outcomes[-1].outcome_id == outcome_id(source, redriven=1)


class Longest(Random):
    """Draws the most there is."""

    def uniform(self, a: float, b: float) -> float:
        return b


def test_no_attempt_is_too_high_for_a_deferral() -> None:
    """Whatever a header says of how often a record was put off."""
    assert DeferralPolicy().seconds(10**18, Longest()) == 3600


def test_each_deferral_is_longer_up_to_an_hour() -> None:
    seconds = [DeferralPolicy().seconds(attempt, Longest()) for attempt in range(1, 11)]

    assert seconds == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


@given(
    states=st.lists(st.sampled_from(["completed", "connected"]), min_size=1, max_size=4),
    fetches=st.lists(st.sampled_from([unreachable, lambda world: None]), max_size=8),
    fates=st.lists(st.sampled_from(FATES), max_size=4),
    crashes=st.lists(st.integers(0, 20), max_size=4),
    seed=st.integers(0, 1000),
)
def test_any_events_that_are_put_off_in_any_order(
    *,
    states: list[str],
    fetches: list[Callable[[World], None]],
    fates: list[Patched],
    crashes: list[int],
    seed: int,
) -> None:
    """One final answer for each, one PATCH if one was over, and one that says it patched."""
    world, random = World(), Random(seed)
    world.fetches.extend(fetches)
    world.patches.extend(fates)
    events = [
        event(number, interactionType="voice", state=state) for number, state in enumerate(states)
    ]

    async def one_life() -> None:
        worker = Worker(world)
        taken = number = 0
        while number < len(events) or taken < len(world.put_off):
            world.clock.now += 1
            back = taken < len(world.put_off)
            if number < len(events) and (not back or random.random() < 0.5):
                await worker.process(events[number], offset=number)
                number += 1
            else:
                await worker.resume(world.put_off[taken], taken)
                taken += 1

    for number in crashes:
        world.at_step = crash_at(len(world.journal) + number)
        with suppress(Crashed):
            asyncio.run(one_life())
    world.at_step = lambda _number, _step: None
    asyncio.run(one_life())
    world.arrive_late()

    finals: dict[int, set[tuple[str, Decision]]] = {}
    for outcome in world.outcomes:
        if outcome.final:
            finals.setdefault(outcome.source.offset, set()).add(
                (outcome.outcome_id, outcome.decision)
            )
    assert sorted(finals) == list(range(len(events)))
    assert all(len(answers) == 1 for answers in finals.values())
    over = "completed" in states
    assert world.applied == over
    patched = sum(
        decision is Decision.PATCHED for answer in finals.values() for _, decision in answer
    )
    assert patched == over


class TriesAgain(StandInApi):
    """Its GET fails once, and is tried again after a wait."""

    async def fetch(self, interaction_id: str, context: CallContext) -> Interaction:
        async with context.resting():
            await asyncio.sleep(0)
        return await super().fetch(interaction_id, context)


async def test_who_waits_to_try_again_rests() -> None:
    """Between the tries of a call, and before a PATCH that may have been applied is looked at."""
    world = World()
    rests: list[str] = []

    @asynccontextmanager
    async def resting() -> AsyncIterator[None]:
        rests.append("GET" if not world.count("PATCH leaves") else "look")
        yield

    world.patches.append(lost_once_applied)
    worker = Worker(world, api=TriesAgain(world))
    await worker.processor.process(worker.work(event()), resting)

    assert rests == ["GET", "look", "look"]
    assert world.applied == 1
