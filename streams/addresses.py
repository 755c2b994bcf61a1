"""Checks hosts and URLs in settings: can a client use them, and do they stay on this machine?"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import SplitResult, urlsplit

from streams.errors import SettingsError

# DNS accepts labels of up to 63 characters and names of up to 253. Over any other name Python's
# resolver raises an error of its own, in the middle of a connection attempt.
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*\.?")

# A URL ends up in logs, spans and the group's metadata, so its length is limited.
MAX_URL = 500

_WRONG = re.compile(r"[^!-~]|[@?#\\]")


def is_host(text: str) -> bool:
    """Whether the text is a host name, an IPv4 address, or an IPv6 address without its brackets."""
    return _NAME.fullmatch(text) is not None or is_ipv6(text)


def is_ipv6(text: str) -> bool:
    try:
        return IPv6Address(text).scope_id is None
    except AddressValueError:
        return False


def http_url(host: str, port: int, *, tls: bool = False) -> str:
    """The URL of one of our servers; an IPv6 address is put in brackets."""
    return f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether the host is this machine (127.0.0.0/8, ::1, localhost), so that data sent to it never
    leaves the machine."""
    if host.lower() == "localhost":
        return True
    try:
        return IPv4Address(host).is_loopback
    except AddressValueError:
        return is_ipv6(host) and IPv6Address(host) == IPv6Address("::1")


def checked_url(name: str, text: str) -> SplitResult:
    """The URL of a setting, in its parts. Paths are appended to it and it is logged, so it must
    have no user, query or fragment. Raises SettingsError."""
    try:
        parts = urlsplit(text)
        # `port` raises ValueError when the text is not a port.
        valid = parts.scheme in ("http", "https") and parts.port != 0
    except ValueError:
        valid = False
    if (
        not valid
        or _WRONG.search(text)
        or len(text) > MAX_URL
        or not is_host(parts.hostname or "")
        or parts.netloc.endswith(":")
    ):
        raise SettingsError(
            f"{name}: must be an http:// or https:// URL with a host, and without a user, a query, "
            f"a blank or a character that is not ASCII, at most {MAX_URL} characters long"
        )
    return parts


def api_url(name: str, text: str, *, insecure: bool) -> str:
    """Scheme and host of an API. Raises SettingsError.

    The API's own path is appended, so a URL with a path would get 404 for every call.
    """
    parts = secret_url(name, text, insecure=insecure)
    origin = f"{parts.scheme}://{parts.netloc.lower()}"
    if parts.path.strip("/"):
        raise SettingsError(f"{name}: must have no path; write {origin}")
    return origin


def secret_url(name: str, text: str, *, insecure: bool) -> SplitResult:
    """The parts of a URL that a client's secret is sent to: to another machine it goes in clear
    only if ``insecure`` allows it. Raises SettingsError."""
    parts = checked_url(name, text)
    if parts.scheme == "http" and not is_loopback(parts.hostname or "") and not insecure:
        raise SettingsError(
            f"{name}: http:// to another machine sends the client's secret in clear; write "
            "https://, or set ALLOW_INSECURE_HTTP=true where nobody else can read the traffic"
        )
    return parts
