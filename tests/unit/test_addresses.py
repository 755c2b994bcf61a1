"""How an address is written in an URL."""

from __future__ import annotations

import pytest

from streams.addresses import http_url


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080"),
        ("worker-1", "http://worker-1:8080"),
        ("::1", "http://[::1]:8080"),
        ("fe80::1%eth0", "http://[fe80::1%eth0]:8080"),
    ],
)
def test_an_ipv6_address_goes_in_brackets(host: str, url: str) -> None:
    assert http_url(host, 8080) == url
