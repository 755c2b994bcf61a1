"""The token of OAUTHBEARER and AWS_MSK_IAM: one for all connections of a process."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import HTTPRedirectHandler, Request, build_opener

from aiohttp import encode_basic_auth
from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import KafkaConnectionError

from streams.core.foreign_text import foreign_text
from streams.core.retry_policy import TOKEN_BACKOFF, Backoff
from streams.errors import KafkaError, TokenRefused
from streams.kafka.settings import KafkaSettings, OAuthSettings
from streams.stopping import in_daemon_thread

log = logging.getLogger(__name__)

# A token is replaced when this share of its life is over, as Kafka's own clients do: time enough
# to try again, should the endpoint be away just then.
REFRESH_AT = 0.8

# How often the endpoint is asked before the failure is told. A command asks once in its life, and a
# restart behind the endpoint's load balancer is over within a second.
TRIES = 3
BETWEEN_TRIES = Backoff(base=0.3, cap=2.0)

# For one answer of the endpoint. Three tries end within the 10 s that an answer of Kafka may take.
ANSWER_SECONDS = 3.0

# A token goes into one request of Kafka, whose brokers take no larger one before we are known.
LARGEST_ANSWER = 256 * 1024

# A day in seconds. A life that is longer, or not said, is taken for this: a clock that stands wrong
# would otherwise keep a token for ever.
LONGEST_LIFE = 86_400.0
UNKNOWN_LIFE = 300.0

# Of the endpoint's own words in an error.
MOST_CHARACTERS = 200

_AWS_CURE = "check the role or the AWS_* variables of this process"

# Answers after which the endpoint may do better by itself.
_LATER = {408, 425, 429, 500, 502, 503, 504}


@dataclass(frozen=True, slots=True)
class Token:
    """``ends_at``: seconds since the epoch, as librdkafka wants it."""

    value: str = field(repr=False)
    ends_at: float


class TokenSource:
    """Fetches the token and keeps it. Every thread may ask; one fetches, the others wait for it."""

    def __init__(
        self,
        fetch: Callable[[], Token],
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        random: Random | None = None,
        backoff: Backoff = TOKEN_BACKOFF,
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._sleep = sleep
        self._random = random or Random()
        self._backoff = backoff
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._refresh_at = 0.0
        self._failures = 0
        self._failure: KafkaError | None = None
        self._quiet_until = 0.0

    def current(self) -> Token:
        """A token that has not ended. It may block for some seconds.

        From 80 % of its life on a new one is fetched; while that fails, the old one serves to its
        end. After a failure the endpoint is left alone for a while, and the failure is told again
        instead. Raises KafkaError; TokenRefused when asking again does not help.
        """
        with self._lock:
            now = self._clock()
            if self._token is not None and now < self._refresh_at:
                return self._token
            if now >= self._quiet_until:
                self._renew()
            if self._token is not None and self._clock() < self._token.ends_at:
                return self._token
            assert self._failure is not None, "a renewal ends in one of both"
            raise self._failure

    def _renew(self) -> None:
        try:
            token = self._patiently()
        except KafkaError as failure:
            self._failures += 1
            wait = self._backoff.wait(self._failures, self._random)
            self._failure, self._quiet_until = failure, self._clock() + wait
            if self._token is not None and self._clock() < self._token.ends_at:
                # Else whoever asks is told.
                log.warning("no new token for Kafka yet", extra={"error": str(failure)})
            return
        now = self._clock()
        self._token, self._failure, self._failures = token, None, 0
        self._refresh_at = now + (token.ends_at - now) * REFRESH_AT
        log.info("token for Kafka fetched")

    def _patiently(self) -> Token:
        for attempt in range(1, TRIES):
            try:
                return self._fetch()
            except TokenRefused:
                raise
            except KafkaError:
                self._sleep(BETWEEN_TRIES.wait(attempt, self._random))
        return self._fetch()


class AsyncTokens(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka has no types
    """The source as aiokafka wants it."""

    def __init__(self, source: TokenSource) -> None:
        self._source = source

    async def token(self) -> str:
        try:
            return (await in_daemon_thread(self._source.current)).value
        except KafkaError as exc:
            # Over an error that is not its own aiokafka would end the task that keeps its metadata.
            raise KafkaConnectionError(str(exc)) from exc


def token_source(settings: KafkaSettings) -> TokenSource:
    """The source for these settings, the same each time. To be asked only if they have a token."""
    if settings.sasl_mechanism == "AWS_MSK_IAM":
        assert settings.aws_region is not None, "checked"
        return _of_aws(settings.aws_region)
    return _of_endpoint(settings.oauth)


@cache
def _of_aws(region: str) -> TokenSource:
    return TokenSource(lambda: msk_token(region))


@cache
def _of_endpoint(oauth: OAuthSettings) -> TokenSource:
    return TokenSource(lambda: granted(oauth))


def msk_token(region: str) -> Token:
    """A token that AWS' own package signs, with the credentials of AWS' own chain. Raises
    KafkaError."""
    from aws_msk_iam_sasl_signer import MSKAuthTokenProvider
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.session import Session

    try:
        # The signer does not look whether there are any.
        if Session().get_credentials() is None:
            raise KafkaError(f"AWS gives no credentials for MSK; {_AWS_CURE}")
        value, ends_at = MSKAuthTokenProvider.generate_auth_token(region)
    except (BotoCoreError, ClientError, ValueError) as exc:
        raise KafkaError(
            f"AWS gives no token for MSK: {foreign_text(str(exc), MOST_CHARACTERS)}; {_AWS_CURE}"
        ) from exc
    return Token(value, ends_at / 1000)


def granted(oauth: OAuthSettings) -> Token:
    """Asks the endpoint once, with HTTP Basic (RFC 6749, 2.3.1). Raises TokenRefused when it
    refuses, KafkaError when it fails. No error has the secret or a token in it."""
    secret = oauth.client_secret.read()
    form = {"grant_type": "client_credentials"} | ({"scope": oauth.scope} if oauth.scope else {})
    request = Request(
        oauth.token_url,
        data=urlencode(form).encode(),
        headers={
            "Authorization": encode_basic_auth(oauth.client_id, secret),
            "Accept": "application/json",
        },
    )
    where = f"the token endpoint {oauth.token_url}"
    try:
        with _OPENER.open(request, timeout=ANSWER_SECONDS) as answer:
            body = answer.read(LARGEST_ANSWER)
    except HTTPError as exc:
        body = exc.read(LARGEST_ANSWER).replace(secret.encode(), b"***")
        raise _refusal(where, exc.code, body) from None
    except (URLError, OSError, ValueError) as exc:
        reason = exc.reason if isinstance(exc, URLError) else exc
        raise KafkaError(
            f"{where} does not answer: {foreign_text(str(reason), MOST_CHARACTERS)}; check "
            "KAFKA_SASL_OAUTH_TOKEN_URL and the network"
        ) from None
    return _token(where, body)


def _token(where: str, body: bytes) -> Token:
    answer = _object(body)
    value, lives = answer.get("access_token"), answer.get("expires_in", UNKNOWN_LIFE)
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or not value:
        # Nothing of the body is quoted: it may have a token in it.
        raise TokenRefused(f"{where} answers, but not with a token; check its URL")
    if isinstance(lives, bool) or not isinstance(lives, int | float) or not lives > 0:
        raise TokenRefused(f"{where} gives a token that lives for no time; mend it there")
    return Token(value, time.time() + min(lives, LONGEST_LIFE))


def _refusal(where: str, status: int, body: bytes) -> KafkaError:
    if status in _LATER:
        return KafkaError(f"{where} fails with {status}; it is asked again, see its own log")
    answer = _object(body)
    words = [str(answer[name]) for name in ("error", "error_description") if answer.get(name)]
    said = f" ({foreign_text(': '.join(words), MOST_CHARACTERS)})" if words else ""
    return TokenRefused(
        f"{where} refuses us with {status}{said}; check KAFKA_SASL_OAUTH_TOKEN_URL, "
        "KAFKA_SASL_OAUTH_CLIENT_ID, KAFKA_SASL_OAUTH_CLIENT_SECRET and KAFKA_SASL_OAUTH_SCOPE"
    )


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


class _Stay(HTTPRedirectHandler):
    """Follows no redirection: the secret goes to the URL that is set, and nowhere else."""

    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = build_opener(_Stay)
