"""What is shown while the demo runs and when it is over, on a terminal and elsewhere."""

from __future__ import annotations

import asyncio
import io
import re
from collections import Counter
from dataclasses import replace

import pytest
from rich.console import Console

from streams.clock import Clock
from streams.core.records import Basis, Decision, Reason, Source
from streams.local.demo.account import Account
from streams.local.demo.ledger import (
    Answer,
    Ledger,
    Percentiles,
    PublishedOutcome,
    Readings,
    SourceRecord,
)
from streams.local.demo.screen import DRAW_SECONDS, PRINT_SECONDS, Film, Screen
from streams.wire.outcomes import Outcome

ANSI = "\x1b["

ACCOUNT = Account(
    sent=1_230,
    accepted=1_230,
    retries=0,
    records=1_230,
    decided=1_230,
    missing=0,
    more_than_one=0,
    answers=Counter({(Decision.PATCHED, Reason.ELIGIBLE): 1_061}),
    expected=Counter({(Decision.PATCHED, Reason.ELIGIBLE): 1_062}),
    differing=0,
    interactions=150,
    eligible=61,
    patched_once=60,
    patched_more=1,
    patched_wrongly=2,
    calls_per_eligible=2.0,
    calls_per_other_voice=None,
    latency=Percentiles(14, 61, 1_080),
    seconds=12.5,
    example="an-interaction",
    deviations=(),
)
READINGS = Readings(api={"GET": {"200": 130, "429": 2}, "PATCH": {"200": 61}}, in_flight=7)


class StillClock(Clock):
    """Time that passes only while somebody sleeps; ends the sleeper after ``seconds``."""

    def __init__(self, seconds: float = 60.0) -> None:
        self.now = 100.0
        self._ends = self.now + seconds

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.now > self._ends:
            raise asyncio.CancelledError


def console(*, terminal: bool, width: int = 100) -> tuple[Console, io.StringIO]:
    shown = io.StringIO()
    made = Console(
        file=shown,
        force_terminal=terminal,
        color_system="standard" if terminal else "auto",
        width=width,
    )
    return made, shown


def decided(ledger: Ledger, offset: int, *, at_ms: int = 1_000, took_ms: int = 40) -> None:
    """One more event, and its outcome."""
    event = {"id": f"event-{offset}", "detail": {"interactionId": "i"}}
    ledger.sent.append(f"event-{offset}")
    ledger.records[0, offset] = SourceRecord(event, at_ms)
    outcome = Outcome(
        outcome_id=str(offset),
        final=True,
        interaction_id="i",
        sequence_id=offset,
        event_id=f"event-{offset}",
        decision=Decision.STALE,
        reason=Reason.STALE_SEQUENCE,
        basis=Basis.CACHE,
        dry_run=False,
        disposition_code_id=None,
        patch_status=None,
        recovered=False,
        api_calls=0,
        attempts=0,
        duration_ms=None,
        event_time="",
        decided_at="",
        latency_ms=0.0,
        end_to_end_ms=0.0,
        source=Source("events", 0, offset),
        trace_id=None,
        error=None,
    )
    ledger.enter(PublishedOutcome(outcome, at_ms + took_ms))


async def follow(*, terminal: bool, seconds: float) -> str:
    ledger = Ledger()
    for offset in range(1_234):
        decided(ledger, offset)
    made, shown = console(terminal=terminal)
    screen = Screen(made, "the demo", StillClock(seconds))
    with pytest.raises(asyncio.CancelledError):
        await screen.follow(ledger, READINGS, planned=2_000)
    return shown.getvalue()


async def test_a_terminal_is_drawn_on() -> None:
    shown = await follow(terminal=True, seconds=DRAW_SECONDS)
    assert ANSI in shown
    for part in ("1,234 of 2,000", "stale-sequence", "429", "p50 40 ms, p95 40 ms, p99 40 ms"):
        assert part in shown


async def test_elsewhere_a_line_is_printed_now_and_then() -> None:
    shown = await follow(terminal=False, seconds=2 * PRINT_SECONDS)
    assert shown.splitlines() == [
        "  5.0 s  1,234 of 2,000 events sent, 1,234 decided, 193 API calls, 7 in flight",
        " 10.0 s  1,234 of 2,000 events sent, 1,234 decided, 193 API calls, 7 in flight",
    ]


def test_a_snapshot_has_the_rate_of_late() -> None:
    clock, ledger = StillClock(), Ledger()
    film = Film(ledger, Readings(), 100, clock)
    assert film.take().rate == 0.0
    for second in range(10):
        clock.now += 1
        for offset in range(4 * second, 4 * second + 4):
            decided(ledger, offset)
        assert film.take().rate == pytest.approx(4.0)
    for _ in range(4):
        clock.now += 1
        last = film.take()
    assert (last.rate, last.decided, last.elapsed) == (0.0, 40, 14.0)


def test_starting_is_printed_where_nothing_can_be_drawn() -> None:
    made, shown = console(terminal=False)
    with Screen(made, "the demo", StillClock()).doing("starting"):
        pass
    assert shown.getvalue() == "the demo: starting\n"


@pytest.mark.parametrize("terminal", [True, False])
def test_the_summary_shows_all_and_ends_with_the_verdict(terminal: bool) -> None:
    made, shown = console(terminal=terminal)
    Screen(made, "the demo", StillClock()).conclude(ACCOUNT, READINGS)
    text = shown.getvalue()
    assert (ANSI in text) is terminal
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    words = " ".join(plain.split())
    for part in (
        "1,230 sent, 1,230 accepted, 1,230 in Kafka",
        "1,230 events have one, 0 have none, 0 more than one",
        "150: 61 eligible, 60 of them PATCHed once; 1 PATCHed twice, 2 wrongly",
        "2.00 per eligible interaction, - per other voice interaction",
        "p50 14 ms, p95 61 ms, p99 1,080 ms",
        "98 events/s over 12.5 s",
    ):
        assert part in words
    assert plain.splitlines()[-1].startswith("PASS: every event has its one final outcome")


def test_decisions_stand_beside_the_models() -> None:
    made, shown = console(terminal=False)
    Screen(made, "the demo", StillClock()).conclude(ACCOUNT, READINGS)
    row = next(line for line in shown.getvalue().splitlines() if "eligible  " in line)
    assert row.split()[:4] == ["patched", "eligible", "1,061", "1,062"]


def test_a_failure_names_what_went_wrong_and_fails_last() -> None:
    made, shown = console(terminal=False, width=40)
    deviations = ("events without a final outcome: 2 (a, b)", "eligible [bold] without a PATCH: 1")
    account = replace(ACCOUNT, deviations=deviations, retries=3)
    Screen(made, "the demo", StillClock()).conclude(account, READINGS)
    assert "3 sent again" in " ".join(shown.getvalue().split())
    assert shown.getvalue().splitlines()[-3:] == [
        "- events without a final outcome: 2 (a, b)",
        "- eligible [bold] without a PATCH: 1",
        "FAIL: 2 of what must hold does not",
    ]


@pytest.mark.parametrize("width", [80, 120])
def test_nothing_is_cut_off_at_the_width_of_a_terminal(width: int) -> None:
    made, shown = console(terminal=False, width=width)
    said: list[Answer] = [(Decision.INELIGIBLE, reason) for reason in Reason]
    answers = Counter(dict.fromkeys(said, 4_645))
    account = replace(ACCOUNT, answers=answers, expected=answers)
    Screen(made, "the demo", StillClock()).conclude(account, READINGS)
    assert "…" not in shown.getvalue()
