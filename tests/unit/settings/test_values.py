"""Settings against the contract's table, variable by variable."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.settings import Settings
from tests.support.environments import WRONG, Environment, refusal

# Variable, what the contract's table says of it when it is not set.
DEFAULTS = [
    ("GENESYS_CLOUD_BASE_URL", None),
    ("GENESYS_CLOUD_LOGIN_URL", None),
    ("GENESYS_CLOUD_CLIENT_ID", None),
    ("GENESYS_CLOUD_CLIENT_SECRET", None),
    # Without it, interactions has its two scopes, and conversations sends none (test_genesys.py).
    ("GENESYS_CLOUD_SCOPES", None),
    ("GENESYS_CLOUD_REGION", None),
    ("GENESYS_CLOUD_REFRESH_TOKEN", None),
    ("WRAP_UP_NONE_CODES", "ININ-WRAP-UP-TIMEOUT,ININ-WRAP-UP-SKIPPED"),
    ("WRAP_UP_MEDIA", "voice"),
    ("WRAP_UP_LEGS", "all"),
    ("WRAP_UP_MARGIN_SECONDS", 10),
    ("WRAP_UP_PATIENCE_SECONDS", 900),
    ("WRAP_UP_VERIFY_SECONDS", 60),
    ("WRAP_UP_CAMPAIGNS", "leave"),
    ("WRAP_UP_METHOD", "participant"),
    ("WRAP_UP_KEEP_END_TIME", True),
    ("GENESYS_API", "interactions"),
    ("DISPOSITION_CODE_ID", None),
    ("DURATION_THRESHOLD_MS", 30_000),
    ("DRY_RUN", False),
    ("LAG_WINDOW_SECONDS", 60),
    ("SKIP_RECORDS", None),
    ("ALLOW_INSECURE_HTTP", False),
    ("FETCH_POLICY", "completed"),
    ("BRIDGE_KEEP", "needed"),
    ("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092"),
    ("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT"),
    ("KAFKA_SASL_MECHANISM", None),
    ("KAFKA_SASL_USERNAME", None),
    ("KAFKA_SASL_PASSWORD", None),
    ("KAFKA_SSL_CAFILE", None),
    ("KAFKA_SSL_CERTFILE", None),
    ("KAFKA_SSL_KEYFILE", None),
    ("TOPIC_PREFIX", "genesys.interaction."),
    ("APP_ID", "genesys-streams"),
    ("DATA_DIR", Path("./data")),
    ("WORKER_INSTANCE_ID", None),
    ("MAX_IN_FLIGHT", 200),
    ("STATE_TTL_SECONDS", 25 * 3600),
    ("GENESYS_REQUESTS_PER_MINUTE", 300),
    ("API_TIMEOUT_SECONDS", 10),
    ("RETRY_MAX_ATTEMPTS", 10),
    ("BREAKER_OPEN_SECONDS", 30),
    ("BRIDGE_HOST", "127.0.0.1"),
    ("BRIDGE_PORT", 8080),
    ("BRIDGE_API_KEY", None),
    ("BRIDGE_QUEUE_URL", None),
    ("WORKER_HOST", "127.0.0.1"),
    ("WORKER_PORT", 6066),
    ("LOG_FORMAT", "console"),
    ("LOG_LEVEL", "info"),
]

# Variable, a value in an environment, what it is read as.
READ = [
    ("WRAP_UP_METHOD", "Call", "call"),
    ("WRAP_UP_MEDIA", "Voice, Callback", "voice, callback"),
    ("WRAP_UP_NONE_CODES", "ININ-WRAP-UP-TIMEOUT , a", "ININ-WRAP-UP-TIMEOUT , a"),
    ("DURATION_THRESHOLD_MS", "0", 0),
    ("DRY_RUN", "TRUE", True),
    ("LAG_WINDOW_SECONDS", "0", 0.0),
    ("LAG_WINDOW_SECONDS", "3600", 3600.0),
    ("DISPOSITION_CODE_ID", "a" * 128, "a" * 128),
    ("ALLOW_INSECURE_HTTP", "true", True),
    ("FETCH_POLICY", "Always", "always"),
    ("BRIDGE_KEEP", "ALL", "all"),
    ("GENESYS_API", "conversations", "conversations"),
    ("KAFKA_BOOTSTRAP_SERVERS", "a:9092,b:9092", "a:9092,b:9092"),
    ("KAFKA_BOOTSTRAP_SERVERS", " a:9092 , b:9093,", "a:9092,b:9093"),
    ("KAFKA_BOOTSTRAP_SERVERS", "kafka_1,10.0.0.1", "kafka_1,10.0.0.1"),
    ("KAFKA_BOOTSTRAP_SERVERS", "[::1]:9092,[fe80::1]", "[::1]:9092,[fe80::1]"),
    ("KAFKA_SECURITY_PROTOCOL", "ssl", "SSL"),
    ("TOPIC_PREFIX", "staging.", "staging."),
    ("APP_ID", "blue", "blue"),
    ("DATA_DIR", "/var/lib/streams", Path("/var/lib/streams")),
    ("WORKER_INSTANCE_ID", "worker-0", "worker-0"),
    ("MAX_IN_FLIGHT", "1", 1),
    ("STATE_TTL_SECONDS", "0.5", 0.5),
    ("WORKER_URLS", "http://a:6066, https://b/w/", "http://a:6066, https://b/w/"),
    ("BRIDGE_PORT", "0", 0),
    ("LOG_FORMAT", "JSON", "json"),
    ("LOG_LEVEL", "WARNING", "warning"),
]

# Variable, a wrong value, all that is said of it.
SAID = [
    (
        "MAX_IN_FLIGHT",
        "many",
        "must be a whole number from 1 to 100000; correct it, or unset it for the default, 200",
    ),
    (
        "BRIDGE_PORT",
        "eighty",
        "must be a whole number from 0 to 65535; correct it, or unset it for the default, 8080",
    ),
    (
        "STATE_TTL_SECONDS",
        "inf",
        "must be a finite number above 0 and at most 315360000; correct it, or unset it for the "
        "default, 90000",
    ),
    (
        "DEAD_LETTER_LIMIT",
        "1.5",
        "must be a finite number above 0 and at most 1; correct it, or unset it for the default, "
        "0.5",
    ),
    ("DRY_RUN", "maybe", "must be true or false; correct it, or unset it for the default, false"),
    (
        "LOG_LEVEL",
        "loud",
        "must be debug, info, warning or error; correct it, or unset it for the default, info",
    ),
    (
        "KAFKA_SASL_MECHANISM",
        "MD5",
        "must be PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER or AWS_MSK_IAM; correct it, or "
        "unset it",
    ),
    (
        "APP_ID",
        "a/b",
        "must be 1 to 100 letters, digits, dots, underscores or hyphens; correct it, or unset it "
        "for the default, genesys-streams",
    ),
    (
        "KAFKA_BOOTSTRAP_SERVERS",
        "foo:bar",
        "must be HOST:PORT, several separated by commas, an IPv6 address in brackets; correct it, "
        "or unset it for the default, localhost:9092",
    ),
    (
        "WORKER_ADVERTISED_URL",
        "\udcff",
        "must be text in UTF-8; correct it, or unset it",
    ),
]


@pytest.mark.parametrize(("variable", "default"), DEFAULTS)
def test_defaults_are_the_contracts(variable: str, default: object) -> None:
    assert getattr(Settings.load(), variable.lower()) == default


@pytest.mark.parametrize(("variable", "text", "value"), READ)
def test_the_environment_is_read(
    environment: Environment, variable: str, text: str, value: object
) -> None:
    environment(**{variable: text})
    assert getattr(Settings.load(), variable.lower()) == value


@pytest.mark.parametrize(("variable", "text"), WRONG)
def test_a_wrong_value_is_one_line_that_names_its_variable(
    environment: Environment, variable: str, text: str
) -> None:
    environment(**{variable: text})
    message = refusal(Settings.load)
    assert message.startswith(f"{variable}: ")
    assert "\n" not in message


@pytest.mark.parametrize(("variable", "text", "said"), SAID)
def test_a_wrong_value_is_answered_with_what_is_allowed(
    environment: Environment, variable: str, text: str, said: str
) -> None:
    environment(**{variable: text})
    assert refusal(Settings.load) == f"{variable}: {said}"


def test_an_empty_variable_is_one_that_is_not_set(environment: Environment) -> None:
    environment(MAX_IN_FLIGHT="", GENESYS_CLOUD_BASE_URL="", APP_ID="")
    settings = Settings.load()
    assert settings.max_in_flight == 200
    assert settings.app_id == "genesys-streams"
    assert settings.genesys_cloud_base_url is None


def test_settings_never_change_once_read() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings.load().dry_run = True


def test_one_prefix_names_all_topics(environment: Environment) -> None:
    environment(TOPIC_PREFIX="staging.")
    topics = Settings.load().topics
    assert topics.events == "staging.events"
    assert topics.outcomes == "staging.outcomes"
    assert topics.retries == "staging.retries"
    assert topics.dead_letters == "staging.dead-letters"
