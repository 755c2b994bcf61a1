"""Who may look, and who may change something.

On loopback everybody on this machine may look. Elsewhere, and for each change, it takes one of the
keys: in ``X-Api-Key``, or typed once into the page, which then has a session of its own in a cookie
that no script reads and no other site sends along.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from aiohttp import web

from streams.addresses import is_loopback
from streams.api_keys import HEADER, is_authorized
from streams.clock import Clock

COOKIE = "console_session"

# The hidden field of each form that changes something.
TOKEN_FIELD = "token"

# A working day: whoever has left the key in a browser has to type it again tomorrow.
SESSION_SECONDS = 12 * 3600

# Sessions at once; with more, the oldest one ends. Each takes a key, so nobody else fills this.
MOST_SESSIONS = 1_000


@dataclass(frozen=True, slots=True)
class Session:
    """``token``: what its forms carry, so that no other site can send them. ``ends``: monotonic
    seconds."""

    token: str
    ends: float


class Access:
    """``keys``: those accepted; none: nothing can be changed. ``local``: it listens on loopback.
    ``over_tls``: then no browser sends the cookie in clear."""

    def __init__(
        self, keys: Sequence[str], *, local: bool, over_tls: bool = False, clock: Clock
    ) -> None:
        self.keys = keys
        self._local = local
        self._over_tls = over_tls
        self._clock = clock
        self._sessions: dict[str, Session] = {}

    def may_look(self, request: web.Request) -> bool:
        return self._local or self._knows_key(request) or self.session(request) is not None

    def may_change(self, request: web.Request, token: str) -> bool:
        """``token``: that of the form. A program with a key in its header needs none: no other site
        can make a browser send that header."""
        if not self.keys:
            return False
        session = self.session(request)
        of_session = session is not None and secrets.compare_digest(
            token.encode("utf-8", "surrogatepass"), session.token.encode()
        )
        return of_session or self._knows_key(request)

    def session(self, request: web.Request) -> Session | None:
        """The session of the request's cookie; None when there is none, or it has ended."""
        session = self._sessions.get(request.cookies.get(COOKIE, ""))
        if session is None or session.ends < self._clock.monotonic():
            return None
        return session

    def sign_in(self, presented: str, answer: web.Response) -> bool:
        """Whether it is a key; the answer then has a new session's cookie."""
        if not self.keys or not is_authorized(presented, self.keys):
            return False
        name = secrets.token_urlsafe(32)
        ends = self._clock.monotonic() + SESSION_SECONDS
        while len(self._sessions) >= MOST_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        self._sessions[name] = Session(secrets.token_urlsafe(32), ends)
        answer.set_cookie(
            COOKIE,
            name,
            max_age=SESSION_SECONDS,
            httponly=True,
            samesite="Strict",
            secure=self._over_tls,
            path="/",
        )
        return True

    def sign_out(self, request: web.Request, answer: web.Response) -> None:
        self._sessions.pop(request.cookies.get(COOKIE, ""), None)
        answer.del_cookie(COOKIE, path="/")

    def is_ours(self, request: web.Request) -> bool:
        """Whether the request was meant for this console. A page of another site could have its
        name lead to 127.0.0.1, and read what is open there: on loopback, the name has to be
        loopback's. And a form of another site says where it is from."""
        origin = request.headers.get("Origin")
        try:
            host = urlsplit(f"//{request.host}").hostname or ""
            from_here = origin is None or urlsplit(origin).netloc == request.host
        except ValueError:  # no name of a host
            return False
        return from_here and (is_loopback(host) or not self._local)

    def _knows_key(self, request: web.Request) -> bool:
        presented = request.headers.get(HEADER)
        return presented is not None and bool(self.keys) and is_authorized(presented, self.keys)
