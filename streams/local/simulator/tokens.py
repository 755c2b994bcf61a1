"""OAuth tokens of the simulated login host."""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Callable
from dataclasses import dataclass

# Genesys Cloud's own default: a day.
DEFAULT_LIFETIME_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Client:
    """The OAuth client that is let in."""

    id: str
    secret: str


class Tokens:
    """Issues bearer tokens and knows which are valid. Without ``client`` any client is let in.

    ``lifetime`` is in seconds of ``monotonic``. ``refresh_token``: the only one that is let in; any
    one without it. ``rotates``: one that was used is replaced and good no more.
    """

    def __init__(
        self,
        monotonic: Callable[[], float],
        client: Client | None = None,
        lifetime: int = DEFAULT_LIFETIME_SECONDS,
        refresh_token: str | None = None,
        rotates: bool = False,
    ) -> None:
        self.lifetime = lifetime
        self._first_refresh_token = refresh_token
        self._refresh_token = refresh_token
        self._rotates = rotates
        self._of_users: set[str] = set()
        self.issued = 0
        self._monotonic = monotonic
        self._client = client
        self._ends_at: dict[str, float] = {}

    def lets_in(self, authorization: str) -> bool:
        """Whether an ``Authorization: Basic`` header is that of the client."""
        scheme, _, encoded = authorization.partition(" ")
        try:
            client_id, colon, secret = (
                base64.b64decode(encoded, validate=True).decode().partition(":")
            )
        except (binascii.Error, UnicodeDecodeError):
            return False
        if scheme.lower() != "basic" or not colon:
            return False
        return self._client is None or self._client == Client(client_id, secret)

    def issue(self, *, user: bool = False) -> str:
        token = secrets.token_urlsafe(32)
        if user:
            self._of_users.add(token)
        self._ends_at[token] = self._monotonic() + self.lifetime
        self.issued += 1
        return token

    def renew(self, refresh_token: str) -> str | None:
        """The refresh token that is good from now on; None when this one is not."""
        if not refresh_token or self._refresh_token not in (None, refresh_token):
            return None
        if self._rotates:
            refresh_token = self._refresh_token = secrets.token_urlsafe(32)
        return refresh_token

    def of_user(self, token: str) -> bool:
        """Whether the token was granted to a user."""
        return token in self._of_users

    def good(self, token: str) -> bool:
        ends_at = self._ends_at.get(token)
        return ends_at is not None and self._monotonic() < ends_at

    def revoke(self) -> None:
        """Makes all tokens invalid, as when the OAuth client was edited."""
        self._ends_at.clear()

    def reset(self) -> None:
        self.revoke()
        self._of_users.clear()
        self._refresh_token = self._first_refresh_token
        self.issued = 0
