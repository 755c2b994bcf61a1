"""The slice of the settings that the rooms of Kafka know; what is refused of it is in the tests of
the settings.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from streams.kafka.secret import Secret
from streams.kafka.settings import KafkaSettings, TopicNames
from streams.settings import Settings


def test_every_field_is_the_setting_of_its_name(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(
        kafka_bootstrap_servers="one:1,two:2",
        kafka_security_protocol="SASL_PLAINTEXT",
        kafka_sasl_mechanism="PLAIN",
        kafka_sasl_username="user",
        kafka_sasl_password="hush",
        aws_region="eu-central-1",
        allow_insecure_http=True,
        topic_prefix="calls.",
        app_id="app",
        state_ttl_seconds=60,
    )
    assert settings.kafka == KafkaSettings(
        bootstrap_servers="one:1,two:2",
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="PLAIN",
        sasl_username="user",
        sasl_password=Secret("hush"),
        aws_region="eu-central-1",
        allow_insecure_http=True,
        topics=TopicNames("calls."),
        app_id="app",
        state_ttl_seconds=60,
    )
    assert "hush" not in repr(settings.kafka)


def test_every_file_is_the_setting_of_its_name(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = make_settings().model_copy(
        update={
            "kafka_ssl_cafile": Path("ca.pem"),
            "kafka_ssl_certfile": Path("cert.pem"),
            "kafka_ssl_keyfile": Path("key.pem"),
            "kafka_sasl_password_file": Path("password"),
        }
    )
    assert settings.kafka.files == tuple(map(Path, ("ca.pem", "cert.pem", "key.pem", "password")))


def test_follows_a_copy_of_the_settings(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(app_id="app")
    assert settings.kafka.app_id == "app"
    assert settings.model_copy(update={"app_id": "other"}).kafka.app_id == "other"
