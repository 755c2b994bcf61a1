"""Which request is struck, and by what."""

from __future__ import annotations

import msgspec
import pytest

from streams.local.simulator.faults import CHAOS, Fault, FaultPlan, Faults, Rate, Script
from streams.local.simulator.route import Route

F500 = Fault(status=500)
F429 = Fault(status=429, retry_after=2)


def test_a_script_strikes_one_request_after_the_other_and_then_ends() -> None:
    faults = Faults(FaultPlan(scripts=(Script((F429, F500), "a", Route.GET),)))
    assert [faults.draw(Route.GET, "a", nth) for nth in (1, 2, 3)] == [F429, F500, None]


def test_a_script_leaves_other_interactions_and_routes_alone() -> None:
    faults = Faults(FaultPlan(scripts=(Script((F500,), "a", Route.PATCH),)))
    assert faults.draw(Route.PATCH, "b", 1) is None
    assert faults.draw(Route.GET, "a", 1) is None
    assert faults.draw(Route.PATCH, "a", 1) == F500


def test_times_repeats_and_an_empty_fault_lets_one_through() -> None:
    twice = Fault(status=404, times=2)
    faults = Faults(FaultPlan(scripts=(Script((twice, Fault(), F500)),)))
    drawn = [faults.draw(Route.GET, "a", nth) for nth in range(1, 5)]
    assert drawn == [twice, twice, Fault(), F500]
    assert not Fault().refuses


def test_the_more_specific_script_comes_first() -> None:
    anyone, mine = Fault(status=503), Fault(status=409)
    faults = Faults(FaultPlan(scripts=(Script((anyone,)), Script((mine,), "a"))))
    assert [faults.draw(Route.GET, "a", nth) for nth in (1, 2, 3)] == [mine, anyone, None]


def test_the_token_route_is_struck_only_when_it_is_named() -> None:
    every = FaultPlan(rates=(Rate(1.0, F500),), scripts=(Script((F429,)),))
    assert Faults(every).draw(Route.TOKEN, "", 1) is None
    named = FaultPlan(rates=(Rate(1.0, F500, Route.TOKEN),))
    assert Faults(named).draw(Route.TOKEN, "", 1) == F500
    assert Faults(named).draw(Route.GET, "a", 1) is None


def test_rates_strike_their_shares_one_beside_the_other() -> None:
    faults = Faults(FaultPlan(rates=(Rate(0.2, F500), Rate(0.1, F429))), seed=3)
    drawn = [faults.draw(Route.GET, f"i-{n}", 1) for n in range(10_000)]
    assert drawn.count(F500) == pytest.approx(2_000, abs=160)
    assert drawn.count(F429) == pytest.approx(1_000, abs=120)


def test_rates_depend_on_the_request_and_not_on_the_order_they_come_in() -> None:
    plan = FaultPlan(rates=(Rate(0.5, F500),))
    requests = [
        (route, f"i-{n}", nth)
        for route in (Route.GET, Route.PATCH)
        for n in range(50)
        for nth in (1, 2)
    ]
    forward, backward = Faults(plan, 1), Faults(plan, 1)
    there = {request: forward.draw(*request) for request in requests}
    back = {request: backward.draw(*request) for request in reversed(requests)}
    assert there == back
    other = Faults(plan, 2)
    assert there != {request: other.draw(*request) for request in requests}
    assert any(there[Route.GET, f"i-{n}", 1] != there[Route.GET, f"i-{n}", 2] for n in range(50))


def test_an_outage_strikes_everything_and_consumes_no_script() -> None:
    faults = Faults(FaultPlan(scripts=(Script((F429,), "a"),)))
    faults.outage = F500
    assert faults.draw(Route.TOKEN, "", 1) == faults.draw(Route.GET, "a", 1) == F500
    faults.outage = None
    assert faults.draw(Route.GET, "a", 2) == F429


def test_chaos_is_only_trouble_that_passes() -> None:
    assert {rate.fault.status for rate in CHAOS.rates} <= {None, 401, 429, 500, 503}
    for route in Route:
        assert sum(rate.rate for rate in CHAOS.rates if rate.strikes(route)) < 0.2


@pytest.mark.parametrize(
    "wrong",
    [
        b'{"status":200}',
        b'{"status":500,"timeout":true}',
        b'{"timeout":true,"drop":"after-apply"}',
        b'{"drop":"sometime"}',
        b'{"status":500,"regardless":true}',
        b'{"delayMs":10,"afterApply":true,"regardless":true}',
        b'{"status":500,"times":0}',
        b'{"delayMs":-1}',
        b'{"state":500}',
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(wrong: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(wrong, type=Fault)
