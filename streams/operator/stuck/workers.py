"""Asks workers what they have open."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import aiohttp
import msgspec
from yarl import URL

from streams.api_keys import HEADER
from streams.core.foreign_text import foreign_text
from streams.errors import WorkerSilent
from streams.wire.stuck import WorkerStanding, read_standing

# How long a worker may take to answer. It answers within milliseconds unless it hangs.
ASK_SECONDS = 5.0

# An answer names at most 100 records; a larger one is another program's.
MOST_BYTES = 4 << 20

REASON_LENGTH = 300


@dataclass(frozen=True, slots=True)
class Asked:
    """One worker that was asked. ``error``: why there is no answer."""

    url: str
    standing: WorkerStanding | None
    error: str | None = None


async def ask_workers(urls: Iterable[str], keys: Sequence[str], tls: ssl.SSLContext) -> list[Asked]:
    """Ask at each of these URLs, and at each address that its host has: one name may stand for all
    workers. A worker that is reached in two ways is there once. ``tls`` checks certificates."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=tls),
        timeout=aiohttp.ClientTimeout(total=ASK_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
    ) as peers:
        places = await asyncio.gather(*(addresses_of(url) for url in dict.fromkeys(urls)))
        asked = await asyncio.gather(
            *(_ask(peers, url, address, keys) for each in places for url, address in each)
        )
    by_life: dict[str, Asked] = {}
    for number, each in enumerate(asked):
        by_life.setdefault(each.standing.life if each.standing else str(number), each)
    return list(by_life.values())


async def fetch_page(url: str, page: str, tls: ssl.SSLContext) -> str:
    """The text of one of a worker's pages that need no key. Raises WorkerSilent."""
    try:
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=tls),
                timeout=aiohttp.ClientTimeout(total=ASK_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
            ) as peers,
            peers.get(URL(url) / page, allow_redirects=False) as answer,
        ):
            return (await _bounded(answer)).decode(errors="replace")
    except TimeoutError:
        raise WorkerSilent(f"no answer of {url} within {ASK_SECONDS:g} s") from None
    except (aiohttp.ClientError, OSError, ValueError) as failure:  # a member says any URL
        why = foreign_text(str(failure), REASON_LENGTH)
        raise WorkerSilent(f"no answer of {url}: {why}") from failure


async def addresses_of(text: str) -> list[tuple[str, str]]:
    """The URL with each address of its host. IPv6 only where there is no other: a worker that
    listens on all addresses of one kind would be missed at the other."""
    try:
        url = URL(text)
    except ValueError:  # a member of the group says any text
        return [(text, "")]  # asking it says what is wrong
    if not url.host:  # the resolver would take that for this machine
        return [(text, "")]
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM)
    except (OSError, ValueError):
        return [(text, url.host)]  # asking it says what is wrong
    families = {family for family, *_ in found}
    wanted = socket.AF_INET if socket.AF_INET in families else socket.AF_INET6
    addresses = dict.fromkeys(str(each[4][0]) for each in found if each[0] == wanted)
    return [(text, address) for address in addresses]


async def _ask(peers: aiohttp.ClientSession, text: str, address: str, keys: Sequence[str]) -> Asked:
    try:
        url = URL(text)
        at = url.with_host(address) / "stuck"  # one without a host takes none
    except ValueError as failure:
        why = f"it is no URL of a worker: {failure}"
        return Asked(text, None, foreign_text(why, REASON_LENGTH))
    shown = text if address == url.host else f"{text} ({address})"
    host = url.host if url.scheme == "https" else None
    try:
        # During a rotation a worker may know only one of our keys.
        for headers in [{HEADER: key} for key in keys] or [{}]:
            named = headers | {"Host": url.raw_authority}
            async with peers.get(
                at, headers=named, server_hostname=host, allow_redirects=False
            ) as answer:
                if answer.status == 401:
                    continue
                if answer.status != 200:
                    return Asked(shown, None, f"it answers {answer.status}: no worker of ours")
                return Asked(shown, read_standing(await _bounded(answer)))
        return Asked(shown, None, "it does not accept our WORKER_API_KEY")
    except TimeoutError:
        return Asked(shown, None, f"no answer within {ASK_SECONDS:g} s")
    except msgspec.MsgspecError:  # which is a ValueError
        return Asked(shown, None, "what answers there is no worker of this version")
    except (aiohttp.ClientError, OSError, ValueError) as failure:
        return Asked(shown, None, foreign_text(str(failure), REASON_LENGTH))


async def _bounded(answer: aiohttp.ClientResponse) -> bytes:
    """The body, cut at the limit; JSON that is cut does not parse."""
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > MOST_BYTES:
            break
    return bytes(body)
