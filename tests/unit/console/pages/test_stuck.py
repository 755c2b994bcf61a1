"""The page of what is stuck, and the overview's word for when all is done."""

from __future__ import annotations

import pytest

from streams.clock import rfc3339
from streams.console.index.store import Index
from streams.console.pages.stuck import SHOWN, Group, Row, WhenDone, stuck, when_done
from streams.core.records import Source
from streams.core.stuck import Cause
from streams.operator.stuck.account import Account, Done, NotTakenUp
from tests.support.console_desk import desk_over
from tests.support.planted import Field
from tests.support.stuck_account import an_account, done, teller, waiting

# 12:00 UTC.
NOON_MS = 1_767_614_400_000


def rows_of(index: Index, land: Field, account: Account) -> tuple[list[Row], dict[str, object]]:
    desk = desk_over(index, land)
    desk.stuck.told(account)
    values = stuck(desk, {})
    rows = values["rows"]
    assert isinstance(rows, list)
    return rows, values


def test_each_row_says_what_it_waits_for_and_who_has_it(index: Index, land: Field) -> None:
    rows, values = rows_of(index, land, an_account(NOON_MS))
    breaker, _, call, put_off, behind = rows
    assert (breaker.cause, breaker.tone, breaker.requests) == ("breaker", "put off", 3)
    assert breaker.waits_for.startswith("Genesys Cloud, which fails")
    assert (breaker.since, breaker.next_at) == (NOON_MS - 250_000, NOON_MS + 20_000)
    assert call.sent_at == NOON_MS - 2_000
    assert put_off.put_off == "put off 2 times, api-unavailable"
    assert (behind.requests, behind.next_at, behind.put_off) == (None, None, None)
    assert behind.place.endswith("events/7/90 and 311 more")
    assert (values["more"], values["gaps"]) == (0, [])
    causes = values["causes"]
    assert isinstance(causes, list)
    assert causes[0] == Group("behind", "nothing new", 312, "look at what the older ones wait for")


def test_what_no_worker_has_is_there_and_red(index: Index, land: Field) -> None:
    nobodys = NotTakenUp(None, Source("events", 7, 9), 1, None, None, Cause.NO_WORKER)
    ((row,), values) = rows_of(index, land, Account((nobodys,), (), (), None))
    assert (row.worker, row.interaction_id, row.since, row.tone) == (None, None, None, "failed")
    assert values["done"] is None


def test_a_planned_look_was_not_put_off(index: Index, land: Field) -> None:
    planned = waiting(Cause.AGENT, None, attempt=1, put_off_for="look-planned")
    ((row,), _) = rows_of(index, land, Account((planned,), (), (), None))
    assert row.put_off is None


def test_the_table_is_bounded_and_says_how_many_more_there_are(index: Index, land: Field) -> None:
    many = tuple(waiting(Cause.BUDGET, None, each) for each in range(SHOWN + 7))
    rows, values = rows_of(index, land, Account(many, (), (), None))
    assert (len(rows), values["more"]) == (SHOWN, 7)
    assert rows[0].place.endswith("/1841"), "the oldest stay"


def test_what_is_not_known_is_named(index: Index, land: Field) -> None:
    silent = teller("http://away:6066", error="no answer within 5 s")
    told = an_account(NOON_MS, gap="a worker of the group has not answered")
    _, values = rows_of(index, land, Account(told.waiting, (silent,), told.gaps, told.done))
    assert values["gaps"] == [
        "http://away:6066: no answer within 5 s",
        "a worker of the group has not answered",
    ]
    assert values["tellers"] == []


@pytest.mark.parametrize(
    ("said", "words", "beside"),
    [
        (done(rfc3339(NOON_MS / 1000 + 750)), "12:12", "in 12 min, 3,120 wait"),
        (
            done(rfc3339(NOON_MS / 1000 + 100_000), within_a_day=False),
            "2026-01-06 15:46",
            "in 1 d, 3,120 wait, not within a day",
        ),
        (done(rfc3339(NOON_MS / 1000 - 3)), "now", "3,120 wait"),
        (done(rfc3339(NOON_MS / 1000), number=0), "now", "nothing waits"),
        (done(None, "the credentials are refused"), "somebody must act", "3,120 wait"),
    ],
)
def test_when_all_is_done_is_said_at_a_glance(said: Done, words: str, beside: str) -> None:
    assert when_done(Account((), (), (), said), NOON_MS) == WhenDone(words, beside)


def test_a_worker_that_has_not_answered_may_have_more() -> None:
    silent = teller("http://away:6066", error="no answer within 5 s")
    nothing = Account((), (silent,), (), done(rfc3339(NOON_MS / 1000), number=0))
    assert when_done(nothing, NOON_MS) == WhenDone("now", "nothing waits, not all answered")


@pytest.mark.parametrize("account", [None, Account((), (), (), None)])
def test_without_an_answer_nothing_is_said(account: Account | None) -> None:
    assert when_done(account, NOON_MS) is None
