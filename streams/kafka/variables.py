"""The variables of a Kafka cluster, a part of all settings."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field, SecretStr, field_validator

from streams.kafka.secret import Secret
from streams.kafka.settings import (
    KafkaSettings,
    SaslMechanism,
    SecurityProtocol,
    TopicNames,
    server_list,
)
from streams.variables import DAY, LONGEST, SCOPES, SCOPES_TEXT

PATH = "a path of at most 1024 printable characters"
_PRINTABLE = "1 to 1024 printable characters"


class KafkaVariables(BaseModel):
    """How to reach the cluster, and as whom."""

    kafka_bootstrap_servers: str = Field(
        "localhost:9092",
        # Thirty brokers with the longest names that DNS allows.
        max_length=8192,
        description="HOST:PORT, several separated by commas, an IPv6 address in brackets",
    )
    kafka_security_protocol: SecurityProtocol = "PLAINTEXT"
    kafka_sasl_mechanism: SaslMechanism | None = None
    kafka_sasl_username: str | None = Field(None, description=_PRINTABLE)
    kafka_sasl_password: SecretStr | None = Field(None, description=_PRINTABLE)
    kafka_sasl_password_file: Path | None = Field(None, description=PATH)
    kafka_sasl_oauth_token_url: str | None = None
    kafka_sasl_oauth_client_id: str | None = Field(None, description=_PRINTABLE)
    kafka_sasl_oauth_client_secret: SecretStr | None = Field(None, description=_PRINTABLE)
    kafka_sasl_oauth_client_secret_file: Path | None = Field(None, description=PATH)
    kafka_sasl_oauth_scope: str | None = Field(
        None, pattern=SCOPES, max_length=LONGEST, description=SCOPES_TEXT
    )
    aws_region: str | None = Field(
        None, pattern=r"^[a-z0-9-]{1,64}$", description="a region's name, such as eu-central-1"
    )
    kafka_ssl_cafile: Path | None = Field(None, description=PATH)
    kafka_ssl_certfile: Path | None = Field(None, description=PATH)
    kafka_ssl_keyfile: Path | None = Field(None, description=PATH)
    # Kafka's protocol has this time in 32 bits, in milliseconds.
    kafka_session_timeout_seconds: float = Field(10.0, gt=0, le=DAY)

    @field_validator("kafka_bootstrap_servers")
    @classmethod
    def _servers(cls, value: str) -> str:
        return server_list(value)

    def kafka_settings(
        self,
        *,
        topics: TopicNames,
        app_id: str,
        state_ttl_seconds: float,
        allow_insecure_http: bool,
    ) -> KafkaSettings:
        """These variables, and what else the modules that talk to Kafka need."""
        return KafkaSettings(
            bootstrap_servers=self.kafka_bootstrap_servers,
            topics=topics,
            app_id=app_id,
            state_ttl_seconds=state_ttl_seconds,
            security_protocol=self.kafka_security_protocol,
            sasl_mechanism=self.kafka_sasl_mechanism,
            sasl_username=self.kafka_sasl_username,
            sasl_password=Secret.of(self.kafka_sasl_password, self.kafka_sasl_password_file),
            sasl_oauth_token_url=self.kafka_sasl_oauth_token_url,
            sasl_oauth_client_id=self.kafka_sasl_oauth_client_id,
            sasl_oauth_client_secret=Secret.of(
                self.kafka_sasl_oauth_client_secret, self.kafka_sasl_oauth_client_secret_file
            ),
            sasl_oauth_scope=self.kafka_sasl_oauth_scope,
            aws_region=self.aws_region,
            ssl_cafile=self.kafka_ssl_cafile,
            ssl_certfile=self.kafka_ssl_certfile,
            ssl_keyfile=self.kafka_ssl_keyfile,
            allow_insecure_http=allow_insecure_http,
        )
