"""The decisions against the reference model: whatever order, whatever comes twice, whatever breaks.

A worker in miniature drives the same inquiry as the real one, with a dict as the table, a dict as
Genesys Cloud and a list as Kafka. Between any two steps another interaction may have its turn, or
the worker may crash.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.decision import Patch, Policy, Settle, apply
from streams.core.envelope import InteractionEvent, parse
from streams.core.inquiry import Inquiry
from streams.core.interaction import Interaction
from streams.core.records import InteractionRecord, Verdict, decode_record, encode_record
from streams.core.redelivery import Appearance, redelivery_of
from streams.core.retry_policy import PatchPolicy
from streams.errors import ApiError, ApiTimeout, BadRequest, Conflict, NotFound, RateLimited
from streams.genesys.answers import Answer
from streams.genesys.interactions import Interactions
from streams.local.model import Expected, ExpectedInteraction, Rules, expected
from tests.support.examples import times

CODE = "code-1"

# The faults end: nothing is put off here.
UNLIMITED = PatchPolicy(tries=10**9)
Json = dict[str, Any]


class Cloud:
    """Genesys Cloud: interactions by id, each with a version that a PATCH must name.

    A GET fails ``get_faults`` times before one succeeds. ``patch_faults`` come true PATCH by PATCH:
    ``busy`` has no effect, ``lost`` garbles the answer, ``late`` gives none and takes effect only
    when the next PATCH is about to.
    """

    def __init__(
        self, truths: dict[str, Json], get_faults: int = 0, patch_faults: Iterable[str] = ()
    ) -> None:
        self._truths = {name: dict(truth) for name, truth in truths.items()}
        self._versions = Counter[str]()
        self._get_faults = get_faults
        self._patch_faults = deque(patch_faults)
        self._late: dict[str, tuple[str, str | None]] = {}
        self.gets = Counter[str]()
        self.patches = Counter[str]()
        self.applied = Counter[str]()

    def get(self, interaction_id: str) -> Interaction:
        self.gets[interaction_id] += 1
        if self._get_faults > 0:
            self._get_faults -= 1
            raise RateLimited("busy", retry_after=1)
        if interaction_id not in self._truths:
            raise NotFound("unknown", status=404)
        body = json.dumps(self._truths[interaction_id]).encode()
        etag = str(self._versions[interaction_id])
        return Interactions().read_interaction(Answer(200, body, etag=etag), interaction_id)

    def patch(self, interaction_id: str, code: str, etag: str | None) -> int:
        self.patches[interaction_id] += 1
        fault = self._patch_faults.popleft() if self._patch_faults else "none"
        if fault == "busy":
            raise RateLimited("busy", retry_after=1)
        if interaction_id in self._late:
            self._set(interaction_id, *self._late.pop(interaction_id))
        if fault == "late":
            self._late[interaction_id] = code, etag
            raise ApiTimeout("no answer", maybe_applied=True)
        if not self._set(interaction_id, code, etag):
            raise Conflict("changed meanwhile", status=412)
        if fault == "lost":
            raise BadRequest("no JSON", maybe_applied=True)
        return 200

    def _set(self, interaction_id: str, code: str, etag: str | None) -> bool:
        if etag != str(self._versions[interaction_id]):
            return False
        self._truths[interaction_id]["dispositionCode"] = {"id": code}
        self._versions[interaction_id] += 1
        self.applied[interaction_id] += 1
        return True


class Worker:
    """What outlives a crash is in ``table`` and ``published``; a record is an offset in ``log``."""

    def __init__(self, log: list[Json], cloud: Cloud, policy: Policy) -> None:
        parsed = [parse(json.dumps(event).encode()) for event in log]
        self._log = [event for event in parsed if event is not None]
        assert len(self._log) == len(log)
        self._cloud = cloud
        self._policy = policy
        self._table: dict[str, bytes] = {}
        self.published: defaultdict[int, list[Verdict]] = defaultdict(list)

    def live(self, random: Random, crashes: list[int]) -> None:
        """Take up the whole log; after so many steps crash, and start again, for each crash."""
        committed = 0
        for steps in [*crashes, None]:
            finished = self._run(random, committed, steps)
            frontier = min(set(range(len(self._log) + 1)) - finished - set(range(committed)))
            # What was committed may be older than the frontier, never newer.
            committed = random.randint(committed, frontier)

    def _run(self, random: Random, committed: int, steps: int | None) -> set[int]:
        lanes: dict[str, deque[int]] = defaultdict(deque)
        for offset in range(committed, len(self._log)):
            lanes[self._log[offset].interaction_id].append(offset)
        processors: dict[str, Iterator[None]] = {}
        finished: set[int] = set()
        while lanes and steps != 0:
            lane = random.choice(sorted(lanes))
            offset = lanes[lane][0]
            processor = processors.setdefault(lane, self._process(offset, self._log[offset]))
            if next(processor, "finished") == "finished":
                finished.add(offset)
                del processors[lane]
                lanes[lane].popleft()
                if not lanes[lane]:
                    del lanes[lane]
            steps = None if steps is None else steps - 1
        return finished

    def _process(self, offset: int, event: InteractionEvent) -> Iterator[None]:
        """One record, to its end. Each ``yield`` is a moment in which the worker can crash."""
        key = event.interaction_id
        stored = self._table.get(key)
        record = decode_record(stored) if stored else InteractionRecord(key)
        again = redelivery_of(record, event, Appearance(offset))
        if again is not None:
            if again.verdict is not None:
                self.published[offset].append(again.verdict)
            return
        inquiry = Inquiry(record, event, offset, self._policy, limits=UNLIMITED)
        while not isinstance(step := inquiry.step, Settle):
            yield
            try:
                if not isinstance(step, Patch):
                    inquiry.fetched(self._cloud.get(key))
                    continue
                if (intended := inquiry.intends(step, offset)) is not None:
                    self._table[key] = encode_record(intended)
                yield
                inquiry.patching()
                inquiry.patched(step, self._cloud.patch(key, step.code, step.etag))
            except ApiError as error:
                if inquiry.failed(error):
                    inquiry.stopped()
        yield
        verdict = inquiry.verdict
        after = apply(inquiry.record, event, offset, verdict, offset + 1)
        self._table[key] = encode_record(after)
        yield
        self.published[offset].append(verdict)
        yield


INTERACTIONS = ["i-1", "i-2", "i-3"]
START = "2025-12-12T15:00:00.000Z"
ENDS = ["2025-12-12T15:00:29.999Z", "2025-12-12T15:00:30.000Z", "2025-12-12T15:05:00.000Z"]

# Few numbers, so that they come again, late, and as a string that means the same number.
sequences = (
    st.integers(0, 9)
    | st.integers(0, 9).map(str)
    | st.integers(0, 9).map(lambda number: f"00{number}")
    | st.sampled_from([-1, 10**30, "a", "b", "7b"])
)
details = st.fixed_dictionaries(
    {"interactionId": st.sampled_from(INTERACTIONS), "sequenceId": sequences},
    optional={
        "interactionType": st.sampled_from(["voice", "voice", "voice", "Voice", "chat", "", None]),
        "state": st.sampled_from(["completed", "completed", "COMPLETED", "connected", "acw", None]),
    },
)
events = details | details.map(
    lambda detail: {"detail-type": "purecloud:v2:interaction:update", "detail": detail}
)


def some_twice_in_any_order(log: list[Json]) -> st.SearchStrategy[list[Json]]:
    again = st.lists(st.sampled_from(log), max_size=6) if log else st.just([])
    return again.flatmap(lambda more: st.permutations([*log, *more])).map(list)


logs = st.lists(events, max_size=14).flatmap(some_twice_in_any_order)

references = st.sampled_from([None, None, None, None, {"id": None}, {"id": ""}, {"id": "theirs"}])
spans = st.fixed_dictionaries(
    {}, optional={"startTime": st.just(START), "endTime": st.sampled_from(ENDS)}
)
whole_spans = st.fixed_dictionaries({"startTime": st.just(START), "endTime": st.sampled_from(ENDS)})
eligible: Json = {
    "type": "voice",
    "state": "completed",
    "metadata": {"startTime": START, "endTime": ENDS[-1]},
}
interactions = st.just(eligible) | st.fixed_dictionaries(
    {
        "type": st.sampled_from(["voice", "voice", "voice", "VOICE", "chat"]),
        "state": st.sampled_from(["completed", "completed", "completed", "connected"]),
        "dispositionCode": references,
        "wrapUpCode": references,
        "metadata": whole_spans | spans,
    },
    optional={"timeline": st.lists(spans, max_size=1)},
)
# The API does not know the third one.
truths = st.fixed_dictionaries(dict.fromkeys(INTERACTIONS[:2], interactions))
rules = st.builds(
    Rules,
    fetch=st.sampled_from(["completed", "always"]),
    dry_run=st.booleans(),
    threshold_ms=st.sampled_from([0, 30_000, 300_001]),
)


def policy(wanted: Rules) -> Policy:
    return Policy(CODE, wanted.threshold_ms, wanted.fetch, wanted.dry_run)


def as_published(worker: Worker, log: list[Json]) -> dict[str, list[Expected]]:
    """The outcomes of each interaction in the order of its records; each record has one only."""
    outcomes: dict[str, list[Expected]] = defaultdict(list)
    for offset, event in enumerate(log):
        published = {(one.decision, one.reason, one.basis) for one in worker.published[offset]}
        assert len(published) == 1, f"offset {offset}: {published}"
        outcomes[event.get("detail", event)["interactionId"]].append(Expected(*published.pop()))
    return outcomes


def of_the_model(model: dict[str, ExpectedInteraction]) -> dict[str, list[Expected]]:
    return {name: one.outcomes for name, one in model.items()}


@settings(max_examples=times(3))
@given(logs, truths, rules, st.randoms(use_true_random=False))
def test_decisions_and_calls_are_the_models(
    log: list[Json], known: dict[str, Json], wanted: Rules, random: Random
) -> None:
    model = expected(log, known, wanted)
    cloud = Cloud(known)
    worker = Worker(log, cloud, policy(wanted))
    worker.live(random, crashes=[])
    assert as_published(worker, log) == of_the_model(model)
    assert all(len(published) == 1 for published in worker.published.values())
    for name in INTERACTIONS:
        cost = model.get(name, ExpectedInteraction())
        assert cloud.gets[name] == cost.gets
        assert cloud.patches[name] == cloud.applied[name] == cost.patches


@given(
    log=logs,
    known=truths,
    wanted=rules,
    random=st.randoms(use_true_random=False),
    crashes=st.lists(st.integers(1, 40), max_size=4),
    get_faults=st.integers(0, 3),
    patch_faults=st.lists(st.sampled_from(["none", "busy", "lost", "late"]), max_size=4),
)
def test_crashes_and_lost_answers_change_nothing(
    *,
    log: list[Json],
    known: dict[str, Json],
    wanted: Rules,
    random: Random,
    crashes: list[int],
    get_faults: int,
    patch_faults: list[str],
) -> None:
    model = expected(log, known, wanted)
    cloud = Cloud(known, get_faults, patch_faults)
    worker = Worker(log, cloud, policy(wanted))
    worker.live(random, crashes)
    assert as_published(worker, log) == of_the_model(model)
    for name in INTERACTIONS:
        assert cloud.applied[name] == model.get(name, ExpectedInteraction()).patches


def test_a_crash_at_each_step_of_an_eligible_call_gives_one_patch() -> None:
    call: Json = {"interactionId": "i-1", "sequenceId": 3, "state": "completed"}
    log = [call, call | {"sequenceId": 2, "state": "acw"}, call]
    known = {"i-1": eligible}
    recovered = set()
    for steps in range(1, 20):
        cloud = Cloud(known)
        worker = Worker(log, cloud, Policy(CODE))
        worker.live(Random(steps), crashes=[steps])
        assert as_published(worker, log) == of_the_model(expected(log, known, Rules()))
        assert cloud.applied["i-1"] == 1
        assert cloud.gets["i-1"] <= 2
        recovered.add(worker.published[0][0].recovered)
    assert recovered == {False, True}


@pytest.mark.parametrize(
    ("patch_faults", "patches", "gets", "recovered"),
    [
        (["busy"], 2, 2, False),
        (["lost"], 1, 2, True),
        # The second PATCH meets the first, which landed meanwhile: our own code, not a conflict.
        (["late"], 2, 3, True),
        (["late", "late"], 2, 3, True),
        (["late", "busy"], 3, 4, True),
    ],
)
def test_a_patch_without_an_answer_is_looked_for(
    patch_faults: list[str], patches: int, gets: int, recovered: bool
) -> None:
    cloud = Cloud({"i-1": eligible}, patch_faults=patch_faults)
    log: list[Json] = [{"interactionId": "i-1", "sequenceId": 0, "state": "completed"}]
    worker = Worker(log, cloud, Policy(CODE))
    worker.live(Random(1), crashes=[])
    (verdict,) = worker.published[0]
    assert (verdict.decision, verdict.recovered) == ("patched", recovered)
    assert (cloud.patches["i-1"], cloud.gets["i-1"]) == (patches, gets)
    assert cloud.applied["i-1"] == 1
