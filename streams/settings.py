"""The environment (and ``.env``) into one frozen value, checked before anything is started."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from streams.errors import SettingsError
from streams.kafka.connection import check_tls_files, server_list
from streams.skipping import SourceRecord, skipped_records

T = TypeVar("T")

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})

# Kafka allows these and no other characters in a topic name; it refuses longer ones.
TOPIC_NAME_PATTERN = r"^[A-Za-z0-9._-]{0,200}$"


@dataclass(frozen=True, slots=True)
class TopicNames:
    """The four topics under one prefix (contract, Topics)."""

    prefix: str

    @property
    def events(self) -> str:
        return f"{self.prefix}events"

    @property
    def outcomes(self) -> str:
        return f"{self.prefix}outcomes"

    @property
    def retries(self) -> str:
        return f"{self.prefix}retries"

    @property
    def dead_letters(self) -> str:
        return f"{self.prefix}dead-letters"


@dataclass(frozen=True, slots=True)
class GenesysSettings:
    """What it takes to talk to one Genesys Cloud org. Times in seconds."""

    base_url: str
    login_url: str
    client_id: str
    client_secret: str = field(repr=False)
    scopes: str = "interaction:read interaction:write"
    requests_per_minute: int = 300
    budget_shared_by: int = 1
    timeout: float = 10.0
    breaker_open_seconds: float = 30.0


class Settings(BaseSettings):
    """Every setting of the contract; defaults are the contract's."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        # A secret read from a file often ends in a line feed, and a blank one is none.
        str_strip_whitespace=True,
        # No deadline would ever pass.
        allow_inf_nan=False,
    )

    genesys_cloud_base_url: str | None = None
    genesys_cloud_login_url: str | None = None
    genesys_cloud_client_id: str | None = None
    genesys_cloud_client_secret: SecretStr | None = None
    genesys_cloud_scopes: str = "interaction:read interaction:write"
    genesys_api: Literal["interactions", "conversations"] = "interactions"
    disposition_code_id: str | None = None
    duration_threshold_ms: int = Field(30_000, ge=0)
    dry_run: bool = False
    fetch_policy: Literal["completed", "always"] = "completed"

    kafka_bootstrap_servers: str = Field(
        "localhost:9092",
        description="HOST:PORT, several separated by commas, an IPv6 address in brackets",
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_ssl_cafile: Path | None = None
    kafka_ssl_certfile: Path | None = None
    kafka_ssl_keyfile: Path | None = None
    kafka_session_timeout_seconds: float = Field(10.0, gt=0)

    topic_prefix: str = Field(
        "genesys.interaction.",
        pattern=TOPIC_NAME_PATTERN,
        description="at most 200 letters, digits, dots, underscores or hyphens",
    )
    app_id: str = Field(
        "genesys-streams",
        pattern=r"^[A-Za-z0-9._-]{1,100}$",
        description="1 to 100 letters, digits, dots, underscores or hyphens",
    )
    data_dir: Path = Path("data")
    worker_instance_id: str | None = None
    max_in_flight: int = Field(200, ge=1)
    state_ttl_seconds: float = Field(90_000, gt=0)
    genesys_requests_per_minute: int = Field(300, ge=1)
    genesys_budget_shared_by: int = Field(1, ge=1)
    api_timeout_seconds: float = Field(10.0, gt=0)
    retry_max_attempts: int = Field(10, ge=0)
    retry_first_seconds: float = Field(30.0, gt=0)
    lag_window_seconds: float = Field(60.0, ge=0)
    breaker_open_seconds: float = Field(30.0, gt=0)
    skip_records: str | None = None
    allow_insecure_http: bool = False
    dead_letter_limit: float = Field(0.5, gt=0, le=1)
    stall_seconds: float = Field(120.0, gt=0)

    bridge_host: str = "127.0.0.1"
    bridge_port: int = Field(8080, ge=0, le=65535)
    bridge_api_key: SecretStr | None = None
    worker_host: str = "127.0.0.1"
    worker_port: int = Field(6066, ge=0, le=65535)
    worker_advertised_url: str | None = None

    log_format: Literal["console", "json"] = "console"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("log_level", "log_format", "genesys_api", "fetch_policy", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("kafka_security_protocol", "kafka_sasl_mechanism", mode="before")
    @classmethod
    def _upper(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value

    @field_validator("kafka_bootstrap_servers")
    @classmethod
    def _servers(cls, value: str) -> str:
        return server_list(value)

    @classmethod
    def load(cls, **overrides: Any) -> Settings:
        """Read the environment and ``.env``. Raises SettingsError naming what is wrong first."""
        try:
            settings = cls(**overrides)
        except ValidationError as exc:
            name = str(exc.errors(include_url=False, include_input=False)[0]["loc"][0])
            raise SettingsError(_wrong(name, cls.model_fields[name])) from None
        except UnicodeDecodeError:
            raise SettingsError(".env: not UTF-8 text, so no setting can be read from it") from None
        settings._check_sasl()
        settings.skipped_records()
        if settings.kafka_security_protocol.endswith("SSL"):
            check_tls_files(settings)
        return settings

    def _check_sasl(self) -> None:
        if self.kafka_security_protocol.startswith("SASL"):
            _required("KAFKA_SASL_MECHANISM", self.kafka_sasl_mechanism, "for a SASL protocol")
            _required("KAFKA_SASL_USERNAME", self.kafka_sasl_username, "for a SASL protocol")
            _required("KAFKA_SASL_PASSWORD", self.kafka_sasl_password, "for a SASL protocol")

    @property
    def topics(self) -> TopicNames:
        return TopicNames(self.topic_prefix)

    def skipped_records(self) -> frozenset[SourceRecord]:
        """Topic, partition and offset of the records that are to end unread. Raises
        SettingsError."""
        return skipped_records(
            self.skip_records or "", events=self.topics.events, retries=self.topics.retries
        )

    def genesys(self) -> GenesysSettings:
        """The API settings. Raises SettingsError when one that the worker needs is missing."""
        if self.genesys_api != "interactions":
            # Better said here than found out from a thousand answers of 404.
            raise SettingsError(
                "GENESYS_API: only interactions is built so far; unset it or set it to interactions"
            )
        base_url = _url(
            "GENESYS_CLOUD_BASE_URL",
            _required(
                "GENESYS_CLOUD_BASE_URL",
                self.genesys_cloud_base_url,
                "such as https://api.mypurecloud.de for your region",
            ),
        )
        client_id = _required("GENESYS_CLOUD_CLIENT_ID", self.genesys_cloud_client_id)
        if ":" in client_id:
            # HTTP Basic ends the user's name at the first colon (RFC 7617).
            raise SettingsError("GENESYS_CLOUD_CLIENT_ID: must not contain a colon")
        secret = _required("GENESYS_CLOUD_CLIENT_SECRET", self.genesys_cloud_client_secret)
        login_url = _url(
            "GENESYS_CLOUD_LOGIN_URL", self.genesys_cloud_login_url or _login_url(base_url)
        )
        return GenesysSettings(
            base_url=base_url,
            login_url=login_url,
            client_id=client_id,
            client_secret=secret.get_secret_value(),
            scopes=self.genesys_cloud_scopes,
            requests_per_minute=self.genesys_requests_per_minute,
            budget_shared_by=self.genesys_budget_shared_by,
            timeout=self.api_timeout_seconds,
            breaker_open_seconds=self.breaker_open_seconds,
        )

    def disposition_code(self) -> str | None:
        """The code to set; None only in a dry run. Raises SettingsError when it is missing."""
        if self.dry_run:
            return self.disposition_code_id
        return _required("DISPOSITION_CODE_ID", self.disposition_code_id, "unless DRY_RUN=true")

    def bridge_api_keys(self) -> tuple[str, ...]:
        """The accepted keys, several in a rotation. Raises SettingsError when one is needed."""
        text = self.bridge_api_key.get_secret_value() if self.bridge_api_key else ""
        keys = tuple(key.strip() for key in text.split(",") if key.strip())
        if not keys and self.bridge_host not in LOOPBACK_HOSTS:
            raise SettingsError(
                f"BRIDGE_API_KEY: required because BRIDGE_HOST={self.bridge_host} is not loopback"
            )
        return keys

    def advertised_url(self) -> str:
        """Where the other workers of the group reach this one's HTTP endpoint."""
        if self.worker_advertised_url:
            return _url("WORKER_ADVERTISED_URL", self.worker_advertised_url)
        wildcard = self.worker_host in {"0.0.0.0", "::", ""}
        host = socket.gethostname() if wildcard else self.worker_host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.worker_port}"


def _wrong(name: str, field: FieldInfo) -> str:
    """What may be there, and what to do. Not what is there: it may be a secret gone astray."""
    told = f"{name.upper()}: must be {_allowed(field)}; correct it, or unset it"
    if field.default is None:
        return told
    default = "false" if field.default is False else field.default
    return f"{told} for the default, {default}"


def _allowed(field: FieldInfo) -> str:
    if field.description:
        return field.description
    kinds = (field.annotation, *get_args(field.annotation))
    literals = [get_args(kind) for kind in kinds if get_origin(kind) is Literal]
    if literals:
        *others, last = literals[0]
        return f"{', '.join(others)} or {last}"
    if field.annotation is bool:
        return "true or false"
    if field.annotation is int:
        return f"a whole number{_bounds(field)}"
    if field.annotation is float:
        return f"a finite number{_bounds(field)}"
    return "text in UTF-8"


def _bounds(field: FieldInfo) -> str:
    bounds: dict[str, float] = {}
    for limit in field.metadata:
        bounds |= {
            name: getattr(limit, name) for name in ("gt", "ge", "le") if hasattr(limit, name)
        }
    match bounds:
        case {"ge": least, "le": most}:
            return f" from {least} to {most}"
        case {"gt": below, "le": most}:
            return f" above {below} and at most {most}"
        case {"ge": least}:
            return f" of at least {least}"
        case {"gt": below}:
            return f" above {below}"
    return ""


def _required(name: str, value: T | None, hint: str = "") -> T:
    if not value:
        raise SettingsError(f"{name}: required{f', {hint}' if hint else ''}, but not set")
    return value


def _url(name: str, value: str) -> str:
    """Paths are appended to it, and it is logged: so nothing after the path, and no password."""
    try:
        parts = urlsplit(value)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or re.search(r"[\s@?#]", value):
        raise SettingsError(
            f"{name}: must be an http:// or https:// URL with a host, and without a user, a query "
            "or a blank"
        )
    return value.rstrip("/")


def _login_url(base_url: str) -> str:
    """``https://api.mypurecloud.de`` -> ``https://login.mypurecloud.de`` (contract, Settings)."""
    prefix = "https://api."
    return f"https://login.{base_url[len(prefix) :]}" if base_url.startswith(prefix) else base_url
