"""The proxy on the way to Genesys Cloud, as the environment names it.

Read here and handed to aiohttp with each request, instead of its ``trust_env``: that reads
``~/.netrc`` too, whose credentials could take the place of our token, finds out only with the
first request that it can not use a proxy, and knows no addresses in ``NO_PROXY``.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from aiohttp import encode_basic_auth
from yarl import URL

from streams.errors import SettingsError

# What aiohttp can talk to a proxy.
_SCHEMES = frozenset({"http", "https"})

# NO_PROXY is a list with commas; some write blanks.
_SEPARATORS = re.compile(r"[,\s]+")

# An entry with a port, or in brackets; an IPv6 address without them is an entry as it stands.
_WITH_PORT = re.compile(r"(?:\[(?P<six>[^\]]+)\]|(?P<name>[^:\[\]]+))(?::(?P<port>[0-9]+))?")


@dataclass(frozen=True, slots=True)
class Proxy:
    """``url`` is without the credentials; ``variable`` is the one that names it. Printed, it tells
    those two. ``authorization``: the header that the proxy wants, if it has been told.
    ``secrets``: what must not be shown."""

    url: URL
    variable: str
    authorization: str | None = field(default=None, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        return f"{self.url.host}:{self.url.port} ({self.variable})"


def proxies_for(*targets: str, environ: Mapping[str, str] = os.environ) -> Mapping[URL, Proxy]:
    """The proxy for each of these base URLs that has one, by the URL's origin.

    ``HTTPS_PROXY`` is for ``https://``, ``HTTP_PROXY`` for ``http://``, ``ALL_PROXY`` for both,
    in small letters too, which come first; ``NO_PROXY`` says what is reached without. Raises
    SettingsError, which names the variable, for a proxy that can not be used.
    """
    origins = [URL(target).origin() for target in targets]
    found = {origin: _named_for(origin, environ) for origin in origins}
    return {origin: proxy for origin, proxy in found.items() if proxy is not None}


def _named_for(target: URL, environ: Mapping[str, str]) -> Proxy | None:
    for name in (f"{target.scheme}_proxy", "all_proxy"):
        for variable in (name, name.upper()):
            if variable in environ:
                # One that is set and empty switches off what comes after it.
                text = environ[variable].strip()
                return _proxy(variable, text) if text and not _bypassed(target, environ) else None
    return None


def _bypassed(target: URL, environ: Mapping[str, str]) -> bool:
    """Whether ``NO_PROXY`` has this host."""
    listed = environ.get("no_proxy", environ.get("NO_PROXY", "")).lower()
    for entry in _SEPARATORS.split(listed.strip()):
        name, port = entry, None
        if found := _WITH_PORT.fullmatch(entry):
            name, port = found["six"] or found["name"], found["port"]
        if port in (None, str(target.port)) and _is_meant(name, (target.host or "").lower()):
            return True
    return False


def _is_meant(name: str, host: str) -> bool:
    """By its name or that of a domain it is in, as an address in a network, or by ``*``."""
    domain = name.removeprefix("*").removeprefix(".")
    if name == "*" or (domain and f".{host}".endswith(f".{domain}")):
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(name, strict=False)
    except ValueError:
        return False  # One of the two is a name.


def _proxy(variable: str, text: str) -> Proxy:
    """Read one. What is wrong with it is said without what it says: it may hold a password."""
    scheme, separator, _ = text.partition("://")
    if separator and scheme.lower() not in _SCHEMES:
        raise SettingsError(
            f"{variable}: must be the URL of an HTTP proxy, http://HOST:PORT; other kinds, such as "
            "SOCKS, can not be used: name another, or list the hosts of Genesys Cloud in NO_PROXY"
        )
    try:
        url = URL(text if separator else f"http://{text}")
        valid = bool(url.host) and bool(url.port) and text.isprintable() and " " not in text
        user, password = unquote(url.raw_user or ""), unquote(url.raw_password or "")
        authorization = encode_basic_auth(user, password) if user or password else None
    except ValueError:
        valid = False
    if not valid:
        raise SettingsError(
            f"{variable}: must be the URL of an HTTP proxy, http://HOST:PORT, in front of the host "
            "USER:PASSWORD@ where it wants them; unset it to go without a proxy"
        )
    if authorization is None:
        return Proxy(url.origin(), variable)
    secrets = (password, authorization.removeprefix("Basic "))
    return Proxy(url.origin(), variable, authorization, tuple(filter(None, secrets)))
