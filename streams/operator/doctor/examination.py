"""All checks, in the order in which one builds on the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

from streams.clock import Clock
from streams.core.retry_policy import CallPolicy
from streams.errors import ApiError, NotFound, SettingsError
from streams.genesys.api import CallContext
from streams.genesys.client import Calls, GenesysClient, open_calls
from streams.genesys.conversations import Conversations
from streams.genesys.dialect import DIALECTS, ReadsErrors
from streams.genesys.org import Org
from streams.genesys.settings import GenesysSettings
from streams.operator.doctor import api
from streams.operator.doctor.check import Check, Result, failed, ok, warning
from streams.operator.doctor.environment import check_disk, check_regions, check_settings
from streams.operator.doctor.kafka import check_kafka
from streams.settings import Settings
from streams.stopping import in_daemon_thread

# Whoever runs the doctor wants to hear of a failure at once, and not of a third one.
ONCE = CallPolicy(tries=1)


class Unobserved:
    """An ApiObserver: nobody counts what a command asks once."""

    def api_call(self, route: str, method: str, status: int | str, seconds: float) -> None:
        """Not counted."""

    def throttled(self, seconds: float) -> None:
        """Not counted."""


@asynccontextmanager
async def asking(
    settings: GenesysSettings, clock: Clock, dialect: ReadsErrors
) -> AsyncIterator[Calls]:
    """Calls of a command: one at a time, each sent once. Raises SettingsError."""
    async with open_calls(
        settings,
        dialect=dialect,
        in_flight=1,
        observer=Unobserved(),
        clock=clock,
        random=Random(),
        policy=ONCE,
    ) as calls:
        yield calls


def conversations_of(settings: GenesysSettings) -> Conversations:
    """The dialect as these settings have it."""
    return Conversations(settings.wrap_up_method, keep_end_time=settings.keep_end_time)


async def examine(settings: Settings, clock: Clock) -> AsyncIterator[Check]:
    """Look at everything. What can not be asked any more is left out."""
    for each in check_settings(settings):
        yield each
    yield check_disk(settings.data_dir)
    kafka = asyncio.create_task(in_daemon_thread(check_kafka, settings.kafka))
    try:
        for each in await kafka:
            yield each
    finally:
        kafka.cancel()
    try:
        genesys = settings.connection()
    except SettingsError:
        return  # told above
    for each in check_regions(settings, genesys):
        yield each
    async for each in _of_api(settings, genesys, clock):
        yield each


async def _of_api(
    settings: Settings, genesys: GenesysSettings, clock: Clock
) -> AsyncIterator[Check]:
    conversations = genesys.dialect == "conversations"
    dialect = conversations_of(genesys) if conversations else DIALECTS[genesys.dialect]
    async with asking(genesys, clock, dialect) as calls:
        token = await api.check_token(calls)
        yield token
        if token.result is Result.FAILED:
            return
        if not conversations:
            client = GenesysClient(
                calls, base_url=genesys.base_url, dialect=DIALECTS[genesys.dialect]
            )
            yield await _read_interaction(client)
        else:
            async for each in _of_org(settings, genesys, Org(calls, base_url=genesys.base_url)):
                yield each
        yield api.check_rate(calls.latest, genesys.requests_per_minute)
        margin_ms = round(settings.wrap_up_margin_seconds * 1000)
        yield api.check_clock(calls.latest, clock.time(), margin_ms)


async def _of_org(settings: Settings, genesys: GenesysSettings, org: Org) -> AsyncIterator[Check]:
    several = [api.check_org(org, genesys), api.check_permissions(org)]
    if settings.disposition_code_id is not None:
        several.append(api.check_code(org, settings.disposition_code_id))
    for checks in several:
        async for each in checks:
            yield each
    yield await api.check_topics(org)


async def _read_interaction(client: GenesysClient) -> Check:
    try:
        await client.fetch(api.NOBODYS, CallContext())
    except NotFound:
        return ok("read", "interactions may be read")
    except ApiError as error:
        return failed("read", str(error))
    return warning(
        "read",
        f"there is an interaction {api.NOBODYS}, which nobody made",
        "check GENESYS_CLOUD_BASE_URL: what answers there is hardly Genesys Cloud",
    )
