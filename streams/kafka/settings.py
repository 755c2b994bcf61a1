"""The settings for one Kafka cluster. Values that no Kafka client would accept are refused here, by
the name of their variable.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, TypeAlias

from streams.addresses import is_host, is_ipv6, secret_url
from streams.errors import KafkaError, SettingsError
from streams.kafka.secret import Secret
from streams.refusal import all_of, required
from streams.tls_files import check_certificate, check_own

SecurityProtocol: TypeAlias = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism: TypeAlias = Literal[
    "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "AWS_MSK_IAM"
]

# The port that aiokafka, librdkafka and Faust use when none is given (tests/unit/libraries).
_USUAL_PORT = 9092

_SERVER = re.compile(r"((?P<host>[^\[\]:]+)|\[(?P<ipv6>[^\]]+)\])(:(?P<port>[0-9]{1,5}))?")

# What AWS_MSK_IAM takes; it comes with the extra of that name.
MSK_SIGNER = "aws_msk_iam_sasl_signer"


@dataclass(frozen=True, slots=True)
class TopicNames:
    """The four topics under one prefix (contract, Topics)."""

    prefix: str

    @property
    def events(self) -> str:
        return f"{self.prefix}events"

    @property
    def outcomes(self) -> str:
        return f"{self.prefix}outcomes"

    @property
    def retries(self) -> str:
        return f"{self.prefix}retries"

    @property
    def dead_letters(self) -> str:
        return f"{self.prefix}dead-letters"


@dataclass(frozen=True, slots=True)
class OAuthSettings:
    """The client credentials for the token endpoint of OAUTHBEARER."""

    token_url: str
    client_id: str
    client_secret: Secret
    scope: str | None = None


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """The cluster, how to connect to it, and the names of our topics and our group there.

    ``app_id``: the consumer group, and the beginning of the changelogs' names.
    ``state_ttl_seconds``: some topics are declared to keep records for a multiple of this time.
    """

    bootstrap_servers: str
    topics: TopicNames
    app_id: str
    state_ttl_seconds: float
    security_protocol: SecurityProtocol = "PLAINTEXT"
    sasl_mechanism: SaslMechanism | None = None
    sasl_username: str | None = None
    sasl_password: Secret | None = None
    sasl_oauth_token_url: str | None = None
    sasl_oauth_client_id: str | None = None
    sasl_oauth_client_secret: Secret | None = None
    sasl_oauth_scope: str | None = None
    aws_region: str | None = None
    ssl_cafile: Path | None = None
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None
    allow_insecure_http: bool = False

    @property
    def is_over_tls(self) -> bool:
        return self.security_protocol.endswith("SSL")

    @property
    def is_sasl(self) -> bool:
        return self.security_protocol.startswith("SASL")

    @property
    def files(self) -> tuple[Path | None, ...]:
        """The files that a connection is made with."""
        password = None if self.sasl_password is None else self.sasl_password.file
        return self.ssl_cafile, self.ssl_certfile, self.ssl_keyfile, password

    @property
    def has_token(self) -> bool:
        """Whether we authenticate with a token, which Kafka's protocol calls OAUTHBEARER."""
        return self.is_sasl and self.sasl_mechanism in ("OAUTHBEARER", "AWS_MSK_IAM")

    @property
    def oauth(self) -> OAuthSettings:
        """The token endpoint. To be asked only after ``check``, with OAUTHBEARER."""
        url, client, secret = (
            self.sasl_oauth_token_url, self.sasl_oauth_client_id, self.sasl_oauth_client_secret,
        )  # fmt: skip
        assert url is not None and client is not None and secret is not None
        return OAuthSettings(url, client, secret, self.sasl_oauth_scope)

    def check(self) -> None:
        """Raises SettingsError when a setting that the security protocol needs is missing, when two
        contradict each other, or when the clients could not use one of the files."""
        all_of(self._check_protocol, self._check_sasl, self._check_tls)

    def _check_protocol(self) -> None:
        """A setting that would not be used was meant to be: what it protects would be open."""
        problems = []
        if not self.is_sasl and (names := _given(self._sasl_variables)):
            problems.append(f"has no SASL, so {names} would not be used")
        if not self.is_over_tls and (names := _given(self._tls_variables)):
            problems.append(f"has no TLS, so {names} would not be used")
        if problems:
            raise SettingsError(
                f"KAFKA_SECURITY_PROTOCOL: {self.security_protocol} {', and '.join(problems)}; "
                "choose one of SSL, SASL_PLAINTEXT and SASL_SSL that fits, or unset what is too "
                "much"
            )

    @property
    def _sasl_variables(self) -> Mapping[str, object]:
        return {"KAFKA_SASL_MECHANISM": self.sasl_mechanism} | self._password | self._client

    @property
    def _password(self) -> dict[str, object]:
        return {
            "KAFKA_SASL_USERNAME": self.sasl_username,
            "KAFKA_SASL_PASSWORD": self.sasl_password,
        }

    @property
    def _client(self) -> dict[str, object]:
        return {
            "KAFKA_SASL_OAUTH_TOKEN_URL": self.sasl_oauth_token_url,
            "KAFKA_SASL_OAUTH_CLIENT_ID": self.sasl_oauth_client_id,
            "KAFKA_SASL_OAUTH_CLIENT_SECRET": self.sasl_oauth_client_secret,
        }

    @property
    def _tls_variables(self) -> Mapping[str, object]:
        return {
            "KAFKA_SSL_CAFILE": self.ssl_cafile,
            "KAFKA_SSL_CERTFILE": self.ssl_certfile,
            "KAFKA_SSL_KEYFILE": self.ssl_keyfile,
        }

    def _check_sasl(self) -> None:
        if not self.is_sasl:
            return
        match self.sasl_mechanism:
            case "OAUTHBEARER":
                self._need(self._client, self._password, self._check_url, self._check_client)
            case "AWS_MSK_IAM":
                region = {"AWS_REGION": self.aws_region}
                self._need(region, self._password | self._client, self._check_msk)
            case "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512":
                scope = {"KAFKA_SASL_OAUTH_SCOPE": self.sasl_oauth_scope}
                self._need(self._password, self._client | scope)
            case None:
                self._need({"KAFKA_SASL_MECHANISM": None} | self._password, {})

    def _need(
        self,
        needed: Mapping[str, object],
        unused: Mapping[str, object],
        *further: Callable[[], None],
    ) -> None:
        mechanism = self.sasl_mechanism
        hint = "for a SASL protocol" if mechanism is None else f"with {mechanism}"

        def none_too_much() -> None:
            if names := _given(unused):
                raise SettingsError(
                    f"KAFKA_SASL_MECHANISM: {mechanism} does not use {names}; unset what is too "
                    "much, or choose the mechanism that uses it"
                )

        def there(name: str, value: object) -> None:
            required(name, value, hint)
            if isinstance(value, Secret):
                _check_secret(name, value)

        all_of(*(partial(there, *each) for each in needed.items()), none_too_much, *further)

    def _check_url(self) -> None:
        if self.sasl_oauth_token_url is not None:
            secret_url(
                "KAFKA_SASL_OAUTH_TOKEN_URL",
                self.sasl_oauth_token_url,
                insecure=self.allow_insecure_http,
            )

    def _check_client(self) -> None:
        if ":" in (self.sasl_oauth_client_id or ""):
            # HTTP Basic ends the user's name at the first colon (RFC 7617).
            raise SettingsError("KAFKA_SASL_OAUTH_CLIENT_ID: must not contain a colon")

    def _check_msk(self) -> None:
        if not self.is_over_tls:
            raise SettingsError(
                "KAFKA_SECURITY_PROTOCOL: must be SASL_SSL with AWS_MSK_IAM, for MSK takes nothing "
                "else"
            )
        if find_spec(MSK_SIGNER) is None:
            raise SettingsError(
                "KAFKA_SASL_MECHANISM: AWS_MSK_IAM takes a package that is not installed; run "
                "pip install 'genesys-streams[msk]'"
            )

    def _check_tls(self) -> None:
        if self.is_over_tls:
            all_of(
                self._check_theirs,
                partial(check_own, "KAFKA_SSL", self.ssl_certfile, self.ssl_keyfile),
            )

    def _check_theirs(self) -> None:
        if self.ssl_cafile is not None:
            check_certificate("KAFKA_SSL_CAFILE", self.ssl_cafile)


def _given(variables: Mapping[str, object]) -> str:
    """The names of those that are set."""
    return ", ".join(name for name, value in variables.items() if value is not None)


def _check_secret(name: str, secret: Secret) -> None:
    if secret.text is not None and secret.file is not None:
        raise SettingsError(f"{name}_FILE: set together with {name}; unset one of them")
    try:
        secret.read()
    except KafkaError as exc:
        raise SettingsError(f"{name}_FILE: {exc}") from None


def server_list(text: str) -> str:
    """The list ``HOST:PORT,…`` without blanks and empty entries. Raises ValueError if it is none.

    Given a wrong list, librdkafka accepts it and finds no broker, and aiokafka raises ValueError
    (tests/unit/libraries).
    """
    servers = [server.strip() for server in text.split(",") if server.strip()]
    if not servers or not all(map(_is_server, servers)):
        raise ValueError("not a list of HOST:PORT")
    return ",".join(servers)


def _is_server(text: str) -> bool:
    match = _SERVER.fullmatch(text)
    if match is None or not 1 <= int(match["port"] or _USUAL_PORT) <= 65535:
        return False
    return is_host(match["host"]) if match["host"] is not None else is_ipv6(match["ipv6"])
