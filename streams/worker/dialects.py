"""Opens the dialect of the API that the settings name: the one place that knows them all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

from streams.clock import Clock
from streams.genesys.api import ApiObserver
from streams.settings import Settings
from streams.worker.conversations.composition import open_conversations_dialect
from streams.worker.dialect import Dialect
from streams.worker.interactions import open_interactions


@asynccontextmanager
async def open_dialect(
    settings: Settings, *, observer: ApiObserver, clock: Clock, random: Random
) -> AsyncIterator[Dialect]:
    """The dialect with its client, which is closed when the block ends. Raises SettingsError."""
    if settings.genesys_api == "conversations":
        async with open_conversations_dialect(
            settings, observer=observer, clock=clock, random=random
        ) as conversations:
            yield conversations
    else:
        async with open_interactions(
            settings, observer=observer, clock=clock, random=random
        ) as interactions:
            yield interactions
