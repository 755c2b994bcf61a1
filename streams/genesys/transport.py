"""Sends one HTTP request to Genesys Cloud; returns its answer or raises the reason for none."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey
from yarl import URL

from streams import __version__
from streams.clock import Clock
from streams.errors import ApiError, ApiTimeout, ConnectionLost
from streams.genesys.answers import DETAIL_MAX_LENGTH, Answer
from streams.genesys.api import ApiObserver
from streams.genesys.blotting import Blotter
from streams.genesys.proxies import Proxy
from streams.sockets import forget_on_close

log = logging.getLogger(__name__)

# An interaction has some kilobytes. Keeps an endless answer from a wrong host out of memory.
BODY_LIMIT = 1024 * 1024
_CHUNK = 64 * 1024

# The part of the time-out in which a connection must be made, through a proxy too. It is shorter
# than the whole, to tell a host that can not be reached from one that has the request but does not
# answer.
_CONNECT_SHARE = 0.5

# Seconds for which an idle connection is kept. Load balancers close theirs after 60 s or more; a
# PATCH sent on a connection that was just closed would be in doubt without need.
_KEEP_ALIVE = 15.0

# The token's request needs a connection beside those of the lanes.
_EXTRA_CONNECTIONS = 1


# The headers with credentials: for Genesys Cloud, and for a proxy.
_AUTHORIZATION = "Authorization"
_PROXY_AUTHORIZATION = "Proxy-Authorization"

NO_PROXIES: Mapping[URL, Proxy] = {}


@dataclass(frozen=True, slots=True)
class Request:
    """One request, without its credentials.

    ``route``: the URL's template, for spans and metrics. ``what``: the request's name in errors.
    ``scope``, ``permission``: the OAuth scope or the permission that it needs. ``changes``: it
    changes something, so before it is sent again a GET must look whether the first one took effect.
    ``secrets``: what its body has that no text of the answer may repeat.
    """

    method: str
    url: URL
    route: str
    what: str
    scope: str = ""
    permission: str = ""
    changes: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)


class Transport:
    """Sends a request exactly once. Never follows a redirect, never reads without a limit.

    ``proxies``: by origin, for each origin that has a proxy. ``secrets``: blotted out of every text
    of an answer, as are the credentials of its own request.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        timeout: float,
        clock: Clock,
        observer: ApiObserver,
        proxies: Mapping[URL, Proxy] = NO_PROXIES,
        secrets: Iterable[str] = (),
    ) -> None:
        self._session = session
        self._timeout = aiohttp.ClientTimeout(total=timeout, connect=timeout * _CONNECT_SHARE)
        self._seconds = timeout
        self._clock = clock
        self._observer = observer
        self._proxies = proxies
        self._secrets = tuple(secrets)

    async def send(self, request: Request, headers: Mapping[str, str]) -> Answer:
        """Send the request with these headers beside its own. Returns an answer of any status.

        Raises ApiTimeout or ConnectionLost, with ``maybe_applied`` when the request changes
        something and may have arrived. The answer to a GET whose end may be missing counts as a
        connection lost, so that a proxy which ends in the middle of it makes no record fail.
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
                "correlation_id": answer.correlation_id,
            },
        )
        return answer

    def _report(self, request: Request, status: int | str, started: float) -> None:
        seconds = self._clock.monotonic() - started
        self._observer.api_call(request.route, request.method, status, seconds)

    async def _exchange(self, request: Request, headers: Mapping[str, str]) -> Answer:
        proxy = self._proxies.get(request.url.origin())
        sent: dict[str, str] = {**request.headers, **headers}
        to_proxy: dict[str, str] = {}
        if proxy is not None and proxy.authorization is not None:
            # For https:// the proxy opens a tunnel, and gets its header before the request is sent.
            tunnelled = request.url.scheme == "https"
            (to_proxy if tunnelled else sent)[_PROXY_AUTHORIZATION] = proxy.authorization
        blotter = self._blotter(request, headers, proxy)
        try:
            async with self._session.request(
                request.method,
                request.url,
                headers=sent,
                data=request.body,
                timeout=self._timeout,
                allow_redirects=False,
                proxy=proxy.url if proxy else None,
                proxy_headers=to_proxy or None,
                middlewares=(_sent_once,),
            ) as response:
                answer = Answer.received(
                    response.status,
                    response.headers,
                    await _bounded(response),
                    now=self._clock.time(),
                    blotter=blotter,
                    proxy=str(proxy or ""),
                )
        except Exception as error:  # noqa: BLE001 - aiohttp may raise anything over bad bytes
            # `from None`: some of aiohttp's errors hold the whole request, Authorization included
            # (test_aiohttp.py).
            raise self._failure(request, error, proxy, blotter) from None
        if answer.status == 407 and proxy is not None:
            raise ConnectionLost(_refused_by(proxy, request, 407), status=407)
        # A body cut at our own limit comes from a wrong host, and would be as long the next time.
        ours = len(answer.body) >= BODY_LIMIT
        if request.method == "GET" and answer.status == 200 and answer.may_be_cut and not ours:
            through = f" through the proxy {proxy}" if proxy else ""
            raise ConnectionLost(
                f"{request.what}: 200{through} with a body of no length that is no JSON, as of a "
                "connection that broke before the answer was complete; check "
                "GENESYS_CLOUD_BASE_URL and the proxies on the way",
                correlation_id=answer.correlation_id,
            )
        return answer

    def _blotter(
        self, request: Request, headers: Mapping[str, str], proxy: Proxy | None
    ) -> Blotter:
        _, _, credentials = headers.get(_AUTHORIZATION, "").partition(" ")
        of_proxy = proxy.secrets if proxy else ()
        return Blotter(*self._secrets, *request.secrets, credentials, *of_proxy)

    def _failure(
        self, request: Request, error: Exception, proxy: Proxy | None, blotter: Blotter
    ) -> ApiError:
        """The error of ours for a request without an answer. Unless the failure is known to have
        come before the request was sent, the request may have been applied."""
        through = f" through the proxy {proxy}" if proxy else ""
        doubt = "; it may have been applied" if request.changes else ""
        match error:
            case aiohttp.ConnectionTimeoutError():
                return ApiTimeout(
                    f"{request.what}: no connection to {request.url.host}{through} in time; "
                    "not sent"
                )
            case TimeoutError():
                return ApiTimeout(
                    f"{request.what}: no answer{through} within {self._seconds:g} s "
                    f"(API_TIMEOUT_SECONDS){doubt}",
                    maybe_applied=request.changes,
                )
            case aiohttp.ClientHttpProxyError() if proxy is not None:
                return ConnectionLost(_refused_by(proxy, request, error.status))
            case aiohttp.ClientConnectorError():
                why = blotter.text(str(error), DETAIL_MAX_LENGTH)
                variables = "GENESYS_CLOUD_BASE_URL, GENESYS_CLOUD_LOGIN_URL"
                return ConnectionLost(
                    f"{request.what}: {why}{through}; not sent; check {variables} and the way there"
                )
            case _:
                cause = _cause(error, blotter)
                return ConnectionLost(
                    f"{request.what}: the connection{through} broke before the answer was "
                    f"complete, or it was no HTTP that can be read ({cause}){doubt}",
                    maybe_applied=request.changes,
                )


def _cause(error: Exception, blotter: Blotter) -> str:
    """The name of aiohttp's error, and its message about the bytes that it could not read. Not the
    error's whole text, which may have the request in it."""
    said = ""
    if isinstance(error, aiohttp.ClientResponseError):
        said = error.message
    elif isinstance(error, aiohttp.ClientPayloadError):
        said = str(error)
    said = blotter.text(said, DETAIL_MAX_LENGTH)
    return ": ".join(filter(None, (type(error).__name__, said)))


def _refused_by(proxy: Proxy, request: Request, status: int) -> str:
    cure = (
        f"it wants other credentials: check USER:PASSWORD@ in {proxy.variable}"
        if status == 407
        else f"check {proxy.variable}, NO_PROXY and what the proxy lets through"
    )
    return f"{request.what}: the proxy {proxy} answered {status}; not sent; {cure}"


async def _sent_once(
    request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a request again.

    aiohttp sends a GET again by itself when a pooled connection breaks (aio-libs/aiohttp#7363 and
    #10790; test_aiohttp.py). That try would be in no count and no span, and would not wait at a
    paused gate. An error of another class makes aiohttp raise instead of trying again.
    """
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise aiohttp.ClientConnectionError(type(error).__name__) from error


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    """The body, cut at the limit. The status is known without it, and JSON that is cut does not
    parse."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        body += chunk
        if len(body) >= BODY_LIMIT:
            break
    return bytes(body[:BODY_LIMIT])


def _forgetful(info: aiohttp.AddrInfoType) -> socket.socket:
    """A socket that is reset when it is closed."""
    family, kind, protocol, _, _ = info
    made = socket.socket(family, kind, protocol)
    forget_on_close(made)
    return made


class _ForgetfulConnector(aiohttp.TCPConnector):
    """Sends nothing more of a request that was given up: a PATCH that timed out in a network that
    was cut must not arrive once it is back (promise 5). aiohttp only closes the connection. Over
    TLS that waits for the other side for as long as half a minute, in which the system goes on
    sending."""

    def _release(
        self, key: ConnectionKey, protocol: ResponseHandler, *, should_close: bool = False
    ) -> None:
        closes = should_close or protocol.should_close
        if closes:
            protocol.abort()
        super()._release(key, protocol, should_close=closes)


def pooled_session(in_flight: int) -> aiohttp.ClientSession:
    """A session with a connection for every lane, so that no request waits for a connection once it
    has passed the gate. The caller closes it."""
    return aiohttp.ClientSession(
        connector=_ForgetfulConnector(
            limit=in_flight + _EXTRA_CONNECTIONS,
            keepalive_timeout=_KEEP_ALIVE,
            socket_factory=_forgetful,
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={
            "User-Agent": f"genesys-streams/{__version__}",
            "Accept": "application/json",
            # A proxy that compresses an answer gives it an entity-tag that the API does not know.
            "Accept-Encoding": "identity",
        },
    )
