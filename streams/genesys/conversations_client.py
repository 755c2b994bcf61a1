"""What lanes ask of the ``conversations`` API: a look, and a wrap-up code set."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

from opentelemetry import trace
from yarl import URL

from streams.clock import Clock
from streams.core.conversations.conversation import Conversation
from streams.core.retry_policy import CallPolicy
from streams.genesys.api import ApiObserver, CallContext
from streams.genesys.client import Calls, open_calls
from streams.genesys.conversations import Conversations, LegAddress
from streams.genesys.settings import GenesysSettings


class ConversationsClient:
    """Reads conversations and sets wrap-up codes, on the calls handed in."""

    def __init__(self, calls: Calls, *, base_url: str, dialect: Conversations) -> None:
        self.gate = calls.gate
        self.prove_credentials = calls.prove_credentials
        self._calls = calls
        self._base = URL(base_url)
        self._dialect = dialect

    @property
    def refused(self) -> str | None:
        """As ``Calls.refused``."""
        return self._calls.refused

    async def look(self, conversation_id: str, context: CallContext) -> Conversation:
        """GET the conversation."""
        request = self._dialect.get_request(self._base, conversation_id)
        answer = await self._calls.call(request, context)
        return self._dialect.read_conversation(answer, conversation_id)

    async def set_code(self, leg: LegAddress, code: str, context: CallContext) -> int:
        """Send a leg's wrap-up code; returns the HTTP status of the success.

        202 says only that the code was accepted: a look shows when it is there. A try that may have
        taken effect is never repeated here: its error is raised with ``maybe_applied``.
        """
        request = self._dialect.write_request(self._base, leg, code)
        return (await self._calls.call(request, context)).status


@asynccontextmanager
async def open_conversations(
    settings: GenesysSettings,
    *,
    in_flight: int,
    observer: ApiObserver,
    clock: Clock,
    random: Random,
    policy: CallPolicy | None = None,
    tracer: trace.Tracer | None = None,
) -> AsyncIterator[ConversationsClient]:
    """A client with a connection for each of ``in_flight`` lanes; it is closed when the block ends.
    Raises SettingsError when the environment names a proxy that can not be used."""
    dialect = Conversations(settings.wrap_up_method, keep_end_time=settings.keep_end_time)
    async with open_calls(
        settings,
        dialect=dialect,
        in_flight=in_flight,
        observer=observer,
        clock=clock,
        random=random,
        policy=policy,
        tracer=tracer,
    ) as calls:
        yield ConversationsClient(calls, base_url=settings.base_url, dialect=dialect)
