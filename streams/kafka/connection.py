"""One set of settings into the options of both Kafka clients; and what of it neither would take,
so that it is refused as a setting instead.
"""

from __future__ import annotations

import re
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streams.addresses import is_host, is_ipv6
from streams.errors import SettingsError
from streams.refusal import all_of

if TYPE_CHECKING:
    from streams.settings import Settings

# Where no port is given aiokafka, librdkafka and Faust alike take 9092.
_SERVER = re.compile(r"((?P<host>[^\[\]:]+)|\[(?P<ipv6>[^\]]+)\])(:(?P<port>[0-9]{1,5}))?")

# Or OpenSSL asks for one at the terminal, and a service hangs there.
_NO_PASSPHRASE = ""


def aiokafka_options(settings: Settings) -> dict[str, Any]:
    """Options common to every aiokafka client."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap_servers,
        "security_protocol": settings.kafka_security_protocol,
    }
    if settings.kafka_security_protocol.endswith("SSL"):
        options["ssl_context"] = ssl_context(settings)
    if settings.kafka_sasl_password is not None and settings.kafka_sasl_mechanism is not None:
        options["sasl_mechanism"] = settings.kafka_sasl_mechanism
        options["sasl_plain_username"] = settings.kafka_sasl_username
        options["sasl_plain_password"] = settings.kafka_sasl_password.get_secret_value()
    return options


def librdkafka_options(settings: Settings) -> dict[str, Any]:
    """Options common to every confluent-kafka client."""
    options: dict[str, Any] = {
        "bootstrap.servers": settings.kafka_bootstrap_servers,
        "security.protocol": settings.kafka_security_protocol,
        # librdkafka logs every refused connection on stderr; its callers report what matters.
        "log_level": 0,
        # Faust and aiokafka place keys by murmur2; librdkafka's own default is CRC32.
        "partitioner": "murmur2_random",
    }
    files = {
        "ssl.ca.location": settings.kafka_ssl_cafile,
        "ssl.certificate.location": settings.kafka_ssl_certfile,
        # As Python has it: without a file of its own the key is in the certificate's.
        "ssl.key.location": settings.kafka_ssl_keyfile or settings.kafka_ssl_certfile,
    }
    options.update({name: str(path) for name, path in files.items() if path is not None})
    if settings.kafka_sasl_password is not None and settings.kafka_sasl_mechanism is not None:
        options["sasl.mechanism"] = settings.kafka_sasl_mechanism
        options["sasl.username"] = settings.kafka_sasl_username
        options["sasl.password"] = settings.kafka_sasl_password.get_secret_value()
    return options


def ssl_context(settings: Settings) -> ssl.SSLContext:
    """The broker's certificate checked against the CA file, and ours to show when it asks."""
    context = ssl.create_default_context(cafile=settings.kafka_ssl_cafile)
    if settings.kafka_ssl_certfile is not None:
        context.load_cert_chain(
            settings.kafka_ssl_certfile, settings.kafka_ssl_keyfile, _NO_PASSPHRASE
        )
    return context


def server_list(text: str) -> str:
    """``HOST:PORT,…`` without blanks and empty places. Raises ValueError for anything else.

    librdkafka takes anything, and finds no broker; aiokafka fails over it.
    """
    servers = [server.strip() for server in text.split(",") if server.strip()]
    if not servers or not all(map(_is_server, servers)):
        raise ValueError("not a list of HOST:PORT")
    return ",".join(servers)


def _is_server(text: str) -> bool:
    match = _SERVER.fullmatch(text)
    if match is None or not 1 <= int(match["port"] or 9092) <= 65535:
        return False
    return is_host(match["host"]) if match["host"] is not None else is_ipv6(match["ipv6"])


def check_tls_files(settings: Settings) -> None:
    """Raises SettingsError for the files that the clients could not use."""
    ca, certificate, key = (
        settings.kafka_ssl_cafile,
        settings.kafka_ssl_certfile,
        settings.kafka_ssl_keyfile,
    )

    def own() -> None:
        if certificate is not None:
            _check_certificate("KAFKA_SSL_CERTFILE", certificate)
            _check_key(certificate, key)
        elif key is not None:
            raise SettingsError("KAFKA_SSL_CERTFILE: required with KAFKA_SSL_KEYFILE, but not set")

    def theirs() -> None:
        if ca is not None:
            _check_certificate("KAFKA_SSL_CAFILE", ca)

    all_of(theirs, own)


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
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, _NO_PASSPHRASE)
    except ssl.SSLError:
        if key is None:
            told = f"required, for there is no private key in {certificate}, but not set"
        else:
            told = (
                f"no private key in {key} that fits KAFKA_SSL_CERTFILE; name a file that has it "
                "in PEM, without a passphrase"
            )
        raise SettingsError(f"KAFKA_SSL_KEYFILE: {told}") from None


def _check_readable(name: str, path: Path) -> None:
    try:
        path.open("rb").close()
    except OSError as exc:
        raise SettingsError(
            f"{name}: cannot read {path}: {exc.strerror}; name a file that this user may read"
        ) from None
