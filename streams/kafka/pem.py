"""Checks the files of TLS before a client gets them, and reads what our own certificate says."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from streams.errors import SettingsError

# Given to OpenSSL for every key: without it, OpenSSL asks for a passphrase at the terminal, and a
# service hangs there.
NO_PASSPHRASE = ""


def check_certificate(name: str, path: Path) -> None:
    """Raises SettingsError when there is no certificate in the file of the variable ``name``."""
    check_readable(name, path)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        raise SettingsError(f"{name}: no certificate in {path}; name a file in PEM") from None


def check_key(certificate: Path, key: Path | None) -> None:
    """Raises SettingsError when the key does not fit the certificate."""
    if key is not None:
        check_readable("KAFKA_SSL_KEYFILE", key)
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


def check_readable(name: str, path: Path) -> None:
    """Raises SettingsError when this user may not read the file."""
    try:
        path.open("rb").close()
    except OSError as exc:
        raise SettingsError(
            f"{name}: cannot read {path}: {exc.strerror}; name a file that this user may read"
        ) from None


def subject(certificate: Path) -> str:
    """The subject of our certificate, written as Kafka writes it in a principal."""
    return _first(certificate).subject.rfc4514_string()


def expired_at(certificate: Path) -> datetime | None:
    """When our certificate expired; None while it has not."""
    end = _first(certificate).not_valid_after_utc
    return end if end < datetime.now(UTC) else None


def _first(path: Path) -> x509.Certificate:
    """The file's first certificate: the client's own; those behind it are of the CAs above it."""
    return x509.load_pem_x509_certificates(path.read_bytes())[0]
