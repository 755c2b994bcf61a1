"""The proxy to Genesys Cloud that the environment names.

It is read here and handed to aiohttp with each request, instead of aiohttp's ``trust_env``. With
``trust_env``, aiohttp also reads ``~/.netrc`` (aio-libs/aiohttp#7131), and refuses a request that
has our token beside the credentials found there; it notices an unusable proxy only at the first
request; and it does not understand networks in ``NO_PROXY`` (shown by test_aiohttp.py).
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

# The schemes of proxies that aiohttp can use.
_SCHEMES = frozenset({"http", "https"})

# NO_PROXY is separated by commas; some people write blanks.
_SEPARATORS = re.compile(r"[,\s]+")

# An entry, perhaps with a port. An IPv6 address needs brackets to match; without brackets, the
# whole entry is the address.
_WITH_PORT = re.compile(r"(?:\[(?P<six>[^\]]+)\]|(?P<name>[^:\[\]]+))(?::(?P<port>[0-9]+))?")


@dataclass(frozen=True, slots=True)
class Proxy:
    """One proxy; its text has only the host, the port and the variable.

    ``url``: without the credentials. ``variable``: the environment variable that names the proxy.
    ``authorization``: value of the Proxy-Authorization header, if credentials are given.
    ``secrets``: texts that must never be shown.
    """

    url: URL
    variable: str
    authorization: str | None = field(default=None, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        return f"{self.url.host}:{self.url.port} ({self.variable})"


def proxies_for(*targets: str, environ: Mapping[str, str] = os.environ) -> Mapping[URL, Proxy]:
    """The proxy for each of these base URLs that has one, by the URL's origin.

    ``HTTPS_PROXY`` is for ``https://``, ``HTTP_PROXY`` for ``http://``, ``ALL_PROXY`` for both. The
    names in small letters count too, and come first. ``NO_PROXY`` lists the hosts that are reached
    without a proxy. Raises SettingsError, which names the variable, when a proxy can not be used.
    """
    origins = [URL(target).origin() for target in targets]
    found = {origin: _named_for(origin, environ) for origin in origins}
    return {origin: proxy for origin, proxy in found.items() if proxy is not None}


def _named_for(target: URL, environ: Mapping[str, str]) -> Proxy | None:
    for name in (f"{target.scheme}_proxy", "all_proxy"):
        for variable in (name, name.upper()):
            if variable in environ:
                # A variable that is set but empty means no proxy: later variables do not count.
                text = environ[variable].strip()
                return _proxy(variable, text) if text and not _bypassed(target, environ) else None
    return None


def _bypassed(target: URL, environ: Mapping[str, str]) -> bool:
    """Whether ``NO_PROXY`` lists the target's host."""
    listed = environ.get("no_proxy", environ.get("NO_PROXY", "")).lower()
    for entry in _SEPARATORS.split(listed.strip()):
        name, port = entry, None
        if found := _WITH_PORT.fullmatch(entry):
            name, port = found["six"] or found["name"], found["port"]
        if port in (None, str(target.port)) and _is_meant(name, (target.host or "").lower()):
            return True
    return False


def _is_meant(name: str, host: str) -> bool:
    """Whether ``name`` matches the host: as its name, its domain, its network, or as ``*``."""
    domain = name.removeprefix("*").removeprefix(".")
    if name == "*" or (domain and f".{host}".endswith(f".{domain}")):
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(name, strict=False)
    except ValueError:
        return False  # One of the two is a name.


def _proxy(variable: str, text: str) -> Proxy:
    """Read the URL of a proxy. The error never quotes the text, because it may hold a password.
    Raises SettingsError."""
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
