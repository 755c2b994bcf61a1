"""``doctor --conversation``, whatever the dialect."""

from __future__ import annotations

from collections.abc import AsyncIterator

from streams.clock import Clock
from streams.genesys.client import GenesysClient
from streams.genesys.dialect import DIALECTS
from streams.operator.doctor.check import Check
from streams.operator.doctor.conversation import ConversationProbe
from streams.operator.doctor.examination import asking, conversations_of
from streams.operator.doctor.interaction import probe_interaction
from streams.settings import Settings


async def probe(
    settings: Settings, some_id: str, clock: Clock, *, really: bool
) -> AsyncIterator[Check]:
    """What would be done with one conversation, or one interaction. Raises SettingsError."""
    genesys = settings.connection()
    if genesys.dialect == "conversations":
        policy, conversations = settings.wrap_up_policy(), conversations_of(genesys)
        async with asking(genesys, clock, conversations) as calls:
            conversation = ConversationProbe(
                calls, base_url=genesys.base_url, dialect=conversations, policy=policy, clock=clock
            )
            async for each in conversation.run(some_id, really=really):
                yield each
        return
    interactions = DIALECTS[genesys.dialect]
    async with asking(genesys, clock, interactions) as calls:
        client = GenesysClient(calls, base_url=genesys.base_url, dialect=interactions)
        async for each in probe_interaction(client, some_id, settings.policy(), really=really):
            yield each
