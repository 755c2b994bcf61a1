"""What workers and Kafka say, put together: nothing is left out without a word."""

from __future__ import annotations

import json
from dataclasses import replace

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given

from streams.core.records import Source
from streams.core.stuck import Cause
from streams.kafka.positions import GroupView, Member, Position
from streams.operator.stuck.account import (
    Account,
    Done,
    FirstRecord,
    NotTakenUp,
    account,
    advertised,
)
from streams.operator.stuck.workers import Asked
from streams.wire.stuck import Drain, OpenRecord, WorkerStanding

EVENTS = "events"
IDLE = Drain("t", 0.0, 0, 0.0, 300.0, None, None, None, None, True)
A, B = "http://a:6066", "http://b:6066"


def told(url: str, positions: dict[int, int], *since: str) -> Asked:
    """A worker with these positions, and an open record for each time."""
    opened = tuple(
        OpenRecord(Source(EVENTS, 0, n), None, f"i-{n}", each, None, Cause.CALL)
        for n, each in enumerate(since)
    )
    named = {f"{EVENTS}/{each}": offset for each, offset in positions.items()}
    return Asked(
        url, WorkerStanding(url, url, "0.1.0", "now", None, named, len(opened), opened, IDLE), None
    )


def member(url: str, *partitions: int) -> Member:
    data = json.dumps({"assignment": {"actives": {}}, "url": url}).encode()
    return Member("client", "10.0.0.3", data, frozenset((EVENTS, each) for each in partitions))


def view(*members: Member, ends: dict[int, int] | None = None) -> GroupView:
    return GroupView(
        members, tuple(Position(EVENTS, each, 5, end) for each, end in (ends or {}).items())
    )


def of(*asked: Asked, seen: GroupView | None, **more: FirstRecord) -> Account:
    firsts = {(EVENTS, int(name[1:])): each for name, each in more.items()}
    return account(asked, seen, firsts, events=EVENTS)


def test_oldest_first_from_all_workers_and_kafka() -> None:
    found = of(
        told(A, {0: 9}, "2026-01-05T08:00:02Z"),
        told(B, {1: 9}, "2026-01-05T08:00:01Z", "2026-01-05T08:00:04Z"),
        seen=view(member(A, 0), member(B, 1), ends={0: 9, 1: 12}),
        p1=FirstRecord("late", "2026-01-05T08:00:03Z"),
    )

    assert [each.since for each in found.waiting] == [f"2026-01-05T08:00:0{n}Z" for n in "1234"]
    assert found.waiting[2] == NotTakenUp(
        B, Source(EVENTS, 1, 9), 3, "late", "2026-01-05T08:00:03Z", Cause.BEHIND
    )
    assert found.whole


def test_without_a_worker_kafka_alone_tells_what_waits() -> None:
    found = of(seen=view(ends={0: 8, 1: 5}), p0=FirstRecord(None, "2026-01-05T08:00:00Z"))

    assert found.waiting == (
        NotTakenUp(None, Source(EVENTS, 0, 5), 3, None, "2026-01-05T08:00:00Z", Cause.NO_WORKER),
    )
    assert found.whole


def test_a_worker_that_does_not_answer_is_told() -> None:
    found = of(told(A, {0: 9}), Asked(B, None, "no answer within 5 s"), seen=None)

    assert not found.whole
    assert [each.error for each in found.tellers] == [None, "no answer within 5 s"]


def test_a_member_of_the_group_that_nobody_has_asked_is_told() -> None:
    found = of(told(A, {0: 9}), seen=view(member(A, 0), member(B, 1, 2), ends={0: 9}))

    (gap,) = found.gaps
    assert f"{B} at 10.0.0.3, with partitions 1, 2" in gap.what
    assert not found.whole


def test_two_workers_that_advertise_one_address_are_not_taken_for_one() -> None:
    """127.0.0.1 is the default, and each machine has one."""
    found = of(told(A, {0: 9}), seen=view(member(A, 0), member(A, 1)))

    assert len(found.gaps) == 1


def test_a_broker_that_names_no_members_leaves_the_partitions_to_tell() -> None:
    seen = GroupView(None, tuple(Position(EVENTS, each, 0, 0) for each in range(3)))

    (gap,) = of(told(A, {1: 9}), seen=seen).gaps
    assert "partitions 0, 2" in gap.what


def test_a_kafka_that_can_not_be_asked_is_told_beside_what_workers_say() -> None:
    found = account([told(A, {0: 9}, "t")], None, {}, events=EVENTS, kafka_error="no broker")

    assert [each.what for each in found.gaps] == ["Kafka: no broker"]
    assert len(found.waiting) == 1


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b'{"url": null}', b'{"url": ""}', b"[]"])
def test_a_member_of_another_program_advertises_nothing(data: bytes) -> None:
    assert advertised(Member("c", "h", data, frozenset())) is None


@given(st.dictionaries(st.sampled_from("abcd"), st.booleans(), min_size=1), st.booleans())
def test_whole_is_what_every_member_has_answered(answers: dict[str, bool], asked: bool) -> None:
    """Whether or not those that are silent were asked."""
    urls = {name: f"http://{name}:6066" for name in answers}
    spoken = [told(urls[name], {}) for name, answered in answers.items() if answered]
    silent = [
        Asked(urls[name], None, "refused")
        for name, answered in answers.items()
        if not answered and asked
    ]
    found = of(*spoken, *silent, seen=view(*map(member, urls.values())))

    assert found.whole is all(answers.values())


def draining(url: str, drain: Drain) -> Asked:
    one = told(url, {0: 9})
    assert one.standing is not None
    return replace(one, standing=msgspec.structs.replace(one.standing, drain=drain))


def test_all_is_done_when_the_last_worker_is() -> None:
    first = Drain("2026-01-05T14:30:00Z", 60.0, 100, 200.0, 300.0, None, None, "o2", 5.0, True)
    last = Drain("2026-01-05T14:32:00Z", 180.0, 50, 100.0, 300.0, None, None, "o1", 9.0, False)

    done = of(draining(A, first), draining(B, last), seen=None).done

    assert done == Done("2026-01-05T14:32:00Z", 180.0, 150, 300.0, 600.0, (), "o1", False)


def test_nobody_knows_when_while_a_worker_can_not_go_on() -> None:
    first = Drain("2026-01-05T14:30:00Z", 60.0, 100, 200.0, 300.0, None, None, None, None, True)
    never = Drain(None, None, 7, 14.0, 300.0, None, "the secret is wrong", "o", 9.0, False)

    done = of(draining(A, first), draining(B, never), seen=None).done

    assert done is not None
    assert (done.at, done.never) == (None, ("the secret is wrong",))


def test_what_has_no_worker_is_never_done() -> None:
    done = of(told(A, {0: 8}), seen=view(member(A, 0), ends={0: 8, 1: 9})).done

    assert done is not None
    assert (done.at, done.waiting) == (None, 4)
    assert "no worker" in done.never[0]


def test_without_an_answer_nothing_is_said_of_the_end() -> None:
    assert of(Asked(B, None, "refused"), seen=None).done is None
