"""The access token: all lanes share one, and one fetch serves all that ask (design, 401)."""

from __future__ import annotations

import asyncio
import logging
import re
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, TypeGuard
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from streams.clock import Clock
from streams.core.retry_policy import TOKEN_BACKOFF, Backoff
from streams.errors import ApiError, RateLimited, ServerError, Unauthorized
from streams.genesys.answers import UNREADABLE, Answer
from streams.genesys.gate import Gate, Turn
from streams.genesys.refused_uses import RefusedUses
from streams.genesys.settings import GenesysSettings
from streams.genesys.status_errors import describe, error_of, facts
from streams.genesys.transport import Request, Transport

log = logging.getLogger(__name__)

# A token is replaced this many seconds before its end, to allow for clocks that differ and for
# requests on their way. A token that lives less than twice as long is replaced at half its life.
REFRESH_EARLY = 30.0

WRONG_REGION_OR_SECRET = (
    "the region or the secret is wrong, Genesys Cloud says the same to both: check that "
    "GENESYS_CLOUD_REGION, or GENESYS_CLOUD_BASE_URL and GENESYS_CLOUD_LOGIN_URL, are those of "
    "your org's region, then GENESYS_CLOUD_CLIENT_ID and GENESYS_CLOUD_CLIENT_SECRET"
)
NO_TOKEN = (
    "no token is given; check GENESYS_CLOUD_LOGIN_URL, GENESYS_CLOUD_CLIENT_ID, "
    "GENESYS_CLOUD_CLIENT_SECRET and GENESYS_CLOUD_SCOPES"
)
NO_USERS_TOKEN = (
    "no token is given; GENESYS_CLOUD_REFRESH_TOKEN may have ended, or have been replaced by "
    "another one: grant a new one to GENESYS_CLOUD_CLIENT_ID, then check GENESYS_CLOUD_LOGIN_URL "
    "and GENESYS_CLOUD_CLIENT_SECRET"
)
REFUSED = (
    "the API refuses each token as soon as it is fetched; check that GENESYS_CLOUD_BASE_URL and "
    "GENESYS_CLOUD_LOGIN_URL are those of one org's region, and the OAuth client's rights there"
)

# Characters of a token: it goes into a header, and servers refuse long headers.
TOKEN_MAX_LENGTH = 8192

# A month, in seconds. Even if an endpoint grants a token for ever, a new one is fetched after this.
LONGEST_LIFE = 30 * 86_400.0

_TOKEN = re.compile(r"[!-~]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Granted:
    """The token that the endpoint granted. It fits into a header; ``expires_in`` is in seconds.
    ``refresh_token``: the one that the next request must use, if the endpoint named one."""

    access_token: str = field(repr=False)
    expires_in: float
    refresh_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class _Token:
    """A token in use. Times are monotonic seconds."""

    value: str
    refresh_at: float
    ends_at: float


def _granted(body: Any) -> _Granted:
    """Read the token endpoint's body. Raises ValueError if it grants no usable token."""
    if not isinstance(body, dict):
        raise ValueError("no object")
    token, lives = body.get("access_token"), body.get("expires_in")
    if not _is_token(token):
        raise ValueError("no token that fits into a header")
    if not isinstance(lives, float) or not lives > 0:
        raise ValueError("no life")
    refresh_token = body.get("refresh_token")
    return _Granted(
        token, min(lives, LONGEST_LIFE), refresh_token if _is_token(refresh_token) else None
    )


def _is_token(value: object) -> TypeGuard[str]:
    return (
        isinstance(value, str)
        and len(value) <= TOKEN_MAX_LENGTH
        and _TOKEN.fullmatch(value) is not None
    )


class TokenSource:
    """Gets tokens from ``{login}/oauth/token``, with HTTP Basic and a form (contract): for client
    credentials, or for the user whose refresh token the settings have."""

    def __init__(
        self,
        settings: GenesysSettings,
        *,
        transport: Transport,
        gate: Gate,
        clock: Clock,
        random: Random,
        backoff: Backoff = TOKEN_BACKOFF,
    ) -> None:
        self._request = Request(
            method="POST",
            url=URL(settings.login_url) / "oauth" / "token",
            route="/oauth/token",
            what=f"token from {settings.login_url}",
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        self._scope = {"scope": settings.scopes} if settings.scopes else {}
        self._refresh_token = settings.refresh_token
        self._basic = aiohttp.encode_basic_auth(settings.client_id, settings.client_secret)
        self._transport = transport
        self._gate = gate
        self._clock = clock
        self._random = random
        self._backoff = backoff
        self._token: _Token | None = None
        self._proven = False
        self._failures = 0
        # Whether a fetch has failed since the present token was fetched. A token that is accepted
        # then says nothing about the endpoint.
        self._renewal_failed = False
        self._quiet_until = clock.monotonic()
        self._refused_uses = RefusedUses(backoff, random)
        self._fetching: asyncio.Task[str] | None = None
        self._rotation_logged = False
        self._refused: str | None = None

    @property
    def refused(self) -> str | None:
        """Why the token endpoint or the API refuses us, or some of our requests; None when they do
        not, or when that is not known, because an outage is no refusal."""
        return self._refused or self._refused_uses.why(self._clock.monotonic())

    async def current(self) -> str:
        """A token that has not ended.

        The first caller after ``refresh_at`` (see REFRESH_EARLY) starts a fetch. As long as the
        old token lives, no caller waits for the new one. All callers that wait share one fetch and
        its failure, and after a failure the next fetch waits. Raises Unauthorized when the endpoint
        refuses or its answer makes no sense; RateLimited, ServerError, ApiTimeout or ConnectionLost
        when the endpoint fails.
        """
        now = self._clock.monotonic()
        token = self._token
        if token is not None and now < token.refresh_at:
            return token.value
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch(), name="genesys-token")
            self._fetching.add_done_callback(self._fetched)
        if token is not None and now < token.ends_at:
            return token.value
        # Shielded: a lane that is cancelled must not take the token from the others.
        return await asyncio.shield(self._fetching)

    def live(self) -> str | None:
        """The current token; None when there is none, or when it has ended."""
        token = self._token
        return token.value if token and self._clock.monotonic() < token.ends_at else None

    def accepted(self, token: str, use: str, *, renewed: bool) -> None:
        """The API accepted this token: it is good, and a later 401 means that it has ended.

        ``use``: the method and route of the request. ``renewed``: the request was sent with this
        token because it had got a 401 with another one.
        """
        self._refused_uses.accepted(use, renewed=renewed)
        if self._token is not None and self._token.value == token:
            self._proven = True
            if not self._renewal_failed:
                self._failures = 0
                self._refused = None

    def drop(self, token: str, use: str) -> bool:
        """The API answered 401 to this token: forget it, unless it has been replaced already.
        Returns whether the request may be sent again; ``use``: its method and route.

        A token that the API never accepted counts as a failed fetch, so that fetches are not
        repeated without a wait when the API refuses every token. One that it accepted is kept when
        a new one did not help this use just before: others are served by it, and need not wait.
        """
        if self._token is None or self._token.value != token:
            return True
        now = self._clock.monotonic()
        if self._proven and not self._refused_uses.may_renew(use, now):
            return False
        log.info("the API refused the access token; it is dropped and a new one fetched")
        self._token = None
        if self._proven:
            self._refused_uses.renews(use, now)
        else:
            self._refused = REFUSED
            self._keep_distance()
        return True

    def refused_again(self, use: str) -> None:
        """The API answered 401 to a new token too, or to one that is kept in spite of a 401."""
        self._refused_uses.refused(use, self._clock.monotonic())

    async def close(self) -> None:
        """Abandon a fetch that is under way."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait([self._fetching])

    def _fetched(self, task: asyncio.Task[str]) -> None:
        self._fetching = None
        if not task.cancelled() and (error := task.exception()) is not None:
            # The exception is retrieved here too, because all callers that waited may be cancelled.
            log.warning("no access token", extra={"error": str(error)})
            if isinstance(error, Unauthorized):
                self._refused = str(error)

    def _keep_distance(self, least: float = 0.0) -> None:
        self._failures += 1
        wait = max(least, self._backoff.wait(self._failures, self._random))
        self._quiet_until = self._clock.monotonic() + wait

    async def _fetch(self) -> str:
        while (left := self._quiet_until - self._clock.monotonic()) > 0:
            await self._clock.sleep(left)
        try:
            token = await self._ask()
        except ApiError as error:
            self._renewal_failed = True
            self._keep_distance(min(error.retry_after, self._backoff.cap))
            raise
        self._token = token
        self._proven = self._renewal_failed = False
        self._refused = None
        log.info("access token fetched")
        return token.value

    async def _ask(self) -> _Token:
        """One request for a token. Raises ApiError."""
        with await self._gate.enter(Turn.TOKEN, "token") as permit:
            asked_at = self._clock.monotonic()
            answer = await self._transport.send(self._asking(), {"Authorization": self._basic})
            permit.answered(answer.status, answer.quota)
            try:
                granted = self._granted(answer)
            except RateLimited as limited:
                # Paused before the permit ends, because its end lets the next request through.
                self._gate.pause(limited.retry_after)
                raise
        self._keep_refresh_token(granted.refresh_token)
        lives = granted.expires_in
        if asked_at + lives <= self._clock.monotonic():
            raise Unauthorized(
                f"{self._request.what}: it lives for {lives:g} s, which is less than it takes to "
                "fetch it"
            )
        return _Token(
            value=granted.access_token,
            refresh_at=asked_at + max(lives - REFRESH_EARLY, lives / 2),
            ends_at=asked_at + lives,
        )

    def _asking(self) -> Request:
        """The request with its form: the grant, and the scopes if there are any."""
        grant = {"grant_type": "client_credentials"}
        if self._refresh_token is not None:
            grant = {"grant_type": "refresh_token", "refresh_token": self._refresh_token}
        secrets = (self._refresh_token,) if self._refresh_token else ()
        return replace(self._request, body=urlencode(grant | self._scope).encode(), secrets=secrets)

    def _keep_refresh_token(self, granted: str | None) -> None:
        """Use the refresh token that came with a user's token, for the old one may be good no more.
        It is kept in memory alone, so a start after a rotation may need a new grant."""
        if self._refresh_token is None or granted in (None, self._refresh_token):
            return
        self._refresh_token = granted
        if not self._rotation_logged:
            self._rotation_logged = True
            log.warning(
                "Genesys Cloud has replaced the refresh token; the one in "
                "GENESYS_CLOUD_REFRESH_TOKEN may not be accepted at the next start, nor by another "
                "worker: use a grant whose refresh token stays the same, or client credentials"
            )

    def _granted(self, answer: Answer) -> _Granted:
        """Read the endpoint's answer. Raises ApiError, but never one that is final for a record:
        the record is not at fault when there is no token."""
        what = self._request.what
        if answer.ok:
            try:
                return _granted(answer.json())
            except UNREADABLE:
                # Quotes nothing of the body: it may hold a token that no blotter knows yet.
                raise Unauthorized(
                    f"{what}: {answer.status} with a body that is no token; "
                    "check GENESYS_CLOUD_LOGIN_URL",
                    status=answer.status,
                    correlation_id=answer.correlation_id,
                ) from None
        error = error_of(answer, what=what, changes=False, scope="", random=self._random)
        if isinstance(error, RateLimited | ServerError):
            raise error
        meaning = NO_TOKEN if self._refresh_token is None else NO_USERS_TOKEN
        if error.code == "invalid_client":
            meaning = WRONG_REGION_OR_SECRET
        raise Unauthorized(describe(what, answer, meaning), **facts(answer))
