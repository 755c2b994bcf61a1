"""What is shown of conversations once their demo is over."""

from __future__ import annotations

import io
from dataclasses import replace

from rich.console import Console

from streams.clock import SystemClock
from streams.local.demo.ledger import Readings
from streams.local.demo.leg_account import LegAccount
from streams.local.demo.screen import Screen
from tests.support.played_conversations import Played, scenarios

ACCOUNT = Played.of(scenarios(1, 40)).account()
READINGS = Readings(api={"GET": {"200": 130}, "PATCH": {"202": 40, "400": 2}})


def shown(account: LegAccount) -> str:
    out = io.StringIO()
    screen = Screen(Console(file=out, width=120), "title", SystemClock())
    screen.conclude(account, READINGS)
    return out.getvalue()


def test_a_run_that_passes_says_so_in_its_last_line() -> None:
    out = shown(ACCOUNT)
    assert f"{ACCOUNT.sent:,} sent, {ACCOUNT.accepted:,} accepted, the rest skipped" in out
    assert f"{ACCOUNT.due} due, {ACCOUNT.due} of them coded once" in out
    assert "0 coded too early" in " ".join(out.split())
    assert f"{ACCOUNT.gets:.2f} GETs for each conversation" in out
    assert "OUTCOMES" in out
    assert "wrap-up-already-set" in out
    # The good news first, and legs' own decisions in their places.
    rows = [line.split()[0] for line in out.splitlines() if line.strip()]
    told = [row for row in rows if row in ("noted", "patched", "ineligible", "refused")]
    assert told == sorted(told, key=["noted", "patched", "ineligible", "refused"].index)
    assert out.splitlines()[-1].startswith("PASS: every event and every leg ")


def test_a_run_that_fails_names_each_deviation() -> None:
    out = shown(replace(ACCOUNT, deviations=("legs without their code: 1 (p of c)",), retries=2))
    assert "(2 sent again)" in out
    assert "- legs without their code: 1 (p of c)" in out
    assert out.splitlines()[-1] == "FAIL: 1 of what must hold does not"


def test_a_run_in_which_nothing_was_looked_at() -> None:
    assert "- GETs for each" in shown(replace(ACCOUNT, gets=None))
