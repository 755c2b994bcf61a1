"""What workers and Kafka say, put together: what waits, oldest first, and what could not be asked.

Pure. A worker that does not answer leaves a gap, and each gap is told: what is shown is all there
is, or it is said what is missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from streams.core.records import Source
from streams.core.stuck import Cause
from streams.kafka.positions import GroupView, Member, Position
from streams.operator.stuck.workers import Asked
from streams.wire.stuck import Drain, OpenRecord, WorkerStanding


class _Advertised(msgspec.Struct):
    """Faust's own metadata of a member, as far as it is wanted."""

    url: str


_ADVERTISED = msgspec.json.Decoder(_Advertised)


class Waiting(
    OpenRecord, frozen=True, kw_only=True, rename="camel", tag_field="kind", tag="record"
):
    """A record that a worker has open."""

    worker: str


class NotTakenUp(msgspec.Struct, frozen=True, rename="camel", tag_field="kind", tag="not-taken-up"):
    """Records of one partition that no worker has taken up. ``record``: the first of them, and
    ``since`` and ``interaction_id`` are its own. ``worker``: whose they are to take up."""

    worker: str | None
    record: Source
    records: int
    interaction_id: str | None
    since: str | None
    cause: Cause


class Teller(msgspec.Struct, frozen=True, rename="camel", tag_field="kind", tag="worker"):
    """A worker. ``error``: why it did not tell what it has. ``named``: how many of its open records
    stand above; ``not_ready``: as its ``/readyz`` says."""

    worker: str
    partitions: tuple[int, ...]
    open: int | None
    named: int | None
    not_ready: str | None
    error: str | None


class Done(msgspec.Struct, frozen=True, rename="camel", tag_field="kind", tag="done"):
    """When all that waits will be done: when the last worker is. ``at``, ``seconds``: None where
    that can not be said, for the reasons in ``never``. ``waiting``: records, which take so many
    ``requests`` at ``per_minute``. ``oldest``, ``within_a_day``: as of one worker."""

    at: str | None
    seconds: float | None
    waiting: int
    requests: float
    per_minute: float
    never: tuple[str, ...]
    oldest: str | None
    within_a_day: bool


class Gap(msgspec.Struct, frozen=True, rename="camel", tag_field="kind", tag="gap"):
    """What is not known, and why."""

    what: str


@dataclass(frozen=True, slots=True)
class FirstRecord:
    """Of the first record that was not taken up. Times are RFC 3339."""

    interaction_id: str | None
    since: str


Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Account:
    """``waiting``: oldest first. ``whole``: whether all were told."""

    waiting: tuple[Waiting | NotTakenUp, ...]
    tellers: tuple[Teller, ...]
    gaps: tuple[Gap, ...]
    done: Done | None
    """None when no worker has answered."""

    @property
    def whole(self) -> bool:
        return not self.gaps and all(each.error is None for each in self.tellers)


def advertised(member: Member) -> str | None:
    """The URL at which a member says that it is reached; None where it says none."""
    try:
        return _ADVERTISED.decode(member.user_data).url or None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def positions_of(asked: Sequence[Asked]) -> dict[Place, tuple[int, str]]:
    """By partition, what its worker takes up next, and the worker. Where two claim one, as in the
    moment of a rebalance, the one that is further."""
    claims: dict[Place, tuple[int, str]] = {}
    for each in asked:
        if each.standing is not None:
            for name, offset in each.standing.positions.items():
                topic, _, number = name.rpartition("/")
                if number.isdecimal():
                    place = (topic, int(number))
                    claims[place] = max(claims.get(place, (-1, "")), (offset, each.url))
    return claims


def untaken(view: GroupView, claims: Mapping[Place, tuple[int, str]]) -> dict[Place, int]:
    """By partition that has records which nobody has taken up, the offset of the first of them."""
    firsts = {
        (each.topic, each.partition): (_first(each, claims), each.end) for each in view.positions
    }
    return {place: first for place, (first, end) in firsts.items() if first < end}


def _first(position: Position, claims: Mapping[Place, tuple[int, str]]) -> int:
    claim = claims.get((position.topic, position.partition))
    return position.committed if claim is None else max(position.committed, claim[0])


def account(
    asked: Sequence[Asked],
    view: GroupView | None,
    firsts: Mapping[Place, FirstRecord],
    *,
    events: str,
    kafka_error: str | None = None,
) -> Account:
    """``view``: None when Kafka could not be asked, for the reason in ``kafka_error``. ``firsts``:
    of the partitions of ``untaken``, as far as they could be read. ``events``: the topic's name."""
    claims = positions_of(asked)
    not_taken_up = list(_not_taken_up(view, claims, firsts))
    waiting: list[Waiting | NotTakenUp] = [*_open(asked), *not_taken_up]
    # Nobody knows how old a record without a time is: it comes first.
    waiting.sort(key=lambda each: each.since or "")
    gaps = [Gap(f"Kafka: {kafka_error}")] if kafka_error is not None else []
    gaps += [Gap(text) for text in _gaps(asked, view, claims, events)]
    done = _done(
        [each.standing.drain for each in asked if each.standing is not None],
        sum(each.records for each in not_taken_up if each.cause is Cause.NO_WORKER),
    )
    return Account(tuple(waiting), tuple(_tellers(asked, events)), tuple(gaps), done)


def _done(drains: Sequence[Drain], without: int) -> Done | None:
    """``without``: records in partitions that no worker has."""
    if not drains:
        return None
    never = tuple(dict.fromkeys(each.never for each in drains if each.never is not None))
    if without:
        never += (f"{without} records lie in partitions that no worker has",)
    last = max(drains, key=lambda each: each.seconds or 0.0)
    return Done(
        at=None if never else last.at,
        seconds=None if never else last.seconds,
        waiting=sum(each.waiting for each in drains) + without,
        requests=sum(each.requests for each in drains),
        per_minute=sum(each.per_minute for each in drains),
        never=never,
        oldest=min((each.oldest for each in drains if each.oldest is not None), default=None),
        within_a_day=not never and all(each.within_a_day for each in drains),
    )


def _open(asked: Sequence[Asked]) -> Iterator[Waiting]:
    for each in asked:
        for record in each.standing.records if each.standing is not None else ():
            yield Waiting(worker=each.url, **msgspec.structs.asdict(record))


def _not_taken_up(
    view: GroupView | None,
    claims: Mapping[Place, tuple[int, str]],
    firsts: Mapping[Place, FirstRecord],
) -> Iterator[NotTakenUp]:
    if view is None:
        return
    ends = {(each.topic, each.partition): each.end for each in view.positions}
    for place, offset in untaken(view, claims).items():
        first, claim = firsts.get(place), claims.get(place)
        yield NotTakenUp(
            worker=None if claim is None else claim[1],
            record=Source(*place, offset),
            records=ends[place] - offset,
            interaction_id=None if first is None else first.interaction_id,
            since=None if first is None else first.since,
            cause=Cause.NO_WORKER if claim is None else Cause.BEHIND,
        )


def _tellers(asked: Sequence[Asked], events: str) -> Iterator[Teller]:
    for each in asked:
        told = each.standing
        if told is None:
            yield Teller(each.url, (), None, None, None, each.error)
        else:
            named = len(told.records)
            yield Teller(
                each.url, _partitions(told, events), told.open, named, told.not_ready, None
            )


def _partitions(standing: WorkerStanding, events: str) -> tuple[int, ...]:
    names = (name.rpartition("/") for name in standing.positions)
    return tuple(sorted(int(each) for topic, _, each in names if topic == events))


def _gaps(
    asked: Sequence[Asked],
    view: GroupView | None,
    claims: Mapping[Place, tuple[int, str]],
    events: str,
) -> Iterator[str]:
    """Members of the group, and partitions, of which nobody has told anything."""
    if view is None:
        return
    if view.members is None:
        missing = [
            each.partition
            for each in view.positions
            if each.topic == events and (events, each.partition) not in claims
        ]
        if missing:
            yield f"partitions {_listed(missing)} of {events}: no worker that was asked has them"
        return
    told = [each.standing.worker for each in asked if each.standing is not None]
    for member in view.members:
        url = advertised(member)
        if url in told:
            told.remove(url)
            continue
        held = sorted(each for topic, each in member.places if topic == events)
        yield (
            f"a worker of the group has not answered: {url or member.client_id} at {member.host}, "
            f"with partitions {_listed(held)}; is that the address at which it is reached "
            "(WORKER_ADVERTISED_URL, WORKER_URLS)?"
        )


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers)) or "none"
