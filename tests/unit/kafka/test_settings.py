"""The slice of the settings that the rooms of Kafka know; what is refused of it is in the tests of
the settings.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from streams.kafka.settings import KafkaSettings, TopicNames
from streams.settings import Settings


def test_every_field_is_the_setting_of_its_name(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(
        kafka_bootstrap_servers="one:1,two:2",
        kafka_security_protocol="SASL_PLAINTEXT",
        kafka_sasl_mechanism="PLAIN",
        kafka_sasl_username="user",
        kafka_sasl_password="hush",
        kafka_ssl_cafile="ca.pem",
        kafka_ssl_certfile="cert.pem",
        kafka_ssl_keyfile="key.pem",
        topic_prefix="calls.",
        app_id="app",
        state_ttl_seconds=60,
    )
    assert settings.kafka == KafkaSettings(
        bootstrap_servers="one:1,two:2",
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="PLAIN",
        sasl_username="user",
        sasl_password="hush",
        ssl_cafile=Path("ca.pem"),
        ssl_certfile=Path("cert.pem"),
        ssl_keyfile=Path("key.pem"),
        topics=TopicNames("calls."),
        app_id="app",
        state_ttl_seconds=60,
    )
    assert "hush" not in repr(settings.kafka)


def test_follows_a_copy_of_the_settings(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(app_id="app")
    assert settings.kafka.app_id == "app"
    assert settings.model_copy(update={"app_id": "other"}).kafka.app_id == "other"
