"""Reads the environment (and ``.env``) into one frozen value, checked before any start."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from ssl import create_default_context
from typing import Any, Literal

from pydantic import ConfigDict, Field, SecretStr, ValidationError, field_validator

from streams.addresses import checked_url, http_url, is_loopback
from streams.api_keys import accepted_keys
from streams.core.conversations.policy import WrapUpPolicy
from streams.core.decision import Policy
from streams.environment import ENV_FILE, merged, read_env_file
from streams.errors import SettingsError
from streams.genesys.settings import GenesysSettings
from streams.genesys.variables import GenesysVariables, listed
from streams.kafka.settings import KafkaSettings, TopicNames
from streams.kafka.variables import PATH, KafkaVariables
from streams.refusal import first_of_each, required, wrong
from streams.skipping import Place, skipped_records
from streams.tls_files import RenewedContext, check_certificate, port_tls
from streams.variables import DAY, HEADER_TEXT, HOUR, LONGEST

# Kafka allows no other characters in a topic name, and refuses names that are too long.
TOPIC_NAME_PATTERN = r"^[A-Za-z0-9._-]{0,200}$"

# The text goes into HTTP Basic or the header for API keys, which take no other characters.
_HEADER_TEXT = re.compile(r"[ -~]{1,1024}")

_NO_BLANK = re.compile(r"[!-~]{1,255}")

_HOST = "a host's name or address"

# In seconds; see DAY.
_TEN_YEARS = 315_360_000


class Settings(KafkaVariables, GenesysVariables):
    """Every setting of the contract; defaults are the contract's."""

    model_config = ConfigDict(
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        # A secret read from a file often ends in a line feed.
        str_strip_whitespace=True,
        # With an infinite number no deadline would ever pass.
        allow_inf_nan=False,
    )

    disposition_code_id: str | None = Field(
        # The code is in every outcome and every record of the table, and their sizes are bounded.
        None,
        pattern=r"^[!-~]{1,128}$",
        description="1 to 128 printable ASCII characters without a blank",
    )
    duration_threshold_ms: int = Field(30_000, ge=0, le=_TEN_YEARS * 1000)
    dry_run: bool = False
    fetch_policy: Literal["completed", "always"] = "completed"
    skip_records: str | None = None

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
    data_dir: Path = Field(Path("data"), description=PATH)
    worker_instance_id: str | None = Field(
        # The form that Kafka requires for a group.instance.id. The worker's traces have it as well.
        None,
        pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}$",
        description="1 to 200 letters, digits, dots, underscores or hyphens, no dot at its "
        "beginning",
    )
    max_in_flight: int = Field(200, ge=1, le=100_000)
    state_ttl_seconds: float = Field(90_000, gt=0, le=_TEN_YEARS)
    # The wait doubles with each attempt: beyond a thousand attempts no float holds it.
    retry_max_attempts: int = Field(10, ge=0, le=1000)
    retry_first_seconds: float = Field(30.0, gt=0, le=DAY)
    lag_window_seconds: float = Field(60.0, ge=0, le=HOUR)
    dead_letter_limit: float = Field(0.5, gt=0, le=1)
    stall_seconds: float = Field(120.0, gt=0, le=_TEN_YEARS)

    bridge_host: str = Field("127.0.0.1", description=_HOST)
    bridge_port: int = Field(8080, ge=0, le=65535)
    bridge_api_key: SecretStr | None = Field(None, description=HEADER_TEXT)
    bridge_ssl_certfile: Path | None = Field(None, description=PATH)
    bridge_ssl_keyfile: Path | None = Field(None, description=PATH)
    bridge_queue_url: str | None = None
    bridge_keep: Literal["needed", "all"] = "needed"
    worker_host: str = Field("127.0.0.1", description=_HOST)
    worker_port: int = Field(6066, ge=0, le=65535)
    worker_api_key: SecretStr | None = Field(None, description=HEADER_TEXT)
    worker_ssl_certfile: Path | None = Field(None, description=PATH)
    worker_ssl_keyfile: Path | None = Field(None, description=PATH)
    worker_ssl_cafile: Path | None = Field(None, description=PATH)
    worker_advertised_url: str | None = None
    worker_urls: str | None = None

    console_host: str = Field("127.0.0.1", description=_HOST)
    console_port: int = Field(8085, ge=0, le=65535)
    console_api_key: SecretStr | None = Field(None, description=HEADER_TEXT)
    console_ssl_certfile: Path | None = Field(None, description=PATH)
    console_ssl_keyfile: Path | None = Field(None, description=PATH)

    log_format: Literal["console", "json"] = "console"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator(
        "log_level", "log_format", "genesys_api", "fetch_policy", "bridge_keep", mode="before"
    )
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("kafka_security_protocol", "kafka_sasl_mechanism", mode="before")
    @classmethod
    def _upper(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value

    @field_validator("bridge_host", "worker_host", "console_host")
    @classmethod
    def _host(cls, value: str) -> str:
        # Only the attempt to bind shows more, and its error line quotes it.
        if not _NO_BLANK.fullmatch(value):
            raise ValueError("no host")
        return value

    @field_validator(
        "genesys_cloud_client_id", "genesys_cloud_client_secret", "bridge_api_key",
        "worker_api_key", "console_api_key",
    )  # fmt: skip
    @classmethod
    def _fits_a_header(cls, value: str | SecretStr | None) -> str | SecretStr | None:
        if value is not None and not _HEADER_TEXT.fullmatch(_plain(value)):
            raise ValueError("no header can carry it")
        return value

    @field_validator(
        "bridge_ssl_certfile", "bridge_ssl_keyfile", "worker_ssl_cafile",
        "worker_ssl_certfile", "worker_ssl_keyfile", "data_dir",
        "console_ssl_certfile", "console_ssl_keyfile",
        "kafka_ssl_cafile", "kafka_ssl_certfile", "kafka_ssl_keyfile",
        "kafka_sasl_username", "kafka_sasl_password", "kafka_sasl_password_file",
        "kafka_sasl_oauth_client_id", "kafka_sasl_oauth_client_secret",
        "kafka_sasl_oauth_client_secret_file",
    )  # fmt: skip
    @classmethod
    def _printable(cls, value: str | SecretStr | Path | None) -> str | SecretStr | Path | None:
        # A path is quoted in errors and in the log.
        text = "" if value is None else _plain(value)
        if not text.isprintable() or len(text) > LONGEST:
            raise ValueError("not printable")
        return value

    @classmethod
    def load(
        cls,
        *needed: Callable[[Settings], object],
        _env_file: Path | str | None = ENV_FILE,
        **overrides: Any,
    ) -> Settings:
        """Read the environment and, behind it, ``.env``.

        ``needed``: the methods that a command will call, such as ``Settings.genesys``. Raises one
        SettingsError with everything that is missing or wrong.
        """
        behind = {} if _env_file is None else read_env_file(_env_file)
        given = merged(os.environ, behind) | overrides
        values = {name: value for name, value in given.items() if name in cls.model_fields}
        problems: list[str] = []
        try:
            settings = cls.model_validate(values)
        except ValidationError as exc:
            refused = {error["loc"][0] for error in exc.errors(include_url=False)}
            problems = [
                wrong(name, field, values.pop(name))
                for name, field in cls.model_fields.items()
                if name in refused
            ]
            # The other variables are checked as if the wrong ones were not set.
            settings = cls.model_validate(values)
        checks = (cls._check_kafka, cls.skipped_records, *needed)
        for check in checks:
            try:
                check(settings)
            except SettingsError as exc:
                problems += exc.problems
        if problems:
            raise SettingsError(*first_of_each(problems)) from None
        return settings

    @property
    def topics(self) -> TopicNames:
        return TopicNames(self.topic_prefix)

    @property
    def kafka(self) -> KafkaSettings:
        """The settings for the modules that talk to Kafka."""
        return self.kafka_settings(
            topics=self.topics,
            app_id=self.app_id,
            state_ttl_seconds=self.state_ttl_seconds,
            allow_insecure_http=self.allow_insecure_http,
        )

    def _check_kafka(self) -> None:
        self.kafka.check()

    def skipped_records(self) -> frozenset[Place]:
        """Topic, partition and offset of the records that are to be skipped unread. Raises
        SettingsError."""
        return skipped_records(
            self.skip_records or "", events=self.topics.events, retries=self.topics.retries
        )

    def genesys(self) -> GenesysSettings:
        """The API settings, whatever the dialect. Raises SettingsError with all that is missing or
        wrong in them."""
        return self.connection()

    def disposition_code(self) -> str | None:
        """The code to set; None only in a dry run. Raises SettingsError when it is missing."""
        if self.dry_run:
            return self.disposition_code_id
        return required("DISPOSITION_CODE_ID", self.disposition_code_id, "unless DRY_RUN=true")

    def policy(self, *, rehearsal: bool = False) -> Policy:
        """The values that decisions depend on. Raises SettingsError when the code is missing.

        ``rehearsal``: for calls that were over long ago. It sets no code, so it needs none. It has
        no lag window, because the API will not learn anything new of such calls.
        """
        return Policy(
            code=self.disposition_code_id if rehearsal else self.disposition_code(),
            threshold_ms=self.duration_threshold_ms,
            fetch=self.fetch_policy,
            dry_run=rehearsal or self.dry_run,
            lag_window_ms=0 if rehearsal else round(self.lag_window_seconds * 1000),
        )

    def wrap_up_policy(self, *, rehearsal: bool = False) -> WrapUpPolicy:
        """The same for the legs of conversations. Raises SettingsError when the code is missing, or
        counts as none itself: each look would find it missing again."""
        code = self.disposition_code_id if rehearsal else self.disposition_code()
        none_codes = listed(self.wrap_up_none_codes)
        if code in none_codes:
            raise SettingsError(
                "WRAP_UP_NONE_CODES: must not have the code of DISPOSITION_CODE_ID in it"
            )
        return WrapUpPolicy(
            code=code,
            none_codes=none_codes,
            media=listed(self.wrap_up_media),
            legs=self.wrap_up_legs,
            margin_ms=round(self.wrap_up_margin_seconds * 1000),
            patience_ms=round(self.wrap_up_patience_seconds * 1000),
            verify_ms=round(self.wrap_up_verify_seconds * 1000),
            campaigns=self.wrap_up_campaigns,
            threshold_ms=self.duration_threshold_ms,
            dry_run=rehearsal or self.dry_run,
            lag_window_ms=0 if rehearsal else round(self.lag_window_seconds * 1000),
        )

    def check_policy(self) -> None:
        """Raises SettingsError when the values that decisions depend on are missing or wrong, in
        the dialect that is set."""
        if self.genesys_api == "conversations":
            self.wrap_up_policy()
        else:
            self.policy()

    def bridge_api_keys(self) -> Sequence[str]:
        """The keys that an event is taken with. Raises SettingsError when none is set."""
        host = self.bridge_host
        return accepted_keys("BRIDGE", self.bridge_api_key, host, is_loopback(host))

    def worker_api_keys(self) -> Sequence[str]:
        """The keys that a look-up is answered for. Raises SettingsError as above."""
        host = self.worker_host
        return accepted_keys("WORKER", self.worker_api_key, host, is_loopback(host))

    def bridge_tls(self) -> RenewedContext | None:
        """TLS for the bridge's port, if it has any. Raises SettingsError."""
        return port_tls("BRIDGE_SSL", self.bridge_ssl_certfile, self.bridge_ssl_keyfile)

    def worker_tls(self) -> RenewedContext | None:
        """TLS for the worker's port, if it has any. Raises SettingsError."""
        return port_tls("WORKER_SSL", self.worker_ssl_certfile, self.worker_ssl_keyfile)

    def console_tls(self) -> RenewedContext | None:
        """TLS for the port of the operator's page, if it has any. Raises SettingsError."""
        return port_tls("CONSOLE_SSL", self.console_ssl_certfile, self.console_ssl_keyfile)

    def peers_tls(self) -> RenewedContext:
        """Checks the other workers' certificates when this one asks them. Raises SettingsError."""
        cafile = self.worker_ssl_cafile
        if cafile is not None:
            check_certificate("WORKER_SSL_CAFILE", cafile)
        return RenewedContext(partial(create_default_context, cafile=cafile))

    def look_up_keys(self) -> Sequence[str]:
        """The keys to ask workers with, wherever they listen; none when none is set."""
        return accepted_keys("WORKER", self.worker_api_key, self.worker_host, local=True)

    def worker_addresses(self) -> Sequence[str] | None:
        """Where WORKER_URLS says that the workers are; None when it is not set. Raises
        SettingsError."""
        if self.worker_urls is None:
            return None
        urls = [url.strip().rstrip("/") for url in self.worker_urls.split(",") if url.strip()]
        for url in urls:
            checked_url("WORKER_URLS", url)
        if not urls:
            raise SettingsError("WORKER_URLS: names no worker; write URLs separated by commas")
        return urls

    def own_worker(self) -> str:
        """The URL of a worker on this machine."""
        wildcard = self.worker_host in {"0.0.0.0", "::"}
        host = "127.0.0.1" if wildcard else self.worker_host
        return http_url(host, self.worker_port, tls=self.worker_ssl_certfile is not None)

    def console_api_keys(self) -> Sequence[str]:
        """The keys with which the operator's page may change something, and, beyond loopback, be
        looked at. Raises SettingsError as above."""
        host = self.console_host
        return accepted_keys("CONSOLE", self.console_api_key, host, is_loopback(host))

    def console_worker_urls(self) -> Sequence[str]:
        """Where the operator's page finds the workers; this machine's own unless they are named.
        Raises SettingsError."""
        if (given := self.worker_addresses()) is not None:
            return tuple(dict.fromkeys(given))
        return (self.own_worker(),) if self.worker_port else ()

    def queue_url(self) -> str:
        """The queue that the bridge from SQS reads. Raises SettingsError."""
        hint = (
            "by bridge sqs, or --queue-url; such as https://sqs.REGION.amazonaws.com/ACCOUNT/NAME"
        )
        url = required("BRIDGE_QUEUE_URL", self.bridge_queue_url, hint)
        if not checked_url("BRIDGE_QUEUE_URL", url).path.strip("/"):
            raise SettingsError(
                "BRIDGE_QUEUE_URL: names no queue; copy the queue's whole URL, which ends in the "
                "account and the queue's name"
            )
        return url

    def advertised_url(self) -> str:
        """The URL at which the other workers of the group reach this one's HTTP endpoint. Raises
        SettingsError."""
        wildcard = self.worker_host in {"0.0.0.0", "::"}
        host = socket.gethostname() if wildcard else self.worker_host
        made = http_url(host, self.worker_port, tls=self.worker_ssl_certfile is not None)
        if self.worker_advertised_url:
            text = self.worker_advertised_url
            checked_url("WORKER_ADVERTISED_URL", text)
        else:
            text = made
            # With port 0 the system has not picked the port yet.
            checked_url("WORKER_HOST, WORKER_ADVERTISED_URL", made.removesuffix(":0"))
        return text.rstrip("/")


def _plain(value: str | SecretStr | Path) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)
