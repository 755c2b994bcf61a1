"""The console's port behind TLS."""

from __future__ import annotations

import ssl
from pathlib import Path

import aiohttp
import pytest

from streams.console.index.store import Index
from streams.tls_files import port_tls
from tests.support.authority import Authority
from tests.support.console_desk import KEY, desk_over, serving
from tests.support.planted import Field


async def test_the_port_speaks_tls_alone_and_its_cookie_too(
    index: Index, land: Field, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    tls = port_tls("CONSOLE_SSL", authority.certificate("console", hosts=("localhost",)), None)
    trusting = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=authority.file))
    async with (
        serving(desk_over(index, land), keys=[KEY], tls=tls) as url,
        aiohttp.ClientSession(connector=trusting) as session,
    ):
        assert url.startswith("https://")
        form, own = {"key": KEY, "to": "/"}, {"Origin": url}
        async with session.post(
            f"{url}/sign-in", data=form, headers=own, allow_redirects=False
        ) as answer:
            assert answer.status == 303
            assert "Secure" in answer.headers["Set-Cookie"]
        with pytest.raises(aiohttp.ClientError):
            await session.get(url.replace("https", "http") + "/healthz")


async def test_over_plain_http_the_cookie_goes_along(index: Index, land: Field) -> None:
    """With ``Secure`` no browser would send it, and the key would be asked for again and again."""
    async with (
        serving(desk_over(index, land), keys=[KEY]) as url,
        aiohttp.ClientSession() as session,
        session.post(
            f"{url}/sign-in", data={"key": KEY, "to": "/"}, allow_redirects=False
        ) as answer,
    ):
        assert "Secure" not in answer.headers["Set-Cookie"]
