"""The files of TLS: checked before they are used, and read again for each new connection, so that
what is renewed on disk is taken up without a restart. And TLS for the ports that we serve."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509

from streams.errors import SettingsError

log = logging.getLogger(__name__)

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


def check_own(prefix: str, certificate: Path | None, key: Path | None) -> None:
    """Raises SettingsError when our own certificate and its key cannot be used. They are set by
    ``prefix`` and ``_CERTFILE`` or ``_KEYFILE``."""
    if certificate is not None:
        check_certificate(f"{prefix}_CERTFILE", certificate)
        _check_key(prefix, certificate, key)
    elif key is not None:
        raise SettingsError(f"{prefix}_CERTFILE: required with {prefix}_KEYFILE, but not set")


def _check_key(prefix: str, certificate: Path, key: Path | None) -> None:
    if key is not None:
        check_readable(f"{prefix}_KEYFILE", key)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, NO_PASSPHRASE)
    except ssl.SSLError:
        if key is None:
            missing = f"required, for there is no private key in {certificate}, but not set"
        else:
            missing = (
                f"no private key in {key} that fits {prefix}_CERTFILE; name a file that has it "
                "in PEM, without a passphrase"
            )
        raise SettingsError(f"{prefix}_KEYFILE: {missing}") from None


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


class RenewedContext(ssl.SSLContext):
    """Makes a context anew for each connection. ``make`` reads the files, and raises OSError while
    they cannot be used.

    aiokafka, aiohttp and asyncio keep the context that they were given, and asyncio makes each
    connection with its ``wrap_bio``. A context can be told of a further CA, but not made to forget
    one: so each connection gets a new one.
    """

    def __new__(cls, make: Callable[[], ssl.SSLContext]) -> RenewedContext:
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

    def __init__(self, make: Callable[[], ssl.SSLContext]) -> None:
        self._make = make
        self._usable = make()

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        try:
            self._usable = self._make()
        except OSError as failure:  # an SSLError is one
            # Half written, or the key is not there yet: the next connection looks again.
            log.warning(
                "the files of TLS can not be used as they are now; those of before are used",
                extra={"error": str(failure)},
            )
        return self._usable.wrap_bio(*args, **kwargs)


def port_tls(prefix: str, certfile: Path | None, keyfile: Path | None) -> RenewedContext | None:
    """TLS for a port of ours; None when no certificate is set, and the port speaks plain HTTP.

    ``prefix``: of the variables, such as ``BRIDGE_SSL``. Raises SettingsError when the files cannot
    be used.
    """
    check_own(prefix, certfile, keyfile)
    if certfile is None:
        return None

    def make() -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certfile, keyfile, NO_PASSPHRASE)
        return context

    return RenewedContext(make)
