"""TLS to the brokers, with the files as they are at each new connection."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Collection
from pathlib import Path
from typing import Any

from streams.kafka.pem import NO_PASSPHRASE
from streams.kafka.settings import KafkaSettings

log = logging.getLogger(__name__)


def ssl_context(settings: KafkaSettings) -> ssl.SSLContext:
    """A context that checks the broker's certificate against the CA file, and has our certificate
    for a broker that asks for one."""
    context = ssl.create_default_context(cafile=settings.ssl_cafile)
    if settings.ssl_certfile is not None:
        context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile, NO_PASSPHRASE)
    return context


class RenewedContext(ssl.SSLContext):
    """Reads the files again at each new connection, so that what is renewed on disk is taken up.

    aiokafka keeps the context that it was made with, and asyncio makes each connection with its
    ``wrap_bio``. A context can be told of a further CA, but not made to forget one: so each
    connection gets a new one.
    """

    def __new__(cls, settings: KafkaSettings) -> RenewedContext:
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._usable = ssl_context(settings)

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        try:
            self._usable = ssl_context(self._settings)
        except OSError as failure:  # an SSLError is one
            # Half written, or the key is not there yet: the next connection looks again.
            log.warning(
                "the files of TLS can not be used as they are now; those of before are used",
                extra={"error": str(failure)},
            )
        return self._usable.wrap_bio(*args, **kwargs)


def stamps(files: Collection[Path | None]) -> tuple[tuple[int, int, int] | None, ...]:
    """What changes when one of the files is written or replaced."""
    return tuple(_stamp(file) for file in files)


def _stamp(file: Path | None) -> tuple[int, int, int] | None:
    if file is None:
        return None
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
