"""One HTTP request to Genesys Cloud and its answer, or the named reason why none came."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

import aiohttp
from yarl import URL

from streams import __version__
from streams.clock import Clock
from streams.errors import ApiError, ApiTimeout, ConnectionLost
from streams.genesys.answers import CORRELATION_ID, Answer
from streams.genesys.observer import ApiObserver

log = logging.getLogger(__name__)

# An interaction is some kilobytes. Keeps a wrong host's endless answer out of memory.
BODY_LIMIT = 1024 * 1024
_CHUNK = 64 * 1024

# Part of the time-out in which a connection must stand. Shorter than the whole, so that a host
# that can not be reached is told apart from one that took the request and does not answer.
_CONNECT_SHARE = 0.5

# Seconds an idle connection is kept. Load balancers close theirs after 60 and more; a PATCH that
# meets a connection just closed would be in doubt for nothing.
_KEEP_ALIVE = 15.0

# The token's request comes on top of the lanes' own.
_EXTRA_CONNECTIONS = 1


@dataclass(frozen=True, slots=True)
class Request:
    """One request, without its credentials.

    ``route``: the URL's template, for spans and metrics. ``what``: its name in errors. ``scope``:
    the OAuth scope it needs. ``changes``: it changes something, so it must not be sent twice
    without looking.
    """

    method: str
    url: URL
    route: str
    what: str
    scope: str = ""
    changes: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


class Transport:
    """Sends a request exactly once. Never follows a redirect, never reads without a limit."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        timeout: float,
        clock: Clock,
        observer: ApiObserver,
    ) -> None:
        self._session = session
        self._timeout = aiohttp.ClientTimeout(total=timeout, sock_connect=timeout * _CONNECT_SHARE)
        self._seconds = timeout
        self._clock = clock
        self._observer = observer

    async def send(self, request: Request, headers: Mapping[str, str]) -> Answer:
        """Send it with these headers beside its own; whatever its status, an answer is returned.

        Raises ApiTimeout or ConnectionLost, with ``maybe_applied`` when the request changes
        something and may have arrived.
        """
        started = self._clock.monotonic()
        try:
            answer = await self._exchange(request, headers)
        except ApiError as error:
            self._report(request, type(error).__name__, started)
            raise
        self._report(request, answer.status, started)
        log.debug(
            "Genesys Cloud answered",
            extra={
                "request": request.what,
                "status": answer.status,
                "correlation_id": answer.headers.get(CORRELATION_ID),
            },
        )
        return answer

    def _report(self, request: Request, status: int | str, started: float) -> None:
        seconds = self._clock.monotonic() - started
        self._observer.api_call(request.route, request.method, status, seconds)

    async def _exchange(self, request: Request, headers: Mapping[str, str]) -> Answer:
        # `from None`: some of aiohttp's errors hold the whole request, Authorization included.
        try:
            async with self._session.request(
                request.method,
                request.url,
                headers={**request.headers, **headers},
                data=request.body,
                timeout=self._timeout,
                allow_redirects=False,
                middlewares=(_sent_once,),
            ) as response:
                return Answer(response.status, response.headers, await _bounded(response))
        except aiohttp.ConnectionTimeoutError:
            raise ApiTimeout(
                f"{request.what}: no connection to {request.url.host} in time; not sent"
            ) from None
        except TimeoutError:
            raise ApiTimeout(
                f"{request.what}: no answer within {self._seconds:g} s (API_TIMEOUT_SECONDS)"
                + _doubt(request),
                maybe_applied=request.changes,
            ) from None
        except aiohttp.ClientConnectorError as error:
            raise ConnectionLost(
                f"{request.what}: {error}; not sent; check GENESYS_CLOUD_BASE_URL, "
                "GENESYS_CLOUD_LOGIN_URL and the way there"
            ) from None
        except aiohttp.ClientError as error:
            raise ConnectionLost(
                f"{request.what}: the connection broke before the answer was complete "
                f"({type(error).__name__})" + _doubt(request),
                maybe_applied=request.changes,
            ) from None


def _doubt(request: Request) -> str:
    return "; it may have been applied" if request.changes else ""


async def _sent_once(
    request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """aiohttp sends a GET again by itself when a pooled connection breaks. That try would be in no
    count and no span, and would not stop at a closed gate: named otherwise, the error passes."""
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise aiohttp.ClientConnectionError(type(error).__name__) from error


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    """The body, cut at the limit: a status speaks for itself, and JSON that is cut does not
    parse."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        body += chunk
        if len(body) >= BODY_LIMIT:
            break
    return bytes(body[:BODY_LIMIT])


def pooled_session(in_flight: int) -> aiohttp.ClientSession:
    """A session with a connection for every lane, so that none queues behind the pool once it has
    passed the gate. The caller closes it."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=in_flight + _EXTRA_CONNECTIONS, keepalive_timeout=_KEEP_ALIVE
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": f"genesys-streams/{__version__}", "Accept": "application/json"},
    )
