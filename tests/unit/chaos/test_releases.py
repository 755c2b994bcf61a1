"""Which release a process of a mixed storm is, each time that it is started."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from tests.chaos.plan import Plan
from tests.chaos.releases import Drawn, added
from tests.support.releases import THIS, Release

LAST = Release("0.0.9", Path("python"))
STARTS = 200


def drawn(name: str = "worker 1", seed: int = 7) -> list[Release]:
    draw = Drawn((LAST, THIS), seed, name)
    return [draw.next() for _ in range(STARTS)]


def test_the_same_seed_draws_the_same_for_each_process_its_own() -> None:
    assert drawn() == drawn()
    assert drawn() != drawn(name="worker 2")
    assert drawn() != drawn(seed=8)


def test_it_goes_back_and_forth() -> None:
    draw = Drawn((LAST, THIS), 7, "worker 1")
    releases = [draw.next() for _ in range(STARTS)]
    pairs = list(pairwise(releases))
    assert draw.starts == {
        "0.0.9 started": releases.count(LAST),
        f"{THIS.version} started": releases.count(THIS),
        f"{THIS.version} started after 0.0.9": pairs.count((LAST, THIS)),
        f"0.0.9 started after {THIS.version}": pairs.count((THIS, LAST)),
    }
    assert min(draw.starts.values()) > STARTS / 10
    assert added([draw, draw]) == {name: 2 * number for name, number in draw.starts.items()}


def test_a_storm_of_one_release_has_no_other() -> None:
    draw = Plan(seed=7, seconds=60).drawn("worker 1")
    assert {draw.next() for _ in range(20)} == {THIS}
    assert "--mixed" in Plan(seed=7, seconds=60, releases=(LAST, THIS)).replay
