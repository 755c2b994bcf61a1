"""TLS to the brokers, from the files of the settings."""

from __future__ import annotations

import ssl
from collections.abc import Collection
from pathlib import Path

from streams.kafka.settings import KafkaSettings
from streams.tls_files import NO_PASSPHRASE


def ssl_context(settings: KafkaSettings) -> ssl.SSLContext:
    """A context that checks the broker's certificate against the CA file, and has our certificate
    for a broker that asks for one."""
    context = ssl.create_default_context(cafile=settings.ssl_cafile)
    if settings.ssl_certfile is not None:
        context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile, NO_PASSPHRASE)
    return context


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
