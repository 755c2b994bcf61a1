"""What aiohttp does by itself, and the program does not let it do."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest
from aiohttp import hdrs, web
from aiohttp.client import IDEMPOTENT_METHODS
from aiohttp.client_reqrep import RequestInfo
from aiohttp.helpers import get_env_proxy_for_url
from aiohttp.test_utils import make_mocked_request
from aiohttp.web_urldispatcher import _default_expect_handler
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL


async def test_a_get_is_sent_again_when_a_pooled_connection_breaks() -> None:
    requests: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.read(1 << 16):
            requests.append(head)
            if len(requests) == 2:
                break
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = URL.build(scheme="http", host="127.0.0.1", port=server.sockets[0].getsockname()[1])
    async with server, aiohttp.ClientSession() as session:
        for _ in range(2):
            async with session.get(url) as answer:
                assert answer.status == 200
    assert len(requests) == 3
    assert "PATCH" not in IDEMPOTENT_METHODS


async def test_trust_env_reads_netrc_which_refuses_our_token(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    async with aiohttp.ClientSession(trust_env=True) as session:
        with pytest.raises(ValueError, match="Cannot combine AUTHORIZATION"):
            await session.get("http://127.0.0.1:1/", headers={hdrs.AUTHORIZATION: "Bearer t0k3n"})


def test_trust_env_knows_no_networks_in_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", "10.0.0.0/8")
    proxy, _ = get_env_proxy_for_url(URL("http://10.1.2.3/"))
    assert proxy == URL("http://proxy:3128")


def test_an_errors_text_may_have_the_requests_credentials() -> None:
    url, headers = URL("http://api/"), CIMultiDict({hdrs.AUTHORIZATION: "Bearer t0k3n"})
    request = RequestInfo(url, "GET", CIMultiDictProxy(headers), url)
    assert "t0k3n" in repr(aiohttp.ClientResponseError(request, ()))


async def test_what_a_client_expects_is_quoted() -> None:
    request = make_mocked_request("POST", "/events", {"Expect": "s3cret"})
    with pytest.raises(web.HTTPExpectationFailed) as answered:
        await _default_expect_handler(request)
    assert "s3cret" in str(answered.value.text)
