"""The bridge's port behind TLS, with a certificate that is renewed on disk while it serves."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from streams.settings import Settings
from tests.support.authority import Authority
from tests.support.bridges import bridge_on


async def served_name(url: str, authority: Authority) -> str:
    """The name in the certificate that a new connection is shown, once it is believed."""
    trusting = ssl.create_default_context(cafile=authority.file)
    port = int(url.rpartition(":")[2])
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting)
    ((subject,),) = writer.get_extra_info("peercert")["subject"]
    writer.close()
    await writer.wait_closed()
    return str(subject[1])


async def test_the_port_speaks_tls_alone_and_takes_up_what_is_renewed(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    first, second = (authority.certificate(n, hosts=("localhost",)) for n in ("first", "second"))
    file = Path(shutil.copy(first, tmp_path / "served.pem"))
    half_written = tmp_path / "half.pem"
    half_written.write_bytes(second.read_bytes()[:100])
    settings = make_settings(bridge_port=0, bridge_ssl_certfile=file)
    async with bridge_on(settings) as url, aiohttp.ClientSession() as session:
        assert url.startswith("https://")
        trusting = ssl.create_default_context(cafile=authority.file)
        async with session.get(f"{url}/healthz", ssl=trusting) as answer:
            assert answer.status == 200
        with pytest.raises(aiohttp.ClientError):
            await session.get(url.replace("https", "http") + "/healthz")

        assert await served_name(url, authority) == "first"
        shutil.copy(half_written, file)
        assert await served_name(url, authority) == "first"
        shutil.copy(second, file)
        assert await served_name(url, authority) == "second"
