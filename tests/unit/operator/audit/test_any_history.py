"""Any history that a worker may leave is clean, and one thing planted in it is found and named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import hypothesis.strategies as st
import msgspec
from hypothesis import assume, given

from streams.core.records import Decision, Reason, Source
from tests.unit.operator.audit.history import CODE, TOPICS, History, Letter, Place, found

# What may become of a record, in the two dialects.
FATES = ("told", "patched", "poison", "failed", "put off", "waits", "redriven", "look", "joined")

PATCHED: dict[str, Any] = {
    "decision": Decision.PATCHED,
    "reason": Reason.ELIGIBLE,
    "disposition_code_id": CODE,
}


@dataclass
class Played:
    """A history, and where in it something may be planted: ``at_once``, records that were decided
    as they were taken up, those without a dead letter among them ``told``; ``letters``, numbers of
    dead letters with their records; ``waiting``, records whose copy is still in retries."""

    history: History = field(default_factory=History)
    at_once: list[Place] = field(default_factory=list)
    told: list[Place] = field(default_factory=list)
    letters: list[tuple[int, Place]] = field(default_factory=list)
    waiting: list[Place] = field(default_factory=list)


@st.composite
def played(draw: st.DrawFn) -> Played:
    """Records of some interactions in some partitions, taken up in their order. What was put off
    is told later, what is told may be told again, and the last records may still be open."""
    going = Played()
    history = going.history
    later: list[Callable[[], object]] = []
    for partition in range(draw(st.integers(1, 3))):
        for _ in range(draw(st.integers(1, 8))):
            if draw(st.booleans()) and later:
                later.pop(0)()
            fate = draw(st.sampled_from(FATES))
            id_ = f"call-{partition}-{draw(st.integers(0, 2))}"
            later += take_up(
                going, history.event(id_ if fate != "poison" else None, partition), fate
            )
            repeat(draw, history, partition)
    for each in later:
        each()
    for place in going.waiting:
        history.put_off(place, 2)
    history.commit_all()
    for partition, _ in going.waiting:
        history.committed_returns[partition] -= 1
    for partition in history.events:
        for _ in range(draw(st.integers(0, 2))):
            history.event("call-open", partition)
        if draw(st.booleans()):
            del history.committed[partition]
    # A copy that a crash has left unfinished is worked on again, with its outcome told.
    for partition in history.committed_returns:
        unfinished = draw(st.integers(0, 1))
        history.committed_returns[partition] = max(
            0, history.committed_returns[partition] - unfinished
        )
    return going


def take_up(going: Played, place: Place, fate: str) -> Sequence[Callable[[], object]]:
    """What the worker does at once, and what it does later."""
    history = going.history
    if fate in ("told", "patched", "poison", "failed", "joined"):
        going.at_once.append(place)
    match fate:
        case "told":
            history.outcome(place)
            going.told.append(place)
        case "patched":
            history.outcome(place, **PATCHED)
            going.told.append(place)
        case "poison" | "failed":
            history.failed(place)
            going.letters.append((len(history.letters) - 1, place))
        case "put off":
            history.put_off(place)
            return [lambda: history.put_off(place, 2), lambda: history.outcome(place)]
        case "waits":
            history.put_off(place)
            going.waiting.append(place)
        case "redriven":
            history.failed(place)
            return [
                lambda: history.copy(place, attempt=0, redriven=1),
                lambda: history.outcome(place, redriven=1, **PATCHED),
            ]
        case "look":
            history.copy(place)
            noted: dict[str, Any] = {"decision": Decision.NOTED, "reason": Reason.LOOK_PLANNED}
            name = f"agent-{place[1]}"
            return [
                lambda: history.leg(place, name, **PATCHED),
                lambda: history.outcome(place, **noted),
            ]
        case _:
            history.outcome(place, decision=Decision.NOTED, reason=Reason.LOOK_JOINED)
            going.told.append(place)
    return []


def repeat(draw: st.DrawFn, history: History, partition: int) -> None:
    """A worker that died tells again what it had told before, and writes a letter again."""
    told = history.outcomes.get(partition, [])
    if told and draw(st.integers(0, 3)) == 0:
        again = draw(st.sampled_from(told))
        if again.decision is Decision.FAILED and history.letters:
            history.letters.append(
                next(each for each in history.letters if each.source == again.source)
            )
        history.publish(partition, again)


@given(played())
def test_what_a_worker_leaves_is_clean(going: Played) -> None:
    assert found(going.history) == []


def drawn(data: st.DataObject, among: Sequence[Place]) -> Place:
    assume(among)
    return data.draw(st.sampled_from(among))


def first_of(history: History, place: Place) -> int:
    source = Source(TOPICS.events, *place)
    return next(
        number
        for number, each in enumerate(history.outcomes[place[0]])
        if each.source == source and each.leg is None and each.final
    )


@given(played(), st.data())
def test_a_lost_outcome_is_found_and_nothing_else(going: Played, data: st.DataObject) -> None:
    history = going.history
    committed = [each for each in going.told if each[0] in history.committed]
    place = drawn(data, committed)
    source = Source(TOPICS.events, *place)
    partition, offset = place
    history.outcomes[partition] = [
        each for each in history.outcomes[partition] if each.source != source
    ]
    # Behind it something was worked on, or it is the last one that the group has committed.
    ((kind, *named),) = found(history)
    worked_on = {each.source.offset for each in history.outcomes[partition]} | {
        each.returned.source.offset
        for each in history.returns.get(partition, [])
        if each.returned is not None
    }
    last = max(worked_on, default=-1)
    assert kind == ("lost-outcome" if offset < last else "committed-past-open")
    assert named == [TOPICS.events, *place]


@given(played(), st.data())
def test_a_second_decision_is_found_and_nothing_else(going: Played, data: st.DataObject) -> None:
    history, place = going.history, drawn(data, going.told)
    first = history.outcomes[place[0]][first_of(history, place)]
    history.publish(place[0], msgspec.structs.replace(first, reason=Reason.NON_VOICE))
    assert found(history) == [("two-decisions", TOPICS.events, *place)]


@given(played(), st.data())
def test_a_broken_order_is_found_and_nothing_else(going: Played, data: st.DataObject) -> None:
    """A later record of the same interaction is told before the last one that was told at once."""
    history, place = going.history, drawn(data, going.told)
    partition, _ = place
    key, _ = history.events[partition][place[1]]
    assert key is not None
    last = max(each for each in going.at_once if of(history, each) == (partition, key))
    history.outcome(history.event(key.decode(), partition))
    history.outcomes[partition].insert(first_of(history, last), history.outcomes[partition].pop())
    assert found(history) == [("out-of-order", TOPICS.events, *last)]


def of(history: History, place: Place) -> tuple[int, bytes | None]:
    return place[0], history.events[place[0]][place[1]][0]


@given(played(), st.data())
def test_a_commit_too_far_is_found_and_nothing_else(going: Played, data: st.DataObject) -> None:
    history = going.history
    partition = data.draw(st.sampled_from(sorted(history.events)))
    worked_on = len(history.events[partition])
    history.event("call-passed", partition)
    open_from = min(
        (
            offset
            for offset, (each, _) in enumerate(history.events[partition])
            if each in (b"call-open", b"call-passed")
        ),
        default=worked_on,
    )
    history.committed[partition] = len(history.events[partition])
    assert found(history) == [("committed-past-open", TOPICS.events, partition, open_from)]


@given(played(), st.data(), st.sampled_from(["key", "value"]))
def test_a_changed_letter_is_found_and_nothing_else(
    going: Played, data: st.DataObject, part: str
) -> None:
    history = going.history
    assume(going.letters)
    number, _ = data.draw(st.sampled_from(going.letters))
    changed = history.letters[number]
    history.letters[number] = changed_in(changed, part)
    assert found(history) == [("dead-letter-changed", TOPICS.dead_letters, 0, number)]


def changed_in(letter: Letter, part: str) -> Letter:
    return replace(letter, key=b"x") if part == "key" else replace(letter, value=b"x")


@given(played(), st.data())
def test_a_missing_letter_is_found_and_nothing_else(going: Played, data: st.DataObject) -> None:
    history = going.history
    assume(going.letters)
    _, place = data.draw(st.sampled_from(going.letters))
    source = Source(TOPICS.events, *place)
    history.letters = [each for each in history.letters if each.source != source]
    assert found(history) == [("no-dead-letter", TOPICS.events, *place)]


@given(played(), st.data())
def test_another_ones_id_is_found_and_nothing_else(going: Played, data: st.DataObject) -> None:
    history, place = going.history, drawn(data, going.told)
    history.outcome(place, outcome_id="11111111-2222-5333-8444-555555555555")
    assert found(history) == [("foreign-id", TOPICS.events, *place)]
