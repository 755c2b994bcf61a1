"""The settings for one Kafka cluster. Values that no Kafka client would accept are refused here, by
the name of their variable.
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from streams.addresses import is_host, is_ipv6
from streams.errors import SettingsError
from streams.refusal import all_of, required

SecurityProtocol: TypeAlias = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism: TypeAlias = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]

# The port that aiokafka, librdkafka and Faust use when none is given (tests/unit/libraries).
_USUAL_PORT = 9092

_SERVER = re.compile(r"((?P<host>[^\[\]:]+)|\[(?P<ipv6>[^\]]+)\])(:(?P<port>[0-9]{1,5}))?")

# Given to OpenSSL for every key: without it, OpenSSL asks for a passphrase at the terminal, and a
# service hangs there.
NO_PASSPHRASE = ""


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
    sasl_password: str | None = field(default=None, repr=False)
    ssl_cafile: Path | None = None
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None

    @property
    def is_over_tls(self) -> bool:
        return self.security_protocol.endswith("SSL")

    def check(self) -> None:
        """Raises SettingsError when a setting that the security protocol needs is missing, or when
        the clients could not use one of the files."""
        all_of(self._check_sasl, self._check_tls)

    def _check_sasl(self) -> None:
        if self.security_protocol.startswith("SASL"):
            given = {
                "KAFKA_SASL_MECHANISM": self.sasl_mechanism,
                "KAFKA_SASL_USERNAME": self.sasl_username,
                "KAFKA_SASL_PASSWORD": self.sasl_password,
            }
            all_of(
                *(
                    lambda name=name, value=value: required(name, value, "for a SASL protocol")
                    for name, value in given.items()
                )
            )

    def _check_tls(self) -> None:
        if self.is_over_tls:
            all_of(self._check_theirs, self._check_own)

    def _check_theirs(self) -> None:
        if self.ssl_cafile is not None:
            _check_certificate("KAFKA_SSL_CAFILE", self.ssl_cafile)

    def _check_own(self) -> None:
        if self.ssl_certfile is not None:
            _check_certificate("KAFKA_SSL_CERTFILE", self.ssl_certfile)
            _check_key(self.ssl_certfile, self.ssl_keyfile)
        elif self.ssl_keyfile is not None:
            raise SettingsError("KAFKA_SSL_CERTFILE: required with KAFKA_SSL_KEYFILE, but not set")


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


def _check_certificate(name: str, path: Path) -> None:
    _check_readable(name, path)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        raise SettingsError(f"{name}: no certificate in {path}; name a file in PEM") from None


def _check_key(certificate: Path, key: Path | None) -> None:
    if key is not None:
        _check_readable("KAFKA_SSL_KEYFILE", key)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, NO_PASSPHRASE)
    except ssl.SSLError:
        if key is None:
            missing = f"required, for there is no private key in {certificate}, but not set"
        else:
            missing = (
                f"no private key in {key} that fits KAFKA_SSL_CERTFILE; name a file that has it "
                "in PEM, without a passphrase"
            )
        raise SettingsError(f"KAFKA_SSL_KEYFILE: {missing}") from None


def _check_readable(name: str, path: Path) -> None:
    try:
        path.open("rb").close()
    except OSError as exc:
        raise SettingsError(
            f"{name}: cannot read {path}: {exc.strerror}; name a file that this user may read"
        ) from None
