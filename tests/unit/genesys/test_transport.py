"""Whatever aiohttp raises becomes one of our errors, with the doubt that is due."""

from __future__ import annotations

import errno
import inspect
import os
import socket
import ssl
import traceback
from collections.abc import Iterator
from contextlib import asynccontextmanager
from typing import Any, NoReturn, cast

import aiohttp
import pytest
from aiohttp import client_exceptions, http_exceptions
from aiohttp.client_reqrep import ConnectionKey, RequestInfo
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from streams.errors import ApiError, ApiTimeout, ConnectionLost
from streams.genesys.transport import Request, Transport
from tests.support.scripted import LeapingClock, Recorder

TOKEN = "t0k3n-very-secret-1"
URL_ = URL("https://api.example/x")
KEY = ConnectionKey("api.example", 443, True, True, None, None, None)
SECRETS = CIMultiDictProxy(CIMultiDict({"Authorization": f"Bearer {TOKEN}"}))
INFO = RequestInfo(URL_, "PATCH", SECRETS, URL_)
EVIL = f"evil \x1b[31m\n\udcff {TOKEN} " + "x" * 5000


def certificate_error() -> ssl.SSLCertVerificationError:
    return ssl.SSLCertVerificationError(1, EVIL)


MADE: dict[type[Exception], Exception] = {
    aiohttp.ClientConnectorError: aiohttp.ClientConnectorError(KEY, OSError(111, EVIL)),
    aiohttp.ClientConnectorDNSError: aiohttp.ClientConnectorDNSError(KEY, socket.gaierror(1, EVIL)),
    aiohttp.ClientProxyConnectionError: aiohttp.ClientProxyConnectionError(KEY, OSError(1, EVIL)),
    aiohttp.ClientSSLError: aiohttp.ClientSSLError(KEY, OSError(1, EVIL)),
    aiohttp.ClientConnectorSSLError: aiohttp.ClientConnectorSSLError(KEY, ssl.SSLError(1, EVIL)),
    aiohttp.ClientConnectorCertificateError: aiohttp.ClientConnectorCertificateError(
        KEY, certificate_error()
    ),
    client_exceptions.UnixClientConnectorError: client_exceptions.UnixClientConnectorError(
        EVIL, KEY, OSError(1, EVIL)
    ),
    aiohttp.ServerFingerprintMismatch: aiohttp.ServerFingerprintMismatch(b"a", b"b", "h", 1),
    aiohttp.ClientHttpProxyError: aiohttp.ClientHttpProxyError(
        INFO, (), status=407, message=EVIL, headers=SECRETS
    ),
    ConnectionResetError: ConnectionResetError(errno.ECONNRESET, EVIL),
    UnicodeEncodeError: UnicodeEncodeError("idna", EVIL, 0, 1, EVIL),
    ssl.SSLCertVerificationError: certificate_error(),
}
PLAIN = [
    OSError(errno.EMFILE, os.strerror(errno.EMFILE)),
    BrokenPipeError(errno.EPIPE, EVIL),
    ssl.SSLError(1, EVIL),
    ValueError(EVIL),
    UnicodeError(EVIL),
    RuntimeError(EVIL),
    AssertionError(EVIL),
    KeyError(EVIL),
    MemoryError(EVIL),
    RecursionError(EVIL),
    TimeoutError(EVIL),
]


def raised() -> Iterator[Exception]:
    """One of each class that aiohttp's client has, and of what lies below it."""
    yield from MADE.values()
    yield from PLAIN
    for module in (client_exceptions, http_exceptions):
        for _, kind in inspect.getmembers(module, inspect.isclass):
            if issubclass(kind, Exception) and kind not in MADE and "aiohttp" in kind.__module__:
                if issubclass(kind, aiohttp.ClientResponseError):
                    yield kind(INFO, (), status=400, message=EVIL, headers=SECRETS)
                elif issubclass(kind, http_exceptions.LineTooLong):
                    yield kind(EVIL.encode("utf-8", "replace"), 5)
                elif issubclass(kind, aiohttp.InvalidURL):
                    yield kind(URL_, EVIL)
                elif issubclass(kind, http_exceptions.HttpProcessingError):
                    yield _with_a_message(kind)
                else:
                    yield kind(EVIL)


def _with_a_message(kind: Any) -> Exception:
    for arguments in ({"message": EVIL}, {"hdr": EVIL}, {}):
        try:
            return cast(Exception, kind(**arguments))
        except TypeError:
            continue
    return cast(Exception, kind(EVIL))


class Raising:
    """A session whose requests fail like this."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    @asynccontextmanager
    async def request(self, *_: object, **__: object) -> Any:
        self._raise()
        yield

    def _raise(self) -> NoReturn:
        raise self._error


NOT_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


@pytest.mark.parametrize("error", list(raised()), ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("changes", [True, False])
async def test_whatever_is_raised_is_an_error_of_ours(error: Exception, changes: bool) -> None:
    transport = Transport(
        cast(aiohttp.ClientSession, Raising(error)),
        timeout=10,
        clock=LeapingClock(),
        observer=Recorder(),
    )
    request = Request("PATCH", URL_, "/x", "PATCH interaction i-1", changes=changes)
    with pytest.raises(ApiError) as caught:
        await transport.send(request, {"Authorization": f"Bearer {TOKEN}"})
    ours = caught.value
    assert isinstance(ours, ApiTimeout if isinstance(error, TimeoutError) else ConnectionLost)
    assert ours.maybe_applied == (changes and not isinstance(error, NOT_SENT))
    assert str(ours).isprintable()
    assert len(str(ours)) < 1000
    for shown in ("".join(traceback.format_exception(ours)), repr(vars(ours))):
        assert TOKEN[:10] not in shown
