"""Turns the Kafka settings into the options of both Kafka clients."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from aiokafka.client import ConnectionGroup

from streams.errors import KafkaError
from streams.kafka.secret import Secret
from streams.kafka.settings import KafkaSettings
from streams.kafka.tls import ssl_context
from streams.kafka.tokens import AsyncTokens, token_source
from streams.tls_files import RenewedContext

log = logging.getLogger(__name__)


def aiokafka_options(settings: KafkaSettings) -> dict[str, Any]:
    """Options common to every aiokafka client. Raises KafkaError when a file has no secret."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap_servers,
        "security_protocol": settings.security_protocol,
    }
    if settings.is_over_tls:
        options["ssl_context"] = RenewedContext(partial(ssl_context, settings))
    if settings.has_token:
        options["sasl_mechanism"] = "OAUTHBEARER"
        options["sasl_oauth_token_provider"] = AsyncTokens(token_source(settings))
    elif settings.is_sasl:
        options["sasl_mechanism"] = settings.sasl_mechanism
        options["sasl_plain_username"] = settings.sasl_username
        options["sasl_plain_password"] = _password(settings).read()
    return options


def librdkafka_options(settings: KafkaSettings) -> dict[str, Any]:
    """Options common to every confluent-kafka client. Raises KafkaError when a file has no secret,
    or when there is no token: confluent-kafka would wait 10 s for it, and then not say why."""
    options: dict[str, Any] = {
        "bootstrap.servers": settings.bootstrap_servers,
        "security.protocol": settings.security_protocol,
        # librdkafka logs every refused connection on stderr; its callers report what matters.
        "log_level": 0,
        # Faust and aiokafka partition keys by murmur2 (test_reader.py); librdkafka's own default is
        # CRC32 (tests/kafka/test_another_partitioner.py).
        "partitioner": "murmur2_random",
    }
    if settings.is_over_tls:
        files = {
            "ssl.ca.location": settings.ssl_cafile,
            "ssl.certificate.location": settings.ssl_certfile,
            # As in Python's ssl: without a key file, the key is in the certificate's file.
            "ssl.key.location": settings.ssl_keyfile or settings.ssl_certfile,
        }
        options.update({name: str(path) for name, path in files.items() if path is not None})
    if settings.has_token:
        source = token_source(settings)
        source.current()

        def refresh(_: object) -> tuple[str, float]:
            token = source.current()
            return token.value, token.ends_at

        options["sasl.mechanism"] = "OAUTHBEARER"
        options["oauth_cb"] = refresh
    elif settings.is_sasl:
        options["sasl.mechanism"] = settings.sasl_mechanism
        options["sasl.username"] = settings.sasl_username
        options["sasl.password"] = _password(settings).read()
    return options


def renew_password(client: Any, settings: KafkaSettings) -> None:
    """Make an AIOKafkaClient read the password's file again for each new connection; aiokafka keeps
    the password that it was made with."""
    secret, connect = settings.sasl_password, client._get_conn
    if secret is None or secret.file is None:
        return

    async def get_conn(node_id: Any, **options: Any) -> Any:
        known = client._conns.get((node_id, options.get("group", ConnectionGroup.DEFAULT)))
        if known is None or not known.connected():
            client._sasl_plain_password = _read(secret, client._sasl_plain_password)
        return await connect(node_id, **options)

    client._get_conn = get_conn


def _read(secret: Secret, before: str) -> str:
    try:
        return secret.read()
    except KafkaError as failure:
        log.warning("the password of before is used", extra={"error": str(failure)})
        return before


def _password(settings: KafkaSettings) -> Secret:
    assert settings.sasl_password is not None, "checked"
    return settings.sasl_password
