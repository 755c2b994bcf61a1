"""Settings against the contract's table, variable by variable."""

from __future__ import annotations

import json
import os
import socket
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from unittest import mock

import hypothesis
import pytest
from confluent_kafka.admin import AdminClient
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from streams.core.decision import Policy
from streams.errors import SettingsError
from streams.kafka.connection import aiokafka_options, librdkafka_options
from streams.settings import Settings
from streams.telemetry import otel
from streams.worker.start_line import start_line
from tests.support.examples import times

SECRET = "hush-0f7a"

# Variable, what the contract's table says of it when it is not set.
DEFAULTS = [
    ("GENESYS_CLOUD_BASE_URL", None),
    ("GENESYS_CLOUD_LOGIN_URL", None),
    ("GENESYS_CLOUD_CLIENT_ID", None),
    ("GENESYS_CLOUD_CLIENT_SECRET", None),
    ("GENESYS_CLOUD_SCOPES", "interaction:read interaction:write"),
    ("GENESYS_API", "interactions"),
    ("DISPOSITION_CODE_ID", None),
    ("DURATION_THRESHOLD_MS", 30_000),
    ("DRY_RUN", False),
    ("LAG_WINDOW_SECONDS", 60),
    ("SKIP_RECORDS", None),
    ("ALLOW_INSECURE_HTTP", False),
    ("FETCH_POLICY", "completed"),
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
    ("WORKER_HOST", "127.0.0.1"),
    ("WORKER_PORT", 6066),
    ("LOG_FORMAT", "console"),
    ("LOG_LEVEL", "info"),
]

# Variable, a value in an environment, what it is read as.
READ = [
    ("DURATION_THRESHOLD_MS", "0", 0),
    ("DRY_RUN", "TRUE", True),
    ("LAG_WINDOW_SECONDS", "0", 0.0),
    ("LAG_WINDOW_SECONDS", "3600", 3600.0),
    ("DISPOSITION_CODE_ID", "a" * 128, "a" * 128),
    ("ALLOW_INSECURE_HTTP", "true", True),
    ("FETCH_POLICY", "Always", "always"),
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
    ("BRIDGE_PORT", "0", 0),
    ("LOG_FORMAT", "JSON", "json"),
    ("LOG_LEVEL", "WARNING", "warning"),
]

# Variable, a value that must be refused before anything is started.
WRONG = [
    ("GENESYS_API", "participants"),
    ("DURATION_THRESHOLD_MS", "-1"),
    ("DURATION_THRESHOLD_MS", "30s"),
    ("DRY_RUN", "maybe"),
    ("DISPOSITION_CODE_ID", "two words"),
    ("DISPOSITION_CODE_ID", "a" * 129),
    ("DISPOSITION_CODE_ID", "gr\u00fcn"),
    ("DISPOSITION_CODE_ID", "a\x1b[31m"),
    ("GENESYS_CLOUD_CLIENT_ID", "cli\u00e9nt"),
    ("GENESYS_CLOUD_CLIENT_SECRET", "a\x00b".replace("\x00", "\x07")),
    ("GENESYS_CLOUD_CLIENT_SECRET", "\udcff"),
    ("GENESYS_CLOUD_CLIENT_SECRET", "a" * 1025),
    ("GENESYS_CLOUD_SCOPES", 'a "b"'),
    ("GENESYS_CLOUD_SCOPES", "a\nb"),
    ("LAG_WINDOW_SECONDS", "-1"),
    ("LAG_WINDOW_SECONDS", "3600.1"),
    ("LAG_WINDOW_SECONDS", "inf"),
    ("LAG_WINDOW_SECONDS", "nan"),
    ("WORKER_INSTANCE_ID", "a/b"),
    ("WORKER_INSTANCE_ID", ".."),
    ("WORKER_INSTANCE_ID", "a" * 201),
    ("WORKER_HOST", "a b"),
    ("BRIDGE_HOST", "\x1b[31m"),
    ("BRIDGE_API_KEY", "cl\u00e9"),
    ("DATA_DIR", "a\nb"),
    ("DATA_DIR", "a" * 1025),
    ("KAFKA_SESSION_TIMEOUT_SECONDS", "1e300"),
    ("KAFKA_SASL_USERNAME", "a\tb"),
    ("KAFKA_BOOTSTRAP_SERVERS", "a..b:9092"),
    ("KAFKA_BOOTSTRAP_SERVERS", f"{'a' * 64}:9092"),
    ("SKIP_RECORDS", "1"),
    ("ALLOW_INSECURE_HTTP", "perhaps"),
    ("FETCH_POLICY", "never"),
    ("KAFKA_BOOTSTRAP_SERVERS", ","),
    ("KAFKA_BOOTSTRAP_SERVERS", "foo:bar"),
    ("KAFKA_BOOTSTRAP_SERVERS", "a:9092;b:9092"),
    ("KAFKA_BOOTSTRAP_SERVERS", "a:9092 b:9092"),
    ("KAFKA_BOOTSTRAP_SERVERS", "a:9092,b:0"),
    ("KAFKA_BOOTSTRAP_SERVERS", "a:65536"),
    ("KAFKA_BOOTSTRAP_SERVERS", "a:"),
    ("KAFKA_BOOTSTRAP_SERVERS", ":9092"),
    ("KAFKA_BOOTSTRAP_SERVERS", "::1:9092"),
    ("KAFKA_BOOTSTRAP_SERVERS", "[a]:9092"),
    ("KAFKA_BOOTSTRAP_SERVERS", "[::1"),
    ("KAFKA_BOOTSTRAP_SERVERS", "PLAINTEXT://a:9092"),
    ("KAFKA_BOOTSTRAP_SERVERS", "kafka/a:9092"),
    ("KAFKA_SECURITY_PROTOCOL", "TLS"),
    ("KAFKA_SASL_MECHANISM", "MD5"),
    ("TOPIC_PREFIX", "two words."),
    ("TOPIC_PREFIX", "a" * 201),
    ("APP_ID", "a/b"),
    ("MAX_IN_FLIGHT", "0"),
    ("MAX_IN_FLIGHT", "1e3"),
    ("STATE_TTL_SECONDS", "0"),
    ("STATE_TTL_SECONDS", "inf"),
    ("GENESYS_REQUESTS_PER_MINUTE", "0"),
    ("API_TIMEOUT_SECONDS", "0"),
    ("API_TIMEOUT_SECONDS", "nan"),
    ("RETRY_MAX_ATTEMPTS", "-1"),
    ("BREAKER_OPEN_SECONDS", "soon"),
    ("BRIDGE_PORT", "65536"),
    ("WORKER_PORT", "-1"),
    ("LOG_FORMAT", "xml"),
    ("LOG_LEVEL", "loud"),
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

GENESYS = {
    "GENESYS_CLOUD_BASE_URL": "https://api.mypurecloud.de",
    "GENESYS_CLOUD_CLIENT_ID": "client",
    "GENESYS_CLOUD_CLIENT_SECRET": SECRET,
}

SASL = {
    "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
    "KAFKA_SASL_USERNAME": "user",
    "KAFKA_SASL_PASSWORD": SECRET,
}

# Made for these tests, and good for nothing else: a certificate with its key, a key that is not
# its own, and its own behind a passphrase.
CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBdjCCARugAwIBAgIUF9yI+sDl9/EjDsvxKMVr4gMJR3wwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjUxNzAzMzhaGA8yMTI2MTEwMTE3MDMz
OFowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABKrr
UtSN0X4zfrZAmYkcyyCTr0jV8Z9PYPRuZDOIr2Q2+H2REPcvizIs9fI/I5QVo5BM
evmWmmgHrIcUQK9gAq6jUzBRMB0GA1UdDgQWBBTLpkvPjaYJU+Fetenu75YxFdhT
xjAfBgNVHSMEGDAWgBTLpkvPjaYJU+Fetenu75YxFdhTxjAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0kAMEYCIQCW2NLL92aUgmJrpMzbzIvsolDd4zDPf5PG
RcW/oDQETwIhAJq4g1CjGDPHfFmoRNFcVEWAgnOQPb8MD+Kkt5jCtBG5
-----END CERTIFICATE-----
"""

KEY = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg7eZr8e0dX4gpzZbB
hoq/eusvITqupiFqujiScQKJo/qhRANCAASq61LUjdF+M362QJmJHMsgk69I1fGf
T2D0bmQziK9kNvh9kRD3L4syLPXyPyOUFaOQTHr5lppoB6yHFECvYAKu
-----END PRIVATE KEY-----
"""

ANOTHER_KEY = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgpkIPS4y/BtiSnq75
s+mKo77LGHwRypfV6a8ijSRVAYehRANCAAQxCfDWW19P5sOsU6u72MPkSjRBWXxE
KOzBXw7dcVVPEeln19nV/xF6o/G9DoMh0Cpf1heHzGXb/wZD0aICJH6u
-----END PRIVATE KEY-----
"""

LOCKED_KEY = """\
-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgk6Iv/8QF+uQICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEKVQGZA4GgoT0K5rEQpYD3QEgZBG
kHIeHKHbkM7fkI5gaunTbBDF7o2wg6/KhyHtKglxPxnBntjr8ycvxmCbaCcd4/J9
px2D7oC9aaANBW/cuJlvcKDOXMkQnYc/OA1PwYvoc2WVFNC7MEkAMzgzGmXYHOOL
XK6XYRJsurME8kxiLOa+umOof3dBCtkJPgRBnnRt0QZJdQ3s0AStb/QOgk3HGao=
-----END ENCRYPTED PRIVATE KEY-----
"""

Environment = Callable[..., None]


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """Nothing set and no ``.env`` around; call it to set variables."""
    monkeypatch.chdir(tmp_path)
    for field in Settings.model_fields:
        monkeypatch.delenv(field.upper(), raising=False)

    def assign(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return assign


def refusal(read: Callable[[], object]) -> str:
    with pytest.raises(SettingsError) as caught:
        read()
    return str(caught.value)


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


class TestAllAtOnce:
    def test_a_worker_with_nothing_set_is_told_all_that_it_needs(self) -> None:
        message = refusal(lambda: Settings.load(Settings.genesys, Settings.disposition_code))
        for variable in (*GENESYS, "DISPOSITION_CODE_ID"):
            assert message.count(f"{variable}: required") == 1
        assert message.isprintable()

    def test_what_is_wrong_is_told_with_what_is_missing(self, environment: Environment) -> None:
        environment(
            GENESYS_CLOUD_BASE_URL="https://api.mypurecloud.de/api/v2",
            GENESYS_CLOUD_CLIENT_SECRET="s\u00e9same",
            MAX_IN_FLIGHT="many",
            DRY_RUN="maybe",
            KAFKA_SECURITY_PROTOCOL="SASL_SSL",
            SKIP_RECORDS="x",
            KAFKA_SSL_CAFILE="missing",
        )
        message = refusal(lambda: Settings.load(Settings.genesys, Settings.disposition_code))
        told = [problem.partition(": ")[0] for problem in message.split(" | ")]
        assert sorted(told) == sorted(
            [
                "GENESYS_CLOUD_BASE_URL", "GENESYS_CLOUD_CLIENT_ID", "GENESYS_CLOUD_CLIENT_SECRET",
                "DISPOSITION_CODE_ID", "MAX_IN_FLIGHT", "DRY_RUN", "KAFKA_SASL_MECHANISM",
                "KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD", "SKIP_RECORDS", "KAFKA_SSL_CAFILE",
            ]
        )  # fmt: skip


class TestKubernetes:
    @pytest.mark.parametrize("name", ["worker", "bridge"])
    @pytest.mark.parametrize("protocol", ["tcp", "udp", "sctp"])
    def test_the_address_of_a_service_is_told_from_a_port(
        self, environment: Environment, name: str, protocol: str
    ) -> None:
        environment(**{f"{name.upper()}_PORT": f"{protocol}://10.0.0.1:6066"})
        message = refusal(Settings.load)
        assert message.startswith(f"{name.upper()}_PORT: must be a whole number from 0 to 65535; ")
        assert f"Service named {name}" in message
        assert "enableServiceLinks: false" in message
        assert "10.0.0.1" not in message


class TestSkipRecords:
    @pytest.mark.parametrize(
        ("text", "records"),
        [
            ("", set()),
            (" , ,", set()),
            ("p.events/0/0", {("p.events", 0, 0)}),
            (
                " p.events / 3 / 17 ,\tp.retries/0/9223372036854775807,",
                {("p.events", 3, 17), ("p.retries", 0, 2**63 - 1)},
            ),
            ("p.events/007/01,p.events/7/1", {("p.events", 7, 1)}),
        ],
    )
    def test_are_read(
        self, environment: Environment, text: str, records: set[tuple[str, int, int]]
    ) -> None:
        environment(TOPIC_PREFIX="p.", SKIP_RECORDS=text)
        assert Settings.load().skipped_records() == frozenset(records)

    @pytest.mark.parametrize(
        "entry",
        [
            "p.events", "p.events/1", "p.events/1/2/3", "/1/2", "p.events//2", "p.events/1/",
            "p.events/-1/2", "p.events/+1/2", "p.events/1_0/2", "p.events/1/2.0", "p.events/a/2",
            "p.events/\u0661/2", "p.outcomes/1/2", "p.dead-letters/1/2", "events/1/2",
            "genesys.interaction.events/1/2", "p.events/2147483648/0",
            "p.events/0/9223372036854775808", f"p.events/0/{'9' * 5000}",
        ],
    )  # fmt: skip
    def test_an_entry_that_names_no_record_is_told_by_its_number(
        self, environment: Environment, entry: str
    ) -> None:
        environment(TOPIC_PREFIX="p.", SKIP_RECORDS=f"p.events/0/1,{entry}")
        message = refusal(Settings.load)
        assert message.startswith("SKIP_RECORDS: entry 2 ")
        assert message.isprintable()
        if len(entry) > 40:
            assert entry not in message


class TestDotEnv:
    def test_is_read_and_the_environment_wins(self, environment: Environment) -> None:
        Path(".env").write_text(f"MAX_IN_FLIGHT=7\nAPP_ID=blue\nUNKNOWN=1\nBRIDGE_API_KEY={SECRET}")
        environment(APP_ID="green")
        settings = Settings.load()
        assert settings.max_in_flight == 7
        assert settings.app_id == "green"
        assert settings.bridge_api_keys() == (SECRET,)

    def test_a_wrong_value_in_it_names_the_variable(self) -> None:
        Path(".env").write_text("MAX_IN_FLIGHT=many\n")
        assert refusal(Settings.load).startswith("MAX_IN_FLIGHT: ")

    def test_one_that_is_no_text_is_refused_in_one_line(self) -> None:
        Path(".env").write_bytes(b"MAX_IN_FLIGHT=\xff\n")
        assert refusal(Settings.load).startswith(".env: ")


class TestSecrets:
    @pytest.fixture(autouse=True)
    def secrets(self, environment: Environment) -> None:
        environment(**GENESYS, **SASL, BRIDGE_API_KEY=SECRET)

    def test_are_in_no_text_made_of_settings(self) -> None:
        settings = Settings.load()
        genesys = settings.genesys()
        assert genesys.client_secret == SECRET
        for text in (repr(settings), str(settings), settings.model_dump_json(), repr(genesys)):
            assert SECRET not in text

    def test_are_in_no_error(self, environment: Environment) -> None:
        environment(LOG_LEVEL=SECRET)
        with pytest.raises(SettingsError) as caught:
            Settings.load()
        assert SECRET not in str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__

    def test_lose_the_line_feed_that_a_file_ends_with(self, environment: Environment) -> None:
        environment(GENESYS_CLOUD_CLIENT_SECRET=f"{SECRET}\n")
        assert Settings.load().genesys().client_secret == SECRET


class TestGenesys:
    def test_takes_over_every_setting(self, environment: Environment) -> None:
        environment(
            **GENESYS,
            GENESYS_CLOUD_LOGIN_URL="https://login.example.org/",
            GENESYS_CLOUD_SCOPES="interaction:read",
            GENESYS_REQUESTS_PER_MINUTE="180",
            API_TIMEOUT_SECONDS="2.5",
        )
        genesys = Settings.load().genesys()
        assert genesys.base_url == "https://api.mypurecloud.de"
        assert genesys.login_url == "https://login.example.org"
        assert genesys.client_id == "client"
        assert genesys.scopes == "interaction:read"
        assert genesys.requests_per_minute == 180
        assert genesys.timeout == 2.5

    @pytest.mark.parametrize("variable", GENESYS)
    @pytest.mark.parametrize("blank", [None, "", "  "])
    def test_what_the_worker_needs_is_asked_for(
        self,
        environment: Environment,
        monkeypatch: pytest.MonkeyPatch,
        variable: str,
        blank: str | None,
    ) -> None:
        environment(**GENESYS)
        if blank is None:
            monkeypatch.delenv(variable)
        else:
            environment(**{variable: blank})
        message = refusal(Settings.load().genesys)
        assert message.startswith(f"{variable}: required")
        assert "\n" not in message

    @pytest.mark.parametrize(
        ("base", "login"),
        [
            ("https://api.mypurecloud.de", "https://login.mypurecloud.de"),
            ("https://api.usw2.pure.cloud/", "https://login.usw2.pure.cloud"),
            ("https://api.example.org:8443", "https://login.example.org:8443"),
            ("http://127.0.0.1:8090", "http://127.0.0.1:8090"),
            ("HTTPS://API.Mypurecloud.de", "https://login.mypurecloud.de"),
            ("http://[::1]:8090", "http://[::1]:8090"),
            ("http://LocalHost:8090", "http://localhost:8090"),
            ("http://127.9.9.9", "http://127.9.9.9"),
        ],
    )
    def test_the_token_host_follows_from_the_base(
        self, environment: Environment, base: str, login: str
    ) -> None:
        environment(**GENESYS | {"GENESYS_CLOUD_BASE_URL": base})
        assert Settings.load().genesys().login_url == login

    @pytest.mark.parametrize("variable", ["GENESYS_CLOUD_BASE_URL", "GENESYS_CLOUD_LOGIN_URL"])
    @pytest.mark.parametrize(
        "url",
        [
            "api.mypurecloud.de",
            "ftp://api.mypurecloud.de",
            "https://",
            "https://api.mypurecloud.de:99999",
            "https://api.mypurecloud.de:0",
            "https://[::1",
            "https://api.mypurecloud.de?region=de",
            "https://api.mypurecloud.de#fragment",
            "https://api.my purecloud.de",
            "https://api..mypurecloud.de",
            "https://-api.mypurecloud.de",
            f"https://{'a' * 64}.mypurecloud.de",
            "https://api.mypurecloud.d\u00e9",
            "https://api.mypurecloud.de\\@example.org",
            f"https://api.mypurecloud.de/{'a' * 500}",
            f"https://client:{SECRET}@api.mypurecloud.de",
        ],
    )
    def test_what_is_no_base_to_append_a_path_to_is_refused(
        self, environment: Environment, variable: str, url: str
    ) -> None:
        environment(**GENESYS | {variable: url})
        message = refusal(Settings.load().genesys)
        assert message.startswith(f"{variable}: ")
        assert "\n" not in message
        assert SECRET not in message

    @pytest.mark.parametrize("variable", ["GENESYS_CLOUD_BASE_URL", "GENESYS_CLOUD_LOGIN_URL"])
    @pytest.mark.parametrize("path", ["/api/v2", "/api/v2/", "/x", "//x"])
    def test_a_path_is_refused_with_what_to_write_instead(
        self, environment: Environment, variable: str, path: str
    ) -> None:
        environment(**GENESYS | {variable: f"https://api.mypurecloud.de:8443{path}"})
        assert refusal(Settings.load().genesys) == (
            f"{variable}: must have no path; write https://api.mypurecloud.de:8443"
        )

    @pytest.mark.parametrize("variable", ["GENESYS_CLOUD_BASE_URL", "GENESYS_CLOUD_LOGIN_URL"])
    @pytest.mark.parametrize(
        "host", ["api.mypurecloud.de", "10.0.0.1", "128.0.0.1", "[::2]", "localhost.example.org"]
    )
    def test_the_secret_goes_in_clear_only_where_that_was_asked_for(
        self, environment: Environment, variable: str, host: str
    ) -> None:
        environment(**GENESYS | {variable: f"http://{host}:8090"})
        message = refusal(Settings.load().genesys)
        assert message.startswith(f"{variable}: http:// to another machine ")
        assert "ALLOW_INSECURE_HTTP" in message
        environment(ALLOW_INSECURE_HTTP="true")
        genesys = Settings.load().genesys()
        assert f"http://{host}:8090" in (genesys.base_url, genesys.login_url)


class TestDispositionCode:
    def test_is_required_unless_dry_run(self, environment: Environment) -> None:
        assert refusal(Settings.load().disposition_code).startswith("DISPOSITION_CODE_ID: ")
        environment(DRY_RUN="true")
        assert Settings.load().disposition_code() is None

    @pytest.mark.parametrize("dry_run", ["true", "false"])
    def test_is_given_as_set(self, environment: Environment, dry_run: str) -> None:
        environment(DISPOSITION_CODE_ID="code-1", DRY_RUN=dry_run)
        assert Settings.load().disposition_code() == "code-1"


class TestPolicy:
    def test_is_as_set(self, environment: Environment) -> None:
        environment(
            DISPOSITION_CODE_ID="code-1",
            DURATION_THRESHOLD_MS="1",
            FETCH_POLICY="always",
            LAG_WINDOW_SECONDS="1.5",
        )
        assert Settings.load().policy() == Policy("code-1", 1, "always", False, 1500)
        environment(DRY_RUN="true")
        assert Settings.load().policy() == Policy("code-1", 1, "always", True, 1500)

    def test_needs_a_code_to_set(self, environment: Environment) -> None:
        assert refusal(Settings.load().policy).startswith("DISPOSITION_CODE_ID: ")
        environment(DRY_RUN="true")
        assert Settings.load().policy().code is None

    def test_of_a_rehearsal_is_a_dry_run_without_a_lag(self, environment: Environment) -> None:
        assert Settings.load().policy(rehearsal=True) == Policy(None, dry_run=True)
        environment(DISPOSITION_CODE_ID="code-1", LAG_WINDOW_SECONDS="1.5")
        assert Settings.load().policy(rehearsal=True) == Policy("code-1", dry_run=True)


class TestSasl:
    @pytest.mark.parametrize("protocol", ["SASL_PLAINTEXT", "SASL_SSL"])
    @pytest.mark.parametrize(
        "variable", ["KAFKA_SASL_MECHANISM", "KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"]
    )
    def test_needs_all_its_variables(
        self,
        environment: Environment,
        monkeypatch: pytest.MonkeyPatch,
        protocol: str,
        variable: str,
    ) -> None:
        environment(**SASL | {"KAFKA_SECURITY_PROTOCOL": protocol})
        monkeypatch.delenv(variable)
        assert refusal(Settings.load).startswith(f"{variable}: required")

    def test_is_not_asked_for_without_it(self, environment: Environment) -> None:
        environment(KAFKA_SECURITY_PROTOCOL="SSL")
        assert Settings.load().kafka_security_protocol == "SSL"


class TestTls:
    @pytest.fixture(autouse=True)
    def tls(self, environment: Environment) -> None:
        environment(KAFKA_SECURITY_PROTOCOL="SSL")
        for name, text in {
            "cert.pem": CERTIFICATE,
            "key.pem": KEY,
            "both.pem": CERTIFICATE + KEY,
            "another-key.pem": ANOTHER_KEY,
            "locked-key.pem": LOCKED_KEY,
            "no.pem": "no PEM\n",
            "empty.pem": "",
        }.items():
            Path(name).write_text(text)

    @pytest.mark.parametrize(
        "files",
        [
            {},
            {"CAFILE": "cert.pem"},
            {"CERTFILE": "cert.pem", "KEYFILE": "key.pem"},
            {"CAFILE": "both.pem", "CERTFILE": "both.pem"},
        ],
    )
    @pytest.mark.parametrize("protocol", ["SSL", "SASL_SSL"])
    def test_good_files_are_taken_by_both_clients(
        self, environment: Environment, protocol: str, files: dict[str, str]
    ) -> None:
        environment(**(SASL if protocol == "SASL_SSL" else {}))
        environment(**{f"KAFKA_SSL_{name}": file for name, file in files.items()})
        settings = Settings.load()
        assert isinstance(aiokafka_options(settings.kafka)["ssl_context"], ssl.SSLContext)
        options = librdkafka_options(settings.kafka)
        assert ("ssl.key.location" in options) == ("CERTFILE" in files)
        AdminClient(options)

    @pytest.mark.parametrize("variable", ["CAFILE", "CERTFILE", "KEYFILE"])
    @pytest.mark.parametrize("file", ["missing.pem", ".", "no.pem", "empty.pem"])
    @pytest.mark.parametrize("protocol", ["SSL", "SASL_SSL"])
    def test_a_file_that_is_no_use_is_one_line_that_names_its_variable(
        self, environment: Environment, protocol: str, variable: str, file: str
    ) -> None:
        environment(**(SASL if protocol == "SASL_SSL" else {}))
        good = {"CERTFILE": "cert.pem", "KEYFILE": "key.pem"}
        named = (good | {variable: file}).items()
        environment(**{f"KAFKA_SSL_{name}": value for name, value in named})
        message = refusal(Settings.load)
        assert message.startswith(f"KAFKA_SSL_{variable}: ")
        assert f" {file}" in message
        assert "\n" not in message

    @pytest.mark.parametrize("file", ["another-key.pem", "locked-key.pem", "cert.pem"])
    def test_a_key_must_fit_its_certificate_and_ask_for_no_passphrase(
        self, environment: Environment, file: str
    ) -> None:
        environment(KAFKA_SSL_CERTFILE="cert.pem", KAFKA_SSL_KEYFILE=file)
        assert refusal(Settings.load).startswith("KAFKA_SSL_KEYFILE: ")

    def test_a_certificate_needs_a_key(self, environment: Environment) -> None:
        environment(KAFKA_SSL_CERTFILE="cert.pem")
        assert refusal(Settings.load).startswith("KAFKA_SSL_KEYFILE: required")

    def test_a_key_needs_a_certificate(self, environment: Environment) -> None:
        environment(KAFKA_SSL_KEYFILE="key.pem")
        assert refusal(Settings.load).startswith("KAFKA_SSL_CERTFILE: required")

    @pytest.mark.parametrize("protocol", ["PLAINTEXT", "SASL_PLAINTEXT"])
    def test_files_are_not_taken_where_nothing_would_be_encrypted(
        self, environment: Environment, protocol: str
    ) -> None:
        environment(KAFKA_SECURITY_PROTOCOL=protocol, KAFKA_SSL_CAFILE="cert.pem")
        message = refusal(Settings.load)
        assert message.startswith(f"KAFKA_SECURITY_PROTOCOL: {protocol} has no TLS, ")
        assert "KAFKA_SSL_CAFILE" in message


@pytest.mark.parametrize("program", ["BRIDGE", "WORKER"])
class TestApiKeys:
    def keys(self, program: str) -> Sequence[str]:
        settings = Settings.load()
        return settings.bridge_api_keys() if program == "BRIDGE" else settings.worker_api_keys()

    @pytest.mark.parametrize(
        ("text", "keys"),
        [("one", ("one",)), ("old,new", ("old", "new")), (" old , , new ,", ("old", "new"))],
    )
    def test_several_serve_a_rotation(
        self, environment: Environment, program: str, text: str, keys: tuple[str, ...]
    ) -> None:
        environment(**{f"{program}_API_KEY": text})
        assert self.keys(program) == keys

    @pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
    def test_none_is_needed_on_loopback(
        self, environment: Environment, program: str, host: str
    ) -> None:
        environment(**{f"{program}_HOST": host})
        assert self.keys(program) == ()

    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "bridge.example.org"])
    @pytest.mark.parametrize("key", ["", " , "])
    def test_one_is_required_elsewhere(
        self, environment: Environment, program: str, host: str, key: str
    ) -> None:
        environment(**{f"{program}_HOST": host, f"{program}_API_KEY": key})
        message = refusal(lambda: self.keys(program))
        assert message.startswith(f"{program}_API_KEY: required because {program}_HOST={host} ")


class TestAdvertisedUrl:
    @pytest.mark.parametrize(
        ("host", "url"),
        [
            ("127.0.0.1", "http://127.0.0.1:6066"),
            ("::1", "http://[::1]:6066"),
            ("worker-0.workers", "http://worker-0.workers:6066"),
        ],
    )
    def test_is_the_address_listened_on(
        self, environment: Environment, host: str, url: str
    ) -> None:
        environment(WORKER_HOST=host)
        assert Settings.load().advertised_url() == url

    @pytest.mark.parametrize("host", ["0.0.0.0", "::"])
    def test_is_this_machine_where_all_addresses_are(
        self, environment: Environment, host: str
    ) -> None:
        environment(WORKER_HOST=host, WORKER_PORT="7000")
        assert Settings.load().advertised_url() == f"http://{socket.gethostname()}:7000"

    def test_can_be_told(self, environment: Environment) -> None:
        environment(WORKER_ADVERTISED_URL="https://workers.example.org/0/")
        assert Settings.load().advertised_url() == "https://workers.example.org/0"

    def test_must_be_one(self, environment: Environment) -> None:
        environment(WORKER_ADVERTISED_URL="worker-0")
        assert refusal(Settings.load().advertised_url).startswith("WORKER_ADVERTISED_URL: ")


def test_one_prefix_names_all_topics(environment: Environment) -> None:
    environment(TOPIC_PREFIX="staging.")
    topics = Settings.load().topics
    assert topics.events == "staging.events"
    assert topics.outcomes == "staging.outcomes"
    assert topics.retries == "staging.retries"
    assert topics.dead_letters == "staging.dead-letters"


def test_a_client_id_with_a_colon_is_refused() -> None:
    settings = Settings.load(
        _env_file=None,
        genesys_cloud_base_url="https://api.mypurecloud.de",
        genesys_cloud_client_id="a:b",
        genesys_cloud_client_secret="secret",
    )
    with pytest.raises(SettingsError, match="GENESYS_CLOUD_CLIENT_ID"):
        settings.genesys()


def test_a_dialect_that_is_not_built_is_refused() -> None:
    settings = Settings.load(_env_file=None, genesys_api="conversations")
    with pytest.raises(SettingsError, match="GENESYS_API"):
        settings.genesys()


# What an environment can hold: any bytes but NUL, as Python reads them.
VALUES = (
    st.binary(max_size=40).map(lambda raw: os.fsdecode(raw.replace(b"\0", b"")))
    | st.sampled_from(["true", "0", "1e400", "-1", "http://a", "https://[::1]:1/", "a/1/2", "SSL"])
    | st.sampled_from([text for _, text in WRONG])
)


def checked() -> None:
    """All that a worker and a bridge check before they start; what passes can be used."""
    settings = Settings.load(
        Settings.genesys,
        Settings.disposition_code,
        Settings.advertised_url,
        Settings.bridge_api_keys,
        Settings.worker_api_keys,
        otel.settle,
    )
    assert all(aiokafka_options(settings.kafka).values())
    AdminClient(librdkafka_options(settings.kafka))
    genesys = settings.genesys()
    f"{genesys.client_id}{genesys.client_secret}".encode("ascii")
    for url in (genesys.base_url, genesys.login_url, settings.advertised_url()):
        assert URL(url) / "api"
    json.dumps(start_line(settings, port=1)).encode("ascii")


@hypothesis.settings(max_examples=times(3))
@given(
    st.dictionaries(
        st.sampled_from([field.upper() for field in Settings.model_fields]), VALUES, max_size=4
    )
)
def test_any_value_of_any_setting_is_one_line_or_works(variables: dict[str, str]) -> None:
    base = GENESYS | {"DISPOSITION_CODE_ID": "code-1"}
    with mock.patch.dict(os.environ, base | variables):
        try:
            checked()
        except SettingsError as exc:
            assert str(exc).isprintable()
            assert all(problem.partition(":")[0].isupper() for problem in exc.problems)
            assert SECRET not in str(exc)


LINES = st.lists(
    st.builds(
        "{}{}{}{}".format,
        st.sampled_from(["DRY_RUN", "export APP_ID", "OTEL_BSP_SCHEDULE_DELAY", "", "#"]),
        st.sampled_from(["=", " = ", ":", ""]),
        st.sampled_from(["true", '"true', "'true'", "${APP_ID}", "\0", "5"]) | st.text(max_size=5),
        st.sampled_from(["\n", "\r\n", " # why\n", '"\n']),
    ).map(lambda line: line.encode("utf-8", "surrogatepass")),
    max_size=6,
).map(b"".join)


@hypothesis.settings(max_examples=times(3))
@given(st.binary(max_size=60) | LINES)
def test_any_env_file_is_one_line_or_works(content: bytes) -> None:
    Path(".env").write_bytes(content)
    with mock.patch.dict(os.environ, GENESYS | {"DISPOSITION_CODE_ID": "code-1"}):
        try:
            checked()
        except SettingsError as exc:
            assert str(exc).isprintable()
