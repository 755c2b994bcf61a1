"""One token for all connections: fetched early, kept while the endpoint is away, never told."""

from __future__ import annotations

import base64
import logging
import time
from random import Random
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest
from aiokafka.errors import KafkaConnectionError

from streams.core.retry_policy import Backoff
from streams.errors import KafkaError, TokenRefused
from streams.kafka.secret import Secret
from streams.kafka.settings import OAuthSettings
from streams.kafka.tokens import AsyncTokens, Token, TokenSource, granted, msk_token
from tests.support.token_endpoint import Answers, token_endpoint

SECRET = "hush-3f7a"


class Endpoint:
    """Grants a numbered token that lives 100 s, or fails with ``failure``."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.asked = 0
        self.failure: KafkaError | None = None
        self.source = TokenSource(
            self.fetch,
            clock=lambda: self.now,
            sleep=lambda _: None,
            random=Random(1),
            backoff=Backoff(10.0, 10.0),
        )

    def fetch(self) -> Token:
        self.asked += 1
        if self.failure is not None:
            raise self.failure
        return Token(f"token-{self.asked}", self.now + 100.0)


def test_one_token_serves_until_most_of_its_life_is_over() -> None:
    endpoint = Endpoint()
    for second in (1000.0, 1079.0):
        endpoint.now = second
        assert endpoint.source.current().value == "token-1"
    endpoint.now = 1081.0
    assert endpoint.source.current().value == "token-2"


def test_while_the_endpoint_is_away_the_old_one_serves_to_its_end() -> None:
    endpoint = Endpoint()
    endpoint.source.current()
    endpoint.failure = KafkaError("away")
    for endpoint.now in (1081.0, 1099.0):
        assert endpoint.source.current().value == "token-1"
    endpoint.now = 1100.0
    with pytest.raises(KafkaError, match="away"):
        endpoint.source.current()


def test_a_restart_behind_the_endpoint_is_waited_for() -> None:
    endpoint = Endpoint()
    answers = iter([KafkaError("fails with 503"), None])

    def fetch() -> Token:
        endpoint.failure = next(answers)
        return endpoint.fetch()

    source = TokenSource(fetch, clock=lambda: endpoint.now, sleep=lambda _: None)
    assert source.current().value == "token-2"


def test_who_is_refused_does_not_ask_again_at_once() -> None:
    """Or the endpoint would lock the client out for longer than the mistake lasts."""
    endpoint = Endpoint()
    endpoint.failure = TokenRefused("no such client")
    for _ in range(5):
        with pytest.raises(TokenRefused, match="no such client"):
            endpoint.source.current()
    assert endpoint.asked == 1
    endpoint.now, endpoint.failure = 1011.0, None
    assert endpoint.source.current().value == "token-2"


def test_threads_that_ask_at_once_share_one_fetch() -> None:
    fetched: list[int] = []

    def fetch() -> Token:
        fetched.append(1)
        time.sleep(0.05)  # so that the others come while it is under way
        return Token("token", time.time() + 100)

    source = TokenSource(fetch)
    threads = [Thread(target=source.current) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(fetched) == 1


async def test_aiokafka_gets_an_error_of_its_own_kind() -> None:
    endpoint = Endpoint()
    endpoint.failure = TokenRefused("no such client")
    with pytest.raises(KafkaConnectionError, match="no such client"):
        await AsyncTokens(endpoint.source).token()
    endpoint.now, endpoint.failure = 1011.0, None
    assert await AsyncTokens(endpoint.source).token() == "token-2"


def ask(answers: Answers, scope: str | None = None) -> tuple[Token, list[tuple[str, str]]]:
    with token_endpoint(answers) as endpoint:
        oauth = OAuthSettings(endpoint.url, "client", Secret(SECRET), scope)
        return granted(oauth), endpoint.asked


def test_the_endpoint_is_asked_with_client_credentials() -> None:
    token, asked = ask(lambda: (200, {"access_token": "a.b.c", "expires_in": 60}), "kafka")
    assert token.value == "a.b.c"
    assert 50 < token.ends_at - time.time() <= 60
    ((form, authorization),) = asked
    assert parse_qs(form) == {"grant_type": ["client_credentials"], "scope": ["kafka"]}
    assert base64.b64decode(authorization.removeprefix("Basic ")) == f"client:{SECRET}".encode()
    assert "a.b.c" not in repr(token)


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (401, {"error": "invalid_client"}, r"refuses us with 401 \(invalid_client\)"),
        (400, {"error": "x", "error_description": SECRET}, r"refuses us with 400 \(x: \*\*\*\)"),
        (403, "<html>", "refuses us with 403; check"),
        (302, "", "refuses us with 302; check"),
        (200, "<html>", "not with a token"),
        (200, {"access_token": ""}, "not with a token"),
        (200, {"access_token": "a\nb"}, "not with a token"),
        (200, {"access_token": "a", "expires_in": 0}, "lives for no time"),
        (200, {"access_token": "a", "expires_in": "soon"}, "lives for no time"),
    ],
)
def test_a_refusal_is_one_line(status: int, body: object, says: str) -> None:
    with pytest.raises(TokenRefused, match=says) as refused:
        ask(lambda: (status, body))
    assert SECRET not in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_outage_is_no_refusal(status: int) -> None:
    with pytest.raises(KafkaError, match=f"fails with {status}") as failed:
        ask(lambda: (status, ""))
    assert not isinstance(failed.value, TokenRefused)


def test_an_endpoint_that_is_not_there_is_named() -> None:
    oauth = OAuthSettings("http://127.0.0.1:1/token", "client", Secret(SECRET))
    with pytest.raises(KafkaError, match=r"http://127\.0\.0\.1:1/token does not answer: .*refused"):
        granted(oauth)


class TestMsk:
    @pytest.fixture(autouse=True)
    def credentials(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    def test_the_token_is_a_signed_request_to_connect(self) -> None:
        token = msk_token("eu-central-1")
        padded = token.value + "=" * (-len(token.value) % 4)
        url = urlsplit(base64.urlsafe_b64decode(padded).decode())
        asked = parse_qs(url.query)
        assert url.hostname == "kafka.eu-central-1.amazonaws.com"
        assert asked["Action"] == ["kafka-cluster:Connect"]
        assert asked["X-Amz-Credential"][0].startswith("AKIDEXAMPLE/")
        assert len(asked["X-Amz-Signature"][0]) == 64
        assert SECRET not in url.geturl()
        assert 800 < token.ends_at - time.time() <= 901

    def test_it_is_signed_again_early(self) -> None:
        now = [time.time()]
        source = TokenSource(lambda: msk_token("eu-central-1"), clock=lambda: now[0])
        first = source.current()
        assert source.current() is first
        now[0] += 0.85 * 900
        assert source.current() is not first

    def test_without_credentials_it_is_one_line(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
        monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
        with pytest.raises(KafkaError, match="AWS gives no credentials for MSK"):
            msk_token("eu-central-1")


def test_what_is_logged_and_told_has_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    """The endpoint grants a token first, and then quotes our secret in its refusal."""
    answers: list[tuple[int, object]] = [
        (401, {"error": SECRET}),
        (200, {"access_token": "a.b.c", "expires_in": 100}),
    ]
    now = [time.time()]
    with caplog.at_level(logging.DEBUG), token_endpoint(answers.pop) as endpoint:
        oauth = OAuthSettings(endpoint.url, "client", Secret(SECRET))
        source = TokenSource(lambda: granted(oauth), clock=lambda: now[0])
        source.current()
        now[0] += 90
        assert source.current().value == "a.b.c"
    assert "no new token for Kafka yet" in caplog.text
    told = caplog.text + str([vars(record) for record in caplog.records])
    assert SECRET not in told
    assert "a.b.c" not in told
