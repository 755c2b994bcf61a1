"""What waits longest and why, and when all that waits will be done: as ``stuck`` tells it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from streams.console.desk import Desk
from streams.console.pages.rendering import ago, stamp
from streams.console.pages.tones import of_cause
from streams.core.stuck import Cause
from streams.operator.stuck.account import Account, NotTakenUp, Waiting
from streams.operator.stuck.telling import MEANINGS, done_sentence, place_of, teller_sentence
from streams.timestamps import epoch_ms

# Each worker names its hundred oldest. Whoever has to act does so about the first.
SHOWN = 200


@dataclass(frozen=True, slots=True)
class Row:
    """``since``, ``next_at``, ``sent_at``: epoch milliseconds, None where they are not known.
    ``requests``: None where nobody has taken it up. ``put_off``: how often, and why."""

    since: int | None
    cause: str
    tone: str
    waits_for: str
    next_at: int | None
    sent_at: int | None
    put_off: str | None
    requests: int | None
    interaction_id: str | None
    place: str
    worker: str | None


@dataclass(frozen=True, slots=True)
class Group:
    """All that waits for one cause."""

    cause: str
    tone: str
    number: int
    do: str


@dataclass(frozen=True, slots=True)
class WhenDone:
    """``words``: at a glance. ``beside``: what belongs to it."""

    words: str
    beside: str


def stuck(desk: Desk, _: Mapping[str, str]) -> dict[str, object]:
    account = desk.stuck.account
    waiting = () if account is None else account.waiting
    causes: Counter[Cause] = Counter()
    for each in waiting:
        causes[each.cause] += each.records if isinstance(each, NotTakenUp) else 1
    return {
        "asked_ms": desk.stuck.asked_ms if account is not None else None,
        "failure": desk.stuck.failure,
        "gaps": _gaps(account),
        "done": account and account.done and done_sentence(account.done),
        "rows": [_row(each) for each in waiting[:SHOWN]],
        "more": max(0, len(waiting) - SHOWN),
        "causes": [
            Group(cause.value, of_cause(cause), number, MEANINGS[cause].do)
            for cause, number in causes.most_common()
        ],
        "tellers": [
            teller_sentence(each)
            for each in (() if account is None else account.tellers)
            if each.error is None
        ],
    }


def _gaps(account: Account | None) -> list[str]:
    """What is not known: without it, what is shown is not all."""
    if account is None:
        return []
    silent = [teller_sentence(each) for each in account.tellers if each.error is not None]
    return [*silent, *(each.what for each in account.gaps)]


def _row(each: Waiting | NotTakenUp) -> Row:
    taken = each if isinstance(each, Waiting) else None
    return Row(
        since=epoch_ms(each.since),
        cause=each.cause.value,
        tone=of_cause(each.cause),
        waits_for=MEANINGS[each.cause].waits_for,
        next_at=None if taken is None else epoch_ms(taken.next_at),
        sent_at=None if taken is None else epoch_ms(taken.sent_at),
        put_off=_put_off(taken),
        requests=None if taken is None else taken.requests,
        interaction_id=each.interaction_id,
        place=place_of(each),
        worker=each.worker,
    )


def _put_off(taken: Waiting | None) -> str | None:
    """A look that is planned was not put off."""
    if taken is None or not taken.attempt or taken.cause is Cause.AGENT:
        return None
    reason = f", {taken.put_off_for}" if taken.put_off_for else ""
    return f"put off {taken.attempt} times{reason}"


def when_done(account: Account | None, now_ms: int) -> WhenDone | None:
    """``14:32, in 12 min``; ``now``; or that somebody has to act, where nothing else helps. None
    when no worker has answered."""
    done = None if account is None else account.done
    if account is None or done is None:
        return None
    waits = f"{done.waiting:,} wait"
    # Who has not answered may have more.
    unsure = "" if account.whole else ", not all answered"
    if not done.waiting:
        return WhenDone("now", f"nothing waits{unsure}")
    at = epoch_ms(done.at)
    if at is None:
        return WhenDone("somebody must act", waits + unsure)
    left = at - now_ms
    if left < 1_000:
        return WhenDone("now", waits + unsure)
    late = "" if done.within_a_day else ", not within a day"
    day, clock = stamp(at)[:10], stamp(at)[11:16]
    words = clock if day == stamp(now_ms)[:10] else f"{day} {clock}"
    return WhenDone(words, f"{ago(at, now_ms)}, {waits}{late}{unsure}")
