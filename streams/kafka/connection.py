"""Turns the Kafka settings into the options of both Kafka clients."""

from __future__ import annotations

import ssl
from typing import Any

from streams.kafka.settings import NO_PASSPHRASE, KafkaSettings


def aiokafka_options(settings: KafkaSettings) -> dict[str, Any]:
    """Options common to every aiokafka client."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap_servers,
        "security_protocol": settings.security_protocol,
    }
    if settings.is_over_tls:
        options["ssl_context"] = ssl_context(settings)
    if settings.sasl_password is not None and settings.sasl_mechanism is not None:
        options["sasl_mechanism"] = settings.sasl_mechanism
        options["sasl_plain_username"] = settings.sasl_username
        options["sasl_plain_password"] = settings.sasl_password
    return options


def librdkafka_options(settings: KafkaSettings) -> dict[str, Any]:
    """Options common to every confluent-kafka client."""
    options: dict[str, Any] = {
        "bootstrap.servers": settings.bootstrap_servers,
        "security.protocol": settings.security_protocol,
        # librdkafka logs every refused connection on stderr; its callers report what matters.
        "log_level": 0,
        # Faust and aiokafka partition keys by murmur2 (test_reader.py); librdkafka's own default is
        # CRC32 (tests/kafka/test_another_partitioner.py).
        "partitioner": "murmur2_random",
    }
    files = {
        "ssl.ca.location": settings.ssl_cafile,
        "ssl.certificate.location": settings.ssl_certfile,
        # As in Python's ssl: without a key file, the key is in the certificate's file.
        "ssl.key.location": settings.ssl_keyfile or settings.ssl_certfile,
    }
    options.update({name: str(path) for name, path in files.items() if path is not None})
    if settings.sasl_password is not None and settings.sasl_mechanism is not None:
        options["sasl.mechanism"] = settings.sasl_mechanism
        options["sasl.username"] = settings.sasl_username
        options["sasl.password"] = settings.sasl_password
    return options


def ssl_context(settings: KafkaSettings) -> ssl.SSLContext:
    """A context that checks the broker's certificate against the CA file, and has our certificate
    for a broker that asks for one."""
    context = ssl.create_default_context(cafile=settings.ssl_cafile)
    if settings.ssl_certfile is not None:
        context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile, NO_PASSPHRASE)
    return context
