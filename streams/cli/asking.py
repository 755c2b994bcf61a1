"""Asks Genesys Cloud what it says of past interactions, in the dialect that is set."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

from streams.clock import SystemClock
from streams.genesys.client import open_client
from streams.genesys.conversations_client import open_conversations
from streams.operator.replay.conversations import ConversationsReading, ask_conversation
from streams.operator.replay.past import InteractionsReading
from streams.operator.replay.rehearsal import AT_ONCE, Ask, ask_interaction
from streams.settings import Settings


def reading_of(settings: Settings) -> InteractionsReading | ConversationsReading:
    """How events are read in the dialect that is set, by the rules of a rehearsal."""
    if settings.genesys_api == "conversations":
        return ConversationsReading(settings.wrap_up_policy(rehearsal=True))
    return InteractionsReading(settings.policy(rehearsal=True))


@asynccontextmanager
async def asking(
    settings: Settings, reading: InteractionsReading | ConversationsReading, calls: Calls
) -> AsyncIterator[Ask]:
    """Asks the API of the dialect, with a client that is closed when the block ends."""
    clock = SystemClock()
    if isinstance(reading, ConversationsReading):
        async with open_conversations(
            settings.genesys(), in_flight=AT_ONCE, observer=calls, clock=clock, random=Random()
        ) as conversations:
            wrap_up = reading.policy
            yield lambda question: ask_conversation(
                question, conversations, wrap_up, round(clock.time() * 1000)
            )
    else:
        async with open_client(
            settings.genesys(), in_flight=AT_ONCE, observer=calls, clock=clock, random=Random()
        ) as interactions:
            policy = reading.policy
            yield lambda question: ask_interaction(question, interactions, policy)


class Calls:
    """An ApiObserver that counts calls."""

    def __init__(self) -> None:
        self.number = 0

    def api_call(self, route: str, method: str, status: int | str, seconds: float) -> None:
        self.number += 1

    def throttled(self, seconds: float) -> None:
        """Not counted."""
