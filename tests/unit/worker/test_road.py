"""The road of one record: what is acknowledged before what, whatever fails in between.

Promises 3 (finish last), 4 (intent first), 5 (in doubt, look), 6 (same record, same answer),
7 (nothing vanishes) and 8 (ownership).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams.decision import Policy
from streams.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    OwnershipLost,
    RateLimited,
    ServerError,
)
from streams.records import Decision, Intent, InteractionRecord, Reason, Source, outcome_id
from streams.worker import road as road_module
from tests.unit.genesys.scripted import until
from tests.unit.worker.world import (
    CODE,
    ELIGIBLE,
    EVENTS,
    TTL_SECONDS,
    Crashed,
    Patched,
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


@pytest.fixture(autouse=True, scope="module")
def no_waiting() -> Iterator[None]:
    """Held records come back at once; how long they would wait has tests of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(road_module, "HOLD_FIRST_SECONDS", 0.0)
        yield


def raising(error: Exception) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise error

    return fail


# What is acknowledged before what


async def test_each_step_waits_for_the_one_before() -> None:
    world = World()

    await Worker(world).travel(event())

    assert world.journal == WHOLE_ROAD


async def test_eligible_interaction_is_patched_and_told() -> None:
    world = World()

    await Worker(world).travel(event())

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

    await Worker(world).travel(event(), offset=17)

    assert intents == [Intent(17, CODE)]
    assert world.record.intent is None
    assert world.record.last_offset == 17


async def test_nothing_is_asked_that_the_event_can_answer() -> None:
    world = World()

    await Worker(world).travel(event(interactionType="voice", state="connected"))

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

    await Worker(world, policy=Policy(code=None, dry_run=True)).travel(event())

    assert not [step for step in world.journal if step.startswith(("PATCH", "intent"))]
    assert world.outcomes[0].decision is Decision.WOULD_PATCH
    assert world.outcomes[0].dry_run


# The same record again


async def test_same_offset_again_tells_the_same() -> None:
    world = World()
    await Worker(world).travel(event(), offset=5)
    world.journal.clear()
    world.clock.now += 60
    worker = Worker(world, committed=5)

    await worker.travel(event(), offset=5)

    first, again = world.outcomes
    ours = {"latency_ms": 0, "end_to_end_ms": 0, "trace_id": None}
    assert msgspec.structs.replace(again, **ours) == msgspec.structs.replace(first, **ours)
    assert first.outcome_id == outcome_id(Source(EVENTS.topic, EVENTS.partition, 5))
    assert world.journal == ["outcome leaves", "outcome acknowledged", "finished 5"]


async def test_lower_offset_is_finished_without_a_word() -> None:
    world = World()
    await Worker(world).travel(event(1, state="connected", interactionType="voice"), offset=5)
    await Worker(world).travel(event(2), offset=6)
    told, record = len(world.sent), world.record
    world.journal.clear()
    worker = Worker(world, committed=5)

    await worker.travel(event(1, state="connected", interactionType="voice"), offset=5)

    assert world.journal == ["finished 5"]
    assert len(world.sent) == told
    assert world.record == record
    assert samples(worker.metrics)["genesys_streams_repeated_records_total"] == 1


async def test_another_record_with_the_same_sequence_is_a_duplicate() -> None:
    world = World()
    await Worker(world).travel(event(), offset=5)

    await Worker(world).travel(event(), offset=6)

    first, second = world.outcomes
    assert second.decision is Decision.DUPLICATE
    assert first.outcome_id != second.outcome_id
    assert world.applied == 1


async def test_an_interaction_past_its_ttl_begins_anew() -> None:
    world = World()
    await Worker(world).travel(event(), offset=5)
    world.change(None)
    world.clock.now += TTL_SECONDS + 1

    await Worker(world).travel(event(), offset=6)

    assert [outcome.decision for outcome in world.outcomes] == [Decision.PATCHED] * 2
    assert world.record.events == 1


# In doubt


@pytest.mark.parametrize("fate", [lost_once_applied, failed_once_applied])
async def test_applied_without_an_answer_is_found_by_looking(fate: Patched) -> None:
    world = World()
    world.patches.append(fate)

    await Worker(world).travel(event())

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

    await Worker(world).travel(event())

    assert world.applied == 1
    assert world.count("PATCH leaves") == 3
    assert world.count("intent leaves") == 1
    (outcome,) = world.outcomes
    assert (outcome.decision, outcome.recovered) == (Decision.PATCHED, False)


async def test_every_patch_follows_a_look_of_its_own() -> None:
    world = World()
    world.patches.extend([lost_on_the_way] * 3)

    await Worker(world).travel(event())

    calls = [step for step in world.journal if step in ("GET leaves", "PATCH leaves")]
    assert calls == ["GET leaves", "PATCH leaves"] * 4


async def test_a_patch_put_off_is_preceded_by_a_new_look() -> None:
    """While it was held the interaction may have changed, and its ETag with it."""
    world = World()
    world.patches.append(raising(RateLimited("slow down", retry_after=0.0)))

    await Worker(world).travel(event())

    calls = [step for step in world.journal if step in ("GET leaves", "PATCH leaves")]
    assert calls == ["GET leaves", "PATCH leaves"] * 2
    assert world.outcomes[0].recovered is False


async def test_conflict_with_our_own_late_patch_is_no_conflict() -> None:
    world = World()
    world.patches.append(arrives_late)

    await Worker(world).travel(event())

    assert world.applied == 1
    (outcome,) = world.outcomes
    assert (outcome.decision, outcome.recovered) == (Decision.PATCHED, True)


async def test_conflict_with_somebody_else() -> None:
    world = World()
    world.patches.append(raising(Conflict("changed", status=409, code="conflict")))

    await Worker(world).travel(event())

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

    await Worker(world).travel(event())

    (outcome,) = world.outcomes
    assert outcome.decision is Decision.INELIGIBLE
    assert outcome.reason is Reason.DISPOSITION_SET
    assert world.interaction.disposition_code_id == "other"


async def test_conflicts_that_go_on_after_a_doubt_end() -> None:
    """One look per doubt: an API that says 409 whatever is sent is not asked for ever."""
    world = World()
    world.patches.append(lost_on_the_way)
    world.patches.extend([raising(Conflict("locked", status=409))] * 50)

    await Worker(world).travel(event())

    (outcome,) = world.outcomes
    assert outcome.decision is Decision.CONFLICT
    assert world.count("PATCH leaves") <= 3


async def test_doubt_left_by_a_crash_is_looked_at_first() -> None:
    world = World(interaction=replace(ELIGIBLE, disposition_code_id=CODE))
    world.records["i-1"] = InteractionRecord("i-1", intent=Intent(4, CODE), updated_at=1)

    await Worker(world).travel(event(), offset=4)

    (outcome,) = world.outcomes
    assert (outcome.decision, outcome.recovered) == (Decision.PATCHED, True)
    assert world.count("PATCH leaves") == 0


async def test_a_code_that_was_there_before_is_not_ours() -> None:
    world = World(interaction=replace(ELIGIBLE, disposition_code_id=CODE))

    await Worker(world).travel(event(), offset=4)

    (outcome,) = world.outcomes
    assert (outcome.decision, outcome.recovered) == (Decision.INELIGIBLE, False)
    assert outcome.reason is Reason.DISPOSITION_SET


async def test_a_changed_code_gets_an_intent_of_its_own() -> None:
    world = World()
    world.records["i-1"] = InteractionRecord("i-1", intent=Intent(4, "old-code"), updated_at=1)

    await Worker(world).travel(event(), offset=4)

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

    await Worker(world).travel(event(), offset=2)

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

    await Worker(world).travel(value, offset=2, key=b"any key")

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

    await Worker(world).travel(value, offset=9, key=key)

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

    await Worker(world).travel(event(time=time))

    assert world.outcomes[0].decision is Decision.PATCHED
    assert world.journal[-1] == "finished 0"


# Holding


class Ceilings(Random):
    """Remembers what it was asked for and gives nothing."""

    def __init__(self) -> None:
        super().__init__(1)
        self.asked: list[tuple[float, float]] = []

    def uniform(self, a: float, b: float) -> float:
        self.asked.append((a, b))
        return 0.0


async def test_held_record_comes_back_and_is_decided() -> None:
    world = World()
    world.fetches.extend([unreachable] * 3)
    worker = Worker(world)

    await worker.travel(event())

    assert world.journal[:4] == ["GET leaves", "slot given back", "slot taken", "GET leaves"]
    assert world.count("slot given back") == 3
    assert world.outcomes[0].decision is Decision.PATCHED
    assert world.outcomes[0].api_calls == 5
    assert samples(worker.metrics)["genesys_streams_held_records_total"] == 3


async def test_each_hold_is_longer_up_to_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(road_module, "HOLD_FIRST_SECONDS", 1.0)
    world = World()
    world.fetches.extend([raising(ServerError("503", status=503))] * 9)
    random = Ceilings()

    await Worker(world, random=random).travel(event())

    longest = [most for _, most in random.asked]
    assert longest == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert [least for least, _ in random.asked] == [most / 2 for most in longest]


async def test_hold_obeys_retry_after_and_ends_with_the_tenure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    world.fetches.append(raising(RateLimited("daily limit", retry_after=7200.0)))
    worker = Worker(world)
    travelling = asyncio.create_task(worker.travel(event()))
    await until(lambda: "slot given back" in world.journal)

    worker.tenure.ending.set()

    with pytest.raises(OwnershipLost, match="given up while the record is held"):
        await asyncio.wait_for(travelling, 5)
    assert [vars(line)["seconds"] for line in caplog.records] == [7200.0]
    assert world.journal[-1] == "slot taken"
    assert world.sent == []
    assert world.records == {}


async def test_in_doubt_waits_before_it_looks() -> None:
    """The API that failed on the PATCH is given time."""
    world = World()
    world.patches.append(lost_on_the_way)

    await Worker(world).travel(event())

    at = world.journal.index("PATCH leaves")
    assert world.journal[at + 1 : at + 4] == ["slot given back", "slot taken", "GET leaves"]


# Ownership


def scenarios() -> dict[str, tuple[World, bytes]]:
    """Worlds whose roads differ; made anew for each test."""
    in_doubt = World()
    in_doubt.patches.append(lost_once_applied)
    not_applied = World()
    not_applied.patches.append(lost_on_the_way)
    late = World()
    late.patches.append(arrives_late)
    forbidden = World()
    forbidden.fetches.append(raising(Forbidden("no", status=403)))
    return {
        "plain": (World(), event()),
        "in doubt, applied": (in_doubt, event()),
        "in doubt, not applied": (not_applied, event()),
        "in doubt, late": (late, event()),
        "forbidden": (forbidden, event()),
        "malformed": (World(), b"no event"),
        "not completed": (World(), event(interactionType="voice", state="connected")),
    }


def boundaries() -> list[tuple[str, int]]:
    """Every step of every scenario."""
    found = []
    for name, (world, value) in scenarios().items():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(road_module, "HOLD_FIRST_SECONDS", 0.0)
            asyncio.run(Worker(world).travel(value))
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
            worker.tenure.revoke()

    world.at_step = revoke

    try:
        await worker.travel(value)
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
    travelling = asyncio.create_task(worker.travel(value))
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


async def survive(world: World, value: bytes, crashes: list[int]) -> None:
    """Send the record down once for each crash, and once more to its end."""
    for number in crashes:
        world.at_step = crash_at(len(world.journal) + number)
        try:
            await Worker(world).travel(value, offset=6)
        except Crashed:
            continue
        break
    world.at_step = lambda _number, _step: None
    worker = Worker(world)
    await worker.travel(value, offset=6)
    assert worker.frontier.committable == 7


def assert_one_answer(world: World, decision: Decision) -> None:
    told = world.outcomes
    assert {outcome.outcome_id for outcome in told} == {
        outcome_id(Source(EVENTS.topic, EVENTS.partition, 6))
    }
    assert {(outcome.decision, outcome.recovered) for outcome in told} == {
        (decision, told[0].recovered)
    }


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
