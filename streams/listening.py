"""An HTTP server on a port of this machine, for the bridge and the worker. A failure to bind is
reported in one line. Bytes that are not HTTP are never logged. However many connections strangers
open, the process keeps the descriptors that it needs."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import socket
import ssl
import sys
from asyncio.trsock import TransportSocket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Self

from aiohttp import ClientConnectionResetError, web
from aiohttp.http_exceptions import HttpProcessingError

from streams.errors import SettingsError

log = logging.getLogger(__name__)

# What aiohttp raises for bytes that are not HTTP, in a head or in the framing of a body. The
# message has those bytes in it, and so the API key when the key's line is the broken one.
_SENDERS_FAULT = (HttpProcessingError, web.RequestPayloadError)

# The only value that HTTP defines for a client's `Expect` header.
CONTINUE = "100-continue"

# Descriptors that no connection may take. They are for Kafka (two clients, each with a connection
# to every broker), for files, and for connections that are accepted but not yet counted.
KEPT_BACK = 128

# Turns of the loop whose new connections, together, may take what is kept back. Four may pass
# before a connection too many is closed again; then half of it is still there.
TURNS_WITHIN_KEPT_BACK = 8

# Connections that the system holds for us until we accept them. With a shorter queue, senders that
# come all at once are let in a second later.
QUEUE = 128

# How long a TLS handshake may take, so that silent clients do not hold descriptors for long.
# EventBridge waits 5 s for the whole answer, and so does a worker that asks another one.
HANDSHAKE_SECONDS = 5.0

# How long a client may take to answer TLS' goodbye, or to read what is left, before its connection
# is cut. The bridge's whole drain has 9.5 s, of which 8 s are for answers, records and spans.
GOODBYE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Room:
    """Descriptors that a server may take. ``connections``: how many may be open at once.
    ``accepted_at_once``: how many are accepted in one turn of the loop."""

    connections: int
    accepted_at_once: int

    @classmethod
    def within(cls, descriptors: int) -> Self:
        """For a process that may have that many descriptors: all but ``KEPT_BACK``, or half of them
        when they are few."""
        kept_back = min(KEPT_BACK, descriptors // 2)
        return cls(descriptors - kept_back, max(1, kept_back // TURNS_WITHIN_KEPT_BACK))

    @classmethod
    def of_this_process(cls) -> Self:
        """For the descriptors that ``ulimit -n`` allows this process."""
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return cls.within(limit if limit != resource.RLIM_INFINITY else sys.maxsize)


class Runner(web.AppRunner):
    """Runs an application. Neither its log nor its answers quote a request that is not HTTP.

    ``on_not_http`` is called for each such request. ``on_no_room`` is called for each connection
    that is closed at once because the limit is reached: if the process ran out of descriptors it
    could not reach Kafka any more. ``options``: those of aiohttp's ``web.AppRunner``. Bodies are
    handed on as they arrived, and aiohttp logs no requests. ``cleanup`` returns when every
    connection is closed, and waits for no silent client longer than ``GOODBYE_SECONDS``.
    """

    def __init__(
        self,
        app: web.Application,
        *,
        on_not_http: Callable[[], None],
        on_no_room: Callable[[], None] = lambda: None,
        room: Room | None = None,
        shutdown_timeout: float = 60.0,
        **options: Any,
    ) -> None:
        super().__init__(app, shutdown_timeout=shutdown_timeout)
        self._on_not_http = on_not_http
        self._on_no_room = on_no_room
        self._room = room or Room.of_this_process()
        self._options = {"access_log": None, "auto_decompress": False} | options
        self._listeners: list[asyncio.Server] = []
        self._over_tls = False
        # Accepted and not open yet, the oldest first. With TLS these are handshakes.
        self._beginning: dict[asyncio.Task[Any], None] = {}
        self._open: dict[_Connection, TransportSocket] = {}
        self._none_open = asyncio.Event()
        self._none_open.set()

    @property
    def room(self) -> Room:
        return self._room

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self.server.connections) if self.server is not None else 0

    def no_room(self) -> bool:
        """Whether a new connection must be closed at once. It does not count as open yet."""
        if self.connections < self._room.connections:
            return False
        self._refused()
        return True

    def _refused(self) -> None:
        log.warning(
            "a connection is refused, as many are open as there may be: raise ulimit -n",
            extra={"limit": self._room.connections},
        )
        self._on_no_room()

    async def serve_on(self, listening: socket.socket, tls: ssl.SSLContext | None) -> None:
        """Accept connections, over TLS if there is a context."""
        self._over_tls = tls is not None
        # For asyncio the backlog is both the length of the queue and the number of connections it
        # accepts in one turn of the loop. For each one that it has no descriptor for it logs an
        # error and tries again. The queue gets its right length afterwards.
        self._listeners.append(
            await asyncio.get_running_loop().create_server(
                self._accept if tls is None else self._accept_tls,
                sock=listening,
                backlog=self._room.accepted_at_once,
                ssl=tls,
                ssl_handshake_timeout=None if tls is None else HANDSHAKE_SECONDS,
                ssl_shutdown_timeout=None if tls is None else GOODBYE_SECONDS,
            )
        )
        listening.listen(QUEUE)

    def _accept(self) -> web.RequestHandler:
        """asyncio calls this in the task that makes the connection, before a handshake begins."""
        task = asyncio.current_task()
        assert task is not None
        assert self.server is not None
        self._beginning[task] = None
        task.add_done_callback(lambda done: self._beginning.pop(done, None))
        return self.server()

    def _accept_tls(self) -> web.RequestHandler:
        # A handshake takes a descriptor, too: the slowest gives way.
        if self._beginning and self.connections + len(self._beginning) >= self._room.connections:
            slowest = next(iter(self._beginning))
            del self._beginning[slowest]
            slowest.cancel()
            self._refused()
        return self._accept()

    def opened(self, connection: _Connection, transport: asyncio.Transport) -> None:
        # The transport of TLS forgets its socket as soon as it is being closed.
        self._open[connection] = transport.get_extra_info("socket")
        self._none_open.clear()

    def closed(self, connection: _Connection) -> None:
        self._open.pop(connection, None)
        if not self._open:
            self._none_open.set()

    async def cleanup(self) -> None:
        loop = asyncio.get_running_loop()
        for listener in self._listeners:
            for each in listener.sockets:
                loop.remove_reader(each.fileno())
        # What was accepted in this turn of the loop begins in the next. asyncio forgets those whose
        # server is closed in between, and leaves their clients waiting (test_connections.py).
        await asyncio.sleep(0)
        for listener in self._listeners:
            listener.close()
        if self._beginning:
            if self._over_tls:
                for handshake in self._beginning:
                    handshake.cancel()
            await asyncio.wait(self._beginning)
        await super().cleanup()
        await self._until_closed()

    async def _until_closed(self) -> None:
        """aiohttp only begins to close connections: what is to be sent is still sent, and TLS waits
        for the client's goodbye. A loop that ends before leaves them to the garbage collector."""
        with suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_SECONDS):
                await self._none_open.wait()
        for connection in self._open.values():
            # The transport's abort() does nothing once TLS is being closed.
            with suppress(OSError):  # the client has cut it in the meantime
                connection.shutdown(socket.SHUT_RDWR)
        await self._none_open.wait()

    def not_http(self) -> None:
        self._on_not_http()

    async def _make_server(self) -> web.Server:
        return _Server(await super()._make_server(), self, self._options)


class _Server(web.Server):
    """Routes requests as the server ``made`` does, on connections of class _Connection."""

    def __init__(self, made: web.Server, runner: Runner, options: dict[str, Any]) -> None:
        super().__init__(self._handle, request_factory=made.request_factory)
        self._routed = made.request_handler
        self._runner = runner
        self._options = options

    def __call__(self) -> web.RequestHandler:
        return _Connection(self, self._runner, self._options)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        # aiohttp would quote the header in its answer (test_aiohttp.py), and would fail when it is
        # not UTF-8 (test_not_http.py).
        if request.headers.get("Expect", CONTINUE).lower() != CONTINUE:
            self._runner.not_http()
            return _refusal("this server can only be expected to say 100-continue", 417)
        return await self._routed(request)


class _Connection(web.RequestHandler):
    __slots__ = ("_runner",)

    def __init__(self, server: web.Server, runner: Runner, options: dict[str, Any]) -> None:
        super().__init__(server, loop=asyncio.get_running_loop(), **options)
        self._runner = runner

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Open connections are still served, however many new ones come, and an idle one is closed
        # when its time is up. The client of a refused connection sees it closed, and tries again.
        assert isinstance(transport, asyncio.Transport)
        if self._runner.no_room():
            transport.abort()
        else:
            super().connection_made(transport)
            self._runner.opened(self, transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._runner.closed(self)

    async def start(self) -> None:
        # A request can pass the parser although no Request can be made of it, for example when its
        # host is not a valid name. The error then ends the task of the connection.
        try:
            await super().start()
        except Exception as error:  # noqa: BLE001 - its text may be what the sender sent
            log.warning("a connection was given up: %s", type(error).__name__)
            self._runner.not_http()
            self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if isinstance(exc, ClientConnectionResetError):  # gone before 100 Continue
            return _refusal("the connection was closed", 400)
        if not isinstance(exc, _SENDERS_FAULT):
            return super().handle_error(request, status, exc, message)
        self._runner.not_http()
        return _refusal("that is no valid HTTP request", status if status < 500 else 400)

    def log_exception(self, *args: Any, **kwargs: Any) -> None:
        # aiohttp reports the error a second time, when it reads and discards the rest of a badly
        # framed body (test_not_http.py).
        if not isinstance(kwargs.get("exc_info"), _SENDERS_FAULT):
            super().log_exception(*args, **kwargs)


def _refusal(error: str, status: int) -> web.Response:
    answer = web.json_response(
        {"error": error, "field": None}, status=status, headers={"Connection": "close"}
    )
    answer.force_close()
    return answer


async def listen(
    runner: Runner,
    host: str,
    port: int,
    *,
    variables: str,
    tls: ssl.SSLContext | None = None,
) -> tuple[str, int]:
    """Bind the port. Returns the address and the port, the real one when ``port`` is 0.

    ``tls``: without it the port speaks plain HTTP.

    Raises SettingsError that names ``variables``; the runner is cleaned up then.
    """
    loop = asyncio.get_running_loop()
    await runner.setup()
    try:
        with _binding(host, port, variables):
            bound = await loop.create_server(asyncio.Protocol, host, port, start_serving=False)
            sockets = [each.dup() for each in bound.sockets]
            bound.close()
            for each in sockets:
                await runner.serve_on(each, tls)
    except SettingsError:
        await runner.cleanup()
        raise
    address, real_port = sockets[0].getsockname()[:2]
    return address, real_port


async def check_address(host: str, port: int, *, variables: str) -> None:
    """Raises SettingsError when ``listen`` would, unless somebody takes the port in between."""
    loop = asyncio.get_running_loop()
    with _binding(host, port, variables):
        bound = await loop.create_server(asyncio.Protocol, host, port, start_serving=False)
    bound.close()


@contextmanager
def _binding(host: str, port: int, variables: str) -> Iterator[None]:
    try:
        yield
    except (OSError, UnicodeError) as exc:
        raise SettingsError(
            f"{variables}: cannot listen on {host} port {port}: {_reason(exc)}; set an address of "
            "this machine and a port that no other program uses"
        ) from exc


def _reason(failure: OSError | UnicodeError) -> str:
    if isinstance(failure, UnicodeError):
        return "that is no name of a host"
    # asyncio's own text repeats the address. A failed look-up has no error number of the system.
    if failure.errno is not None and failure.errno > 0:
        return os.strerror(failure.errno)
    return failure.strerror or str(failure)
