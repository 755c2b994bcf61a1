"""The settings about Genesys Cloud, checked, as the modules of this room take them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

WrapUpMethod: TypeAlias = Literal["participant", "communication", "call"]
Medium: TypeAlias = Literal["voice", "callback", "message", "email", "chat"]

INTERACTION_SCOPES = "interaction:read interaction:write"


@dataclass(frozen=True, slots=True)
class GenesysSettings:
    """What it takes to talk to one Genesys Cloud org. Times in seconds."""

    base_url: str
    login_url: str
    client_id: str
    client_secret: str = field(repr=False)
    scopes: str | None = INTERACTION_SCOPES
    requests_per_minute: int = 300
    budget_shared_by: int = 1
    timeout: float = 10.0
    breaker_open_seconds: float = 30.0
    # interactions or conversations.
    dialect: str = "interactions"
    # A user's grant in place of client credentials.
    refresh_token: str | None = field(default=None, repr=False)
    # For conversations alone.
    wrap_up_method: WrapUpMethod = "participant"
    keep_end_time: bool = True
