"""One set of settings into the options of both Kafka clients."""

from __future__ import annotations

import ssl
from typing import Any

from streams.settings import Settings


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
        "ssl.key.location": settings.kafka_ssl_keyfile,
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
        context.load_cert_chain(settings.kafka_ssl_certfile, settings.kafka_ssl_keyfile)
    return context
