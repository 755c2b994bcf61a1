"""An API that can be reached through a proxy alone: a small proxy, plain and tunnelled."""

from __future__ import annotations

import asyncio
import base64
import logging
import ssl
import subprocess
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import aiohttp
import pytest

from streams.errors import ApiError, ApiTimeout, ConnectionLost, ServerError, SettingsError
from streams.genesys import client as client_module
from streams.genesys.api import CallContext
from streams.genesys.client import GenesysClient, open_client
from streams.genesys.settings import GenesysSettings
from tests.support.raw_server import RawServer, http, read_request
from tests.support.scripted import CLIENT_ID, CLIENT_SECRET, UNPACED, LeapingClock, Recorder

PASSWORD = "pr0xy-p4ssw0rd"
USER = "pr0xy-us3r"
BASIC = base64.b64encode(f"{USER}:{PASSWORD}".encode())

# A name that no resolver knows: only the proxy finds its way there.
HOST = "api.genesys.invalid"


@dataclass
class TinyProxy:
    """Sends everything to ``target``. ``answer``: what it answers instead; None: nothing at all.
    ``asked``: the requests made of it."""

    target: int = 0
    port: int = 0
    forwards: bool = True
    answer: bytes | None = None
    asked: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://{USER}:{PASSWORD}@127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if not (request := await read_request(reader)):
                return
            self.asked.append(request)
            if self.forwards:
                await self._forward(request, reader, writer)
            elif self.answer is not None:
                writer.write(self.answer)
                await writer.drain()
            else:
                await reader.read()
        except ConnectionError:
            pass  # One of the two hung up.
        finally:
            writer.close()

    async def _forward(
        self, request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        there_in, there_out = await asyncio.open_connection("127.0.0.1", self.target)
        if request.startswith(b"CONNECT "):
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            there_out.write(request)
        back = asyncio.create_task(pump(there_in, writer))
        await pump(reader, there_out)
        await back


async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()
    except ConnectionError:
        pass  # One of the two hung up.
    finally:
        sink.close()


@dataclass
class Site:
    """The API behind its proxy. ``scheme`` is how it is reached."""

    api: RawServer
    proxy: TinyProxy
    scheme: str

    @property
    def url(self) -> str:
        return f"{self.scheme}://{HOST}:{self.api.port}"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for ``HOST``, signed by itself."""
    pem = tmp_path_factory.mktemp("tls") / "both.pem"
    paths = ["-keyout", str(pem), "-out", str(pem.with_suffix(".crt"))]
    name = ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}"]
    kind = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command = ["openssl", "req", *kind, *name, *paths]
    subprocess.run(command, check=True, capture_output=True)
    pem.write_bytes(pem.read_bytes() + pem.with_suffix(".crt").read_bytes())
    return pem


@pytest.fixture(params=["http", "https"])
async def site(
    request: pytest.FixtureRequest, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Site]:
    scheme: str = request.param
    tls = None
    if scheme == "https":
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate)
        trusting = ssl.create_default_context(cafile=str(certificate))

        def session(in_flight: int) -> aiohttp.ClientSession:
            connector = aiohttp.TCPConnector(limit=in_flight, ssl=trusting)
            return aiohttp.ClientSession(connector=connector)

        monkeypatch.setattr(client_module, "pooled_session", session)
    api, proxy = RawServer(), TinyProxy()
    async with (
        await asyncio.start_server(api.serve, "127.0.0.1", 0, ssl=tls) as api_server,
        await asyncio.start_server(proxy.serve, "127.0.0.1", 0) as proxy_server,
    ):
        api.port = proxy.target = api_server.sockets[0].getsockname()[1]
        proxy.port = proxy_server.sockets[0].getsockname()[1]
        monkeypatch.setenv(f"{scheme.upper()}_PROXY", proxy.url)
        yield Site(api, proxy, scheme)


@asynccontextmanager
async def opened(site: Site, *, timeout: float = 10.0) -> AsyncIterator[GenesysClient]:
    settings = GenesysSettings(
        base_url=site.url,
        login_url=site.url,
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        requests_per_minute=UNPACED,
        timeout=timeout,
    )
    async with open_client(
        settings, in_flight=3, observer=Recorder(), clock=LeapingClock(), random=Random(7)
    ) as client:
        yield client


async def test_api_and_token_endpoint_are_reached_through_it(site: Site) -> None:
    async with opened(site) as client:
        assert (await client.fetch("i-1", CallContext())).type == "voice"
        site.api.answer = http(200)
        await client.set_disposition("i-1", "code", '"1"', CallContext())
    assert [request.split(b" ")[0] for request in site.api.received] == [b"POST", b"GET", b"PATCH"]
    assert len(site.proxy.asked) == 3
    for request in site.proxy.asked:
        assert request.startswith(b"CONNECT ") == (site.scheme == "https")
        assert request.count(b"Proxy-Authorization: Basic " + BASIC) == 1
        if site.scheme == "https":
            assert b"Authorization: Bearer" not in request
    if site.scheme == "https":
        for request in site.api.received:
            assert b"Proxy-Authorization" not in request


async def test_no_proxy_decides_for_loopback_too(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.proxy.forwards, site.proxy.answer = False, http(502)
    monkeypatch.setenv("NO_PROXY", HOST)
    async with opened(site) as client:
        with pytest.raises(ConnectionLost, match="not sent"):
            await client.fetch("i-1", CallContext())
    assert site.proxy.asked == []


@pytest.mark.parametrize("status", [407, 403, 502])
@pytest.mark.parametrize("during", ["token", "call"])
async def test_a_proxy_that_refuses_is_named_and_its_credentials_are_not(
    site: Site, status: int, during: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    echo = b'{"message":"no %s:%s, no %s"}' % (USER.encode(), PASSWORD.encode(), BASIC)
    async with opened(site) as client:
        if during == "call":
            await client.prove_credentials()
        site.proxy.forwards, site.proxy.answer = False, http(status, echo)
        with pytest.raises(ApiError) as caught:
            await client.set_disposition("i-1", "code", None, CallContext())
    text = str(caught.value)
    assert f"127.0.0.1:{site.proxy.port} ({site.scheme.upper()}_PROXY)" in text
    assert str(status) in text
    if site.scheme == "https" or status == 407:
        # It was the proxy that spoke, and nothing got past it.
        assert isinstance(caught.value, ConnectionLost)
        assert "not sent" in text
        assert not caught.value.maybe_applied
    nothing_of_it_is_shown(caught.value, caplog)


@pytest.mark.parametrize("answer", [b"", b"garbage\r\n\r\n", b"HTTP/1.1 20"])
async def test_a_proxy_that_hangs_up_or_talks_nonsense(
    site: Site, answer: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    site.proxy.forwards, site.proxy.answer = False, answer
    async with opened(site) as client:
        with pytest.raises(ConnectionLost) as caught:
            await client.fetch("i-1", CallContext())
    assert f"127.0.0.1:{site.proxy.port}" in str(caught.value)
    nothing_of_it_is_shown(caught.value, caplog)


async def test_a_proxy_that_hangs(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    async with opened(site, timeout=0.3) as client:
        await client.prove_credentials()
        site.proxy.forwards = False
        with pytest.raises(ApiTimeout) as caught:
            await client.set_disposition("i-1", "code", None, CallContext())
    assert f"127.0.0.1:{site.proxy.port}" in str(caught.value)
    # A tunnel that does not stand has let nothing through.
    assert caught.value.maybe_applied == (site.scheme == "http")
    nothing_of_it_is_shown(caught.value, caplog)


async def test_a_proxy_that_is_not_there(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(f"{site.scheme.upper()}_PROXY", f"http://{USER}:{PASSWORD}@127.0.0.1:1")
    async with opened(site) as client:
        with pytest.raises(ConnectionLost, match=r"127\.0\.0\.1:1 .*not sent") as caught:
            await client.fetch("i-1", CallContext())
    nothing_of_it_is_shown(caught.value, caplog)


async def test_a_5xx_of_the_api_names_the_proxy_on_the_way(site: Site) -> None:
    site.api.answer = http(503)
    async with opened(site) as client:
        with pytest.raises(ServerError, match="503 through the proxy"):
            await client.fetch("i-1", CallContext())


async def test_one_that_can_not_be_used_is_named_before_anything_starts(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{site.scheme.upper()}_PROXY", f"socks5://{USER}:{PASSWORD}@h:1080")
    with pytest.raises(SettingsError, match=f"{site.scheme.upper()}_PROXY: ") as caught:
        async with opened(site):
            pass
    assert PASSWORD not in str(caught.value)


async def test_netrc_is_not_read(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine {HOST} login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    async with opened(site) as client:
        await client.fetch("i-1", CallContext())
    assert b"Authorization: Bearer t0k3n-raw-1" in site.api.received[-1]


def nothing_of_it_is_shown(error: ApiError, caplog: pytest.LogCaptureFixture) -> None:
    shown = ["".join(traceback.format_exception(error)), repr(vars(error))]
    shown += [repr(vars(record)) for record in caplog.records]
    for secret in (PASSWORD, BASIC.decode(), CLIENT_SECRET, "t0k3n-raw"):
        assert not [text for text in shown if secret in text]
