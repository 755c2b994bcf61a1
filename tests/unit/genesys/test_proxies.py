"""Which proxy the environment names for which host."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from streams.errors import SettingsError
from streams.genesys.proxies import Proxy, proxies_for

API = "https://api.mypurecloud.de"
LOGIN = "https://login.mypurecloud.de"


def proxy_of(target: str, **environ: str) -> Proxy | None:
    return proxies_for(target, environ=environ).get(URL(target).origin())


def chosen(target: str, **environ: str) -> str:
    return str(proxy_of(target, **environ))


def test_without_a_word_of_it_there_is_none() -> None:
    assert proxies_for(API, LOGIN, environ={}) == {}
    assert proxies_for(API, environ={"HTTPS_PROXY": " ", "https_proxy": ""}) == {}


@pytest.mark.parametrize(
    ("target", "environ", "proxy"),
    [
        (API, {"HTTPS_PROXY": "http://p:3128"}, "p:3128 (HTTPS_PROXY)"),
        (API, {"https_proxy": "http://p:3128/"}, "p:3128 (https_proxy)"),
        (API, {"ALL_PROXY": "http://p:3128"}, "p:3128 (ALL_PROXY)"),
        (API, {"all_proxy": "p:3128"}, "p:3128 (all_proxy)"),
        (API, {"HTTPS_PROXY": "http://p", "ALL_PROXY": "http://q"}, "p:80 (HTTPS_PROXY)"),
        (API, {"HTTPS_PROXY": "http://p", "https_proxy": "http://q"}, "q:80 (https_proxy)"),
        (API, {"HTTPS_PROXY": "https://p"}, "p:443 (HTTPS_PROXY)"),
        (API, {"HTTPS_PROXY": "HTTP://P:1"}, "p:1 (HTTPS_PROXY)"),
        (API, {"HTTPS_PROXY": "http://[::1]:8"}, "::1:8 (HTTPS_PROXY)"),
        (API, {"HTTP_PROXY": "http://p"}, "None"),
        ("http://h:8090", {"HTTP_PROXY": "http://p"}, "p:80 (HTTP_PROXY)"),
        ("http://h:8090", {"http_proxy": "http://p"}, "p:80 (http_proxy)"),
        ("http://h:8090", {"HTTPS_PROXY": "http://p"}, "None"),
        # Set and empty means none, whatever comes after it.
        (API, {"https_proxy": "", "HTTPS_PROXY": "http://p", "ALL_PROXY": "http://p"}, "None"),
    ],
)
def test_the_variables(target: str, environ: dict[str, str], proxy: str) -> None:
    assert chosen(target, **environ) == proxy


@pytest.mark.parametrize(
    ("target", "listed", "bypassed"),
    [
        (API, "*", True),
        (API, "api.mypurecloud.de", True),
        (API, "API.MyPureCloud.DE", True),
        (API, "mypurecloud.de", True),
        (API, ".mypurecloud.de", True),
        (API, "*.mypurecloud.de", True),
        (API, "a, b ,mypurecloud.de", True),
        (API, "a mypurecloud.de", True),
        (API, "mypurecloud.de:443", True),
        (API, "mypurecloud.de:8443", False),
        (API, "purecloud.de", False),
        (API, "login.mypurecloud.de", False),
        (API, "", False),
        (API, ",", False),
        (API, ".", False),
        (API, "*.", False),
        (API, "10.0.0.0/8", False),
        ("https://10.1.2.3", "10.0.0.0/8", True),
        ("https://10.1.2.3", "10.1.2.3", True),
        ("https://10.1.2.3:8443", "10.1.2.3:8443", True),
        ("https://11.1.2.3", "10.0.0.0/8", False),
        ("https://[fd00::1]", "fd00::/8", True),
        ("https://[fd00::1]", "fd00::1", True),
        ("https://[fd00::1]:8443", "[fd00::1]:8443", True),
        ("https://[fd00::1]:8443", "[fd00::1]:443", False),
        ("https://localhost:8443", "localhost", True),
        # A loopback host is as any other: NO_PROXY decides.
        ("https://127.0.0.1:8443", "", False),
    ],
)
def test_no_proxy(target: str, listed: str, bypassed: bool) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        environ = {"HTTPS_PROXY": "http://p", name: listed}
        assert (proxy_of(target, **environ) is None) == bypassed


def test_no_proxy_in_small_letters_comes_first() -> None:
    assert proxy_of(API, HTTPS_PROXY="http://p", no_proxy="", NO_PROXY="*") is not None


def test_each_target_has_its_own() -> None:
    environ = {"HTTPS_PROXY": "http://p:1", "HTTP_PROXY": "http://q:2", "NO_PROXY": "login.a.de"}
    found = proxies_for("https://api.a.de/x", "https://login.a.de", "http://h:8", environ=environ)
    assert {str(origin): str(proxy) for origin, proxy in found.items()} == {
        "https://api.a.de": "p:1 (HTTPS_PROXY)",
        "http://h:8": "q:2 (HTTP_PROXY)",
    }


def test_credentials_are_kept_and_not_shown() -> None:
    proxy = proxy_of(API, HTTPS_PROXY="http://user:p%40ss%C3%BC@p:3128")
    assert proxy is not None
    encoded = base64.b64encode("user:p@ssü".encode()).decode()
    assert proxy.authorization == f"Basic {encoded}"
    assert str(proxy.url) == "http://p:3128"
    assert proxy.secrets == ("p@ssü", encoded)
    for shown in (str(proxy), repr(proxy)):
        for secret in ("p@ss", "p%40ss", encoded):
            assert secret not in shown


def test_a_user_without_a_password() -> None:
    proxy = proxy_of(API, HTTPS_PROXY="http://user@p:3128")
    assert proxy is not None
    assert proxy.authorization == f"Basic {base64.b64encode(b'user:').decode()}"


@pytest.mark.parametrize(
    "text",
    [
        "socks5://h0st-77:1080",
        "socks5h://u:h0st-77@h:1080",
        "ftp://h0st-77",
        "http://",
        "http://:3128",
        "http://h0st-77:0",
        "http://h0st-77:99999",
        "http://h0st-77:port",
        "http://h0st 77:80",
        "http://h0st-77\x1b[31m:80",
        "http://us%3Aer:h0st-77@p",
        "://h0st-77",
        "h0st-77:80:80",
        "http://[::1",
        "\udcffh0st-77",
    ],
)
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_one_that_can_not_be_used_is_one_line_that_names_the_variable(
    variable: str, text: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        proxies_for(API, environ={variable: text})
    line = str(caught.value)
    assert line.startswith(f"{variable}: ")
    assert line.isprintable()
    assert "h0st-77" not in line


def test_one_that_is_not_used_is_not_judged() -> None:
    environ = {"HTTPS_PROXY": "socks5://h:1080", "NO_PROXY": "mypurecloud.de"}
    assert proxies_for(API, LOGIN, environ=environ) == {}
    assert proxies_for(API, environ={"HTTP_PROXY": "socks5://h:1080"}) == {}


any_text = st.text(st.characters(exclude_categories=()))


@given(any_text | any_text.map(lambda text: f"http://{text}"), any_text)
def test_any_environment_gives_a_proxy_or_one_line(text: str, listed: str) -> None:
    try:
        proxy = proxy_of(API, HTTPS_PROXY=text, NO_PROXY=listed)
    except SettingsError as error:
        assert str(error).startswith("HTTPS_PROXY: ")
        assert str(error).isprintable()
    else:
        assert str(proxy).isprintable()
        assert str(proxy).encode()
