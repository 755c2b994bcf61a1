"""What a person is told: the sentences of docs/stuck.md, and the last line."""

from __future__ import annotations

import re

import pytest

from streams.core.stuck import Cause
from streams.operator.stuck.telling import MEANINGS, done_sentence, place_of, teller_sentence
from tests.support.documents import ROOT
from tests.support.stuck_account import EVENTS, an_account, done, teller

TEXT = (ROOT / "docs" / "stuck.md").read_text()
NOW_MS = 1_767_600_000_000


def told_in_the_document() -> dict[str, tuple[str, str]]:
    """The two cells of each cause, as they are read."""
    table = TEXT.partition("| cause |")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()[2:]]
    return {cause.strip("`"): (_read(waits_for), _read(do)) for cause, waits_for, do in rows}


def _read(text: str) -> str:
    return re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", text).replace("`", "").replace("*", "")


def test_each_cause_has_a_row_in_the_document() -> None:
    assert set(told_in_the_document()) == {cause.value for cause in Cause}


@pytest.mark.parametrize("cause", Cause)
def test_a_cause_means_what_the_document_says(cause: Cause) -> None:
    """There may be more of it: what ``--json`` has beside."""
    waits_for, do = told_in_the_document()[cause.value]
    meaning = MEANINGS[cause]
    assert waits_for.startswith(meaning.waits_for)
    assert waits_for.removeprefix(meaning.waits_for)[:1] in {"", ";"}
    assert do == meaning.do.replace("`", "")


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (done(None, number=0), "nothing waits"),
        (
            done("2026-01-05T14:32:00.000Z"),
            "done at 2026-01-05T14:32:00.000Z; 3,120 wait, 2 requests each, 300 a minute; within "
            "24 hours of each event",
        ),
        (
            done("2026-01-07T14:32:00.000Z", within_a_day=False),
            "done at 2026-01-07T14:32:00.000Z; 3,120 wait, 2 requests each, 300 a minute; NOT "
            "within 24 hours of each event",
        ),
        (
            done(None, "credentials are refused", "7 lie in no partition"),
            "not done before somebody acts: credentials are refused; 7 lie in no partition; 3,120 "
            "wait, 2 requests each, 300 a minute",
        ),
    ],
)
def test_when_all_is_done_is_a_sentence(said: object, sentence: str) -> None:
    assert isinstance(said, type(done(None)))
    assert done_sentence(said) == sentence


def test_a_place_says_how_many_lie_behind_it() -> None:
    first, *_, behind = an_account(NOW_MS).waiting
    assert place_of(first) == f"{EVENTS}/3/1841"
    assert place_of(behind) == f"{EVENTS}/7/90 and 311 more"


def test_a_worker_says_what_it_has_and_what_is_not_named() -> None:
    assert teller_sentence(teller("http://a")) == (
        "http://a: 6 open, 2 of them not named here, partitions 0, 1, 2, 3"
    )
    assert teller_sentence(teller("http://a", error="no answer")) == "http://a: no answer"
