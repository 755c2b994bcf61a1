"""What a look asks of the API (``streams/genesys/conversations_client.py``)."""

from __future__ import annotations

from typing import Protocol

from streams.core.conversations.conversation import Conversation
from streams.genesys.api import CallContext
from streams.genesys.conversations import LegAddress


class ConversationsApi(Protocol):
    """Collaborator: reads a conversation and sets a leg's code. Both calls try again by themselves,
    count every request in ``context``, and raise an ApiError when the tries are used up."""

    async def look(self, conversation_id: str, context: CallContext) -> Conversation:
        """GET the conversation."""
        ...

    async def set_code(self, leg: LegAddress, code: str, context: CallContext) -> int:
        """Send a leg's code; returns the HTTP status of the success. A try that may have taken
        effect is never repeated here: its error is raised with ``maybe_applied``."""
        ...
