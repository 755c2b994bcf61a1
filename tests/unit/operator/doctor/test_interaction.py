"""One interaction as the doctor sees it, in a simulated org, and what it does there."""

from __future__ import annotations

from typing import Any

from streams.core.decision import Policy
from streams.genesys.client import GenesysClient
from streams.genesys.dialect import DIALECTS
from streams.local.simulator.api import Simulator
from streams.local.simulator.faults import Fault
from streams.local.simulator.server import serving
from streams.operator.doctor.check import Check, Result
from streams.operator.doctor.examination import asking
from streams.operator.doctor.interaction import probe_interaction
from tests.support.scripted import VOICE, LeapingClock
from tests.unit.operator.doctor.org import settings_of

POLICY = Policy(code="code-7")


async def probed(
    truth: dict[str, Any],
    *,
    policy: Policy = POLICY,
    really: bool = False,
    fault: Fault | None = None,
) -> tuple[list[Check], int]:
    """What is said of interaction i-1, and how many PATCHes took effect."""
    simulator = Simulator([truth])
    simulator.fail(fault)
    async with serving(simulator) as url:
        dialect = DIALECTS["interactions"]
        settings = settings_of(url, dialect=dialect.name)
        async with asking(settings, LeapingClock(), dialect) as calls:
            client = GenesysClient(calls, base_url=url, dialect=dialect)
            checks = probe_interaction(client, "i-1", policy, really=really)
            return [each async for each in checks], simulator.store.patches_applied


async def test_one_that_is_eligible_is_told_and_left_as_it_is() -> None:
    (check,), patches = await probed(VOICE)
    assert check.found == "it gets code-7 now: eligible (voice, completed, 60.0 s)"
    assert patches == 0


async def test_really_sets_its_code() -> None:
    checks, patches = await probed(VOICE, really=True)
    assert [each.result for each in checks] == [Result.OK, Result.OK]
    assert patches == 1


async def test_one_that_is_left_and_why() -> None:
    (check,), patches = await probed(VOICE | {"type": "chat"}, really=True)
    assert check.found.startswith("it is left alone: non-voice-interaction ")
    assert patches == 0


async def test_a_dry_run_sets_nothing() -> None:
    (check,), patches = await probed(VOICE, policy=Policy(code=None, dry_run=True), really=True)
    assert "DRY_RUN" in check.found
    assert patches == 0


async def test_one_that_there_is_not_and_an_api_that_fails() -> None:
    (check,), _ = await probed(VOICE | {"id": "i-2"})
    assert (check.result, "no interaction i-1" in check.found) == (Result.FAILED, True)
    (check,), _ = await probed(VOICE, fault=Fault(status=401))
    assert check.result is Result.FAILED
