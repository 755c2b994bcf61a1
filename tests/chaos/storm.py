"""One storm from its first event to its verdict."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streams.kafka.topics import apply_topics
from streams.local.generator.delivery import DeliveryReport
from streams.local.simulator.api import Simulator
from streams.local.simulator.faults import CHAOS, Fault, FaultPlan, Rate
from streams.local.simulator.latency import Latency
from streams.local.simulator.route import Route
from streams.local.simulator.server import serving
from streams.settings import Settings
from streams.worker.state.table import changelog
from tests.chaos.audited import audited
from tests.chaos.conversations import PlayedConversations
from tests.chaos.dialect import Played
from tests.chaos.field import OURS, Field
from tests.chaos.interactions import PlayedInteractions
from tests.chaos.judge import Wrong
from tests.chaos.plan import Plan
from tests.chaos.poison import spread_poison
from tests.chaos.reach import BRIDGE_NAME, Reach, Reaches, as_the_judge
from tests.chaos.report import Report, counted, examples
from tests.chaos.schedule import KILLS, draw
from tests.chaos.surroundings import Surroundings
from tests.chaos.watch import LOOK_SECONDS, Watch
from tests.support.clusters import KafkaCluster
from tests.support.locked_kafka import LockedKafka

log = logging.getLogger(__name__)

CODE = "11111111-2222-4333-8444-555555555555"

API_TIMEOUT_SECONDS = 2.0

# Short, so that many an outage's records are put off and come back within the storm.
BREAKER_OPEN_SECONDS = 1.0
RETRY_FIRST_SECONDS = 2.0
LAG_WINDOW_SECONDS = 2.0

# What a GET or PATCH takes, some of them several times as long.
LATENCY = Latency(median_ms=50, spread=0.5)

# The simulator's limit stands in nobody's way here: its 429s come from the faults.
UNLIMITED = 10_000_000

# Everything that passes, and what is worst for a PATCH: done, and the answer comes after the
# client's time-out; and done only after that, when the client has long looked.
API_FAULTS = FaultPlan(
    rates=(
        *CHAOS.rates,
        Rate(0.010, Fault(delay_ms=2_500, after_apply=True), Route.PATCH),
        Rate(0.010, Fault(delay_ms=2_500, regardless=True), Route.PATCH),
    )
)

# Commits follow every second; a broker that came back late may hold one up, and a look at a
# conversation that nothing is due of comes up to half a minute after its last event.
COMMIT_LOOKS = 60


# The one place that knows the dialects.
PLAYED: Mapping[str, Callable[[Plan], Played]] = {
    "interactions": PlayedInteractions,
    "conversations": PlayedConversations,
}


@dataclass(frozen=True)
class Seen:
    """All that is known of a storm once it is over. ``drained``: as in the report. ``judged``: what
    was found before the program's own judge asked the API, too: its requests are no worker's.
    ``audited``: what that judge has found."""

    plan: Plan
    played: Played
    simulator: Simulator
    delivery: DeliveryReport
    watch: Watch
    struck: Mapping[str, int]
    starts: Mapping[str, int]
    ends: Mapping[str, int]
    drained: float
    judged: dict[Wrong, list[str]]
    audited: Sequence[str]


async def storm(
    plan: Plan,
    settings: Settings,
    cluster: KafkaCluster,
    home: Path,
    *,
    locked: LockedKafka | None = None,
    around: Surroundings | None = None,
) -> Report:
    """Let it rage and judge. ``settings``: topics and group of its own; the API is added here.

    ``home``: where logs and workers' disks go. ``locked``: the cluster's locks, if it has any.
    ``around``: network, clocks and disks, where they are to break.
    """
    played = PLAYED[plan.api](plan)
    simulator = Simulator(
        played.truths.values(),
        seed=plan.seed,
        plan=API_FAULTS,
        latency=LATENCY,
        requests_per_minute=UNLIMITED,
    )
    async with serving(simulator) as api:
        settings = settings.model_copy(
            update={
                "kafka_bootstrap_servers": cluster.bootstrap_servers,
                "kafka_session_timeout_seconds": plan.weather.session_seconds,
                "genesys_cloud_base_url": api,
                "genesys_cloud_client_id": "storm",
                "genesys_cloud_client_secret": "storm",
                "api_timeout_seconds": API_TIMEOUT_SECONDS,
                "breaker_open_seconds": BREAKER_OPEN_SECONDS,
                "retry_first_seconds": RETRY_FIRST_SECONDS,
                "lag_window_seconds": LAG_WINDOW_SECONDS,
                "disposition_code_id": CODE,
                **played.settings,
            }
        )
        await asyncio.to_thread(apply_topics, settings.kafka)
        reaches: Reaches = as_the_judge
        if locked is not None:
            reaches = await asyncio.to_thread(_let_in, locked, settings)
        if around is not None:
            await around.lead_to(api)
            reaches = around.reach
        written = changelog(settings.app_id) if plan.program.fenced else None
        with (
            closing(Watch(settings, played.ledger, changelog=written)) as watch,
            Field(
                settings,
                cluster,
                plan.program,
                home,
                most=plan.weather.most,
                outage=simulator.fail,
                releases=plan.drawn,
                reaches=reaches,
            ) as field,
        ):
            await field.start(plan.weather.workers)
            async with _going_on(field.supervise()), _going_on(watch.keep()):
                delivery = await _rage(
                    plan, settings, field, played, simulator=simulator, around=around
                )
                over = time.monotonic()
                log.info("the storm is over")
                await _until_quiet(watch, played, plan.quiet_seconds)
                drained = time.monotonic() - over
                await _until_committed(watch)
                judged = played.judge(simulator)
                # The textbook agent promises nothing that could be audited.
                own = await audited(settings, home, plan.seed) if plan.program is OURS else []
            return _report(
                Seen(
                    plan,
                    played,
                    simulator,
                    delivery,
                    watch,
                    _struck(field, around),
                    field.starts,
                    field.ends,
                    drained,
                    judged,
                    own,
                )
            )


def _let_in(locked: LockedKafka, settings: Settings) -> Reaches:
    """Users for worker and bridge, each with the rights that it needs and no other."""
    for command in ("worker", "bridge"):
        locked.add_user(command)
        locked.grant_command(command, command, settings)
    return lambda name: Reach(locked.access("bridge" if name == BRIDGE_NAME else "worker"))


def _struck(field: Field, around: Surroundings | None) -> dict[str, int]:
    broken = around.struck if around is not None else {}
    return dict(sorted({**field.struck, **broken}.items()))


async def _rage(
    plan: Plan,
    settings: Settings,
    field: Field,
    played: Played,
    *,
    simulator: Simulator,
    around: Surroundings | None,
) -> DeliveryReport:
    """Events, poison and strikes, until all have been sent and all that was down is up again."""
    strikes = draw(plan.seed, plan.seconds, plan.weather)
    log.info("%d strikes in %.0f s", len(strikes), plan.seconds)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as going:
        going.create_task(spread_poison(settings, plan.seed, played.malformed, stop))
        raging = [going.create_task(field.rage(strikes))]
        url = field.bridge.url
        if around is not None:
            url = around.bridge_url
            raging.append(going.create_task(around.rage(field.pid)))
        delivery = await played.send(url, simulator)
        await asyncio.gather(*raging)
        stop.set()
    return delivery


def _report(seen: Seen) -> Report:
    plan, watch, played, ledger = seen.plan, seen.watch, seen.played, seen.watch.ledger
    findings = seen.judged
    # First, for they say why.
    findings[Wrong.NOT_STORED][:0] = seen.delivery.refusals
    findings[Wrong.FRONTIER] += [*watch.lies.values(), *watch.return_lies.values()]
    findings[Wrong.AUDIT] += seen.audited
    if not findings[Wrong.LOST]:
        findings[Wrong.NOT_COMMITTED] += watch.uncommitted
    return Report(
        program=plan.program.name,
        dialect=plan.api,
        seed=plan.seed,
        seconds=plan.seconds,
        drained=round(seen.drained, 1),
        replay=plan.replay,
        sent=played.sent.total(),
        retried_sends=seen.delivery.retries,
        records=ledger.records,
        poison=len(ledger.poison),
        interactions=played.interactions,
        eligible=played.eligible,
        patches_applied=seen.simulator.store.patches_applied,
        published_again=ledger.repeated,
        recovered=len(ledger.recovered),
        put_off=len(ledger.put_off_ids),
        looks=watch.looks,
        blind=watch.blind,
        kills=sum(seen.struck.get(fault, 0) for fault in KILLS),
        faults=seen.struck,
        starts=seen.starts,
        ends=seen.ends,
        api={
            f"{route} {status}": number
            for route, answers in seen.simulator.traffic.counted()["routes"].items()
            for status, number in answers.items()
        },
        decisions=dict(ledger.decisions.most_common()),
        violations=counted(findings),
        examples=examples(findings),
    )


@asynccontextmanager
async def _going_on(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Something that goes on for as long as the block; its failure is the block's."""
    task = asyncio.create_task(work)
    try:
        yield
        if task.done():
            task.result()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _until_quiet(watch: Watch, played: Played, seconds: float) -> None:
    """Until all has its outcome, or no new one came for so long."""
    seen, since = -1, time.monotonic()
    while time.monotonic() - since < seconds:
        if await watch.look() and not watch.unfinished and not played.untold:
            return
        if watch.ledger.told != seen:
            seen, since = watch.ledger.told, time.monotonic()
        await asyncio.sleep(LOOK_SECONDS)


async def _until_committed(watch: Watch) -> None:
    for _ in range(COMMIT_LOOKS):
        if await watch.look() and not watch.uncommitted:
            return
        await asyncio.sleep(LOOK_SECONDS)
