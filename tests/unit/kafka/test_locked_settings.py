"""Which settings of the locks are taken, and that a contradiction is one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from streams.errors import KafkaError, SettingsError
from streams.kafka.secret import Secret
from streams.kafka.settings import KafkaSettings, OAuthSettings
from streams.settings import Settings

PASSWORD = {"kafka_sasl_username": "alice", "kafka_sasl_password": "hush"}
CLIENT = {
    "kafka_sasl_oauth_token_url": "https://login.example.org/oauth2/token",
    "kafka_sasl_oauth_client_id": "client",
    "kafka_sasl_oauth_client_secret": "hush",
}
SCRAM = PASSWORD | {
    "kafka_security_protocol": "SASL_SSL",
    "kafka_sasl_mechanism": "SCRAM-SHA-256",
}
BEARER = CLIENT | {"kafka_security_protocol": "SASL_SSL", "kafka_sasl_mechanism": "OAUTHBEARER"}
MSK = {
    "kafka_security_protocol": "SASL_SSL",
    "kafka_sasl_mechanism": "AWS_MSK_IAM",
    "aws_region": "eu-central-1",
}

Load = Callable[..., KafkaSettings]


@pytest.fixture
def load(make_settings: Callable[..., Settings]) -> Load:
    return lambda **given: make_settings(**given).kafka


@pytest.mark.parametrize("given", [{}, SCRAM, BEARER, MSK])
def test_what_fits_together_is_taken(load: Load, given: dict[str, str]) -> None:
    assert load(**given).is_sasl == bool(given)


def test_the_scope_is_no_must(load: Load) -> None:
    url, client = CLIENT["kafka_sasl_oauth_token_url"], "client"
    assert load(**BEARER).oauth == OAuthSettings(url, client, Secret("hush"))
    scoped = load(**BEARER, kafka_sasl_oauth_scope="kafka events")
    assert scoped.oauth == OAuthSettings(url, client, Secret("hush"), "kafka events")


@pytest.mark.parametrize(
    ("given", "without"),
    [
        *((SCRAM, name) for name in PASSWORD),
        *((BEARER, name) for name in CLIENT),
        (MSK, "aws_region"),
    ],
)
def test_what_is_missing_is_named(load: Load, given: dict[str, str], without: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(**{name: value for name, value in given.items() if name != without})
    mechanism = given["kafka_sasl_mechanism"]
    assert str(refused.value) == f"{without.upper()}: required, with {mechanism}, but not set"


@pytest.mark.parametrize(
    ("given", "begins", "names"),
    [
        (PASSWORD, "KAFKA_SECURITY_PROTOCOL: PLAINTEXT has no SASL, ", "KAFKA_SASL_PASSWORD"),
        (CLIENT, "KAFKA_SECURITY_PROTOCOL: PLAINTEXT has no SASL, ", "KAFKA_SASL_OAUTH_TOKEN_URL"),
        (
            {"kafka_security_protocol": "SSL", "kafka_sasl_mechanism": "PLAIN"},
            "KAFKA_SECURITY_PROTOCOL: SSL has no SASL, ",
            "KAFKA_SASL_MECHANISM",
        ),
        (
            SCRAM | {"kafka_security_protocol": "SASL_PLAINTEXT", "kafka_ssl_cafile": "ca.pem"},
            "KAFKA_SECURITY_PROTOCOL: SASL_PLAINTEXT has no TLS, ",
            "KAFKA_SSL_CAFILE",
        ),
        (SCRAM | CLIENT, "KAFKA_SASL_MECHANISM: SCRAM-SHA-256 does not use ", "OAUTH_CLIENT_ID"),
        (
            SCRAM | {"kafka_sasl_oauth_scope": "kafka"},
            "KAFKA_SASL_MECHANISM: SCRAM-SHA-256 does not use ",
            "KAFKA_SASL_OAUTH_SCOPE",
        ),
        (BEARER | PASSWORD, "KAFKA_SASL_MECHANISM: OAUTHBEARER does not use ", "SASL_USERNAME"),
        (MSK | PASSWORD, "KAFKA_SASL_MECHANISM: AWS_MSK_IAM does not use ", "SASL_PASSWORD"),
        (MSK | CLIENT, "KAFKA_SASL_MECHANISM: AWS_MSK_IAM does not use ", "OAUTH_TOKEN_URL"),
        (
            MSK | {"kafka_security_protocol": "SASL_PLAINTEXT"},
            "KAFKA_SECURITY_PROTOCOL: must be SASL_SSL with AWS_MSK_IAM",
            "MSK",
        ),
        (
            BEARER | {"kafka_sasl_oauth_token_url": "http://login.example.org/token"},
            "KAFKA_SASL_OAUTH_TOKEN_URL: http:// to another machine ",
            "ALLOW_INSECURE_HTTP",
        ),
        (
            BEARER | {"kafka_sasl_oauth_token_url": "login.example.org"},
            "KAFKA_SASL_OAUTH_TOKEN_URL: must be an http:// or https:// URL",
            "",
        ),
        (
            BEARER | {"kafka_sasl_oauth_client_id": "a:b"},
            "KAFKA_SASL_OAUTH_CLIENT_ID: must not contain a colon",
            "",
        ),
        (
            BEARER | {"kafka_sasl_oauth_client_secret_file": "secret"},
            "KAFKA_SASL_OAUTH_CLIENT_SECRET_FILE: set together with ",
            "unset one",
        ),
        (
            SCRAM | {"kafka_sasl_password_file": "secret"},
            "KAFKA_SASL_PASSWORD_FILE: set together with ",
            "unset one",
        ),
    ],
)
def test_what_contradicts_is_one_line(
    load: Load, given: dict[str, str], begins: str, names: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        load(**given)
    (problem,) = refused.value.problems
    assert problem.startswith(begins)
    assert names in problem
    assert "hush" not in problem
    assert "\n" not in problem


def test_a_region_of_other_programs_does_no_harm(load: Load) -> None:
    assert load(**SCRAM, aws_region="eu-central-1").sasl_mechanism == "SCRAM-SHA-256"


def test_without_the_signer_the_extra_is_named(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.kafka.settings.MSK_SIGNER", "no_such_package")
    with pytest.raises(SettingsError, match=r"genesys-streams\[msk\]"):
        load(**MSK)


class TestSecretFile:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        return tmp_path / "secret"

    def locked(self, load: Load, file: Path) -> KafkaSettings:
        given = {name: value for name, value in SCRAM.items() if name != "kafka_sasl_password"}
        return load(**given, kafka_sasl_password_file=file)

    def test_is_read_each_time(self, load: Load, file: Path) -> None:
        file.write_text("first\n")
        secret = self.locked(load, file).sasl_password
        assert secret is not None
        assert secret.read() == "first"
        file.write_text(" second\r\n")
        assert secret.read() == "second"
        file.unlink()
        with pytest.raises(KafkaError, match="No such file"):
            secret.read()

    @pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"a\0b", b"x" * 1025])
    def test_without_a_secret_it_is_refused(self, load: Load, file: Path, content: bytes) -> None:
        file.write_bytes(content)
        with pytest.raises(SettingsError, match=f"^KAFKA_SASL_PASSWORD_FILE: no secret in {file}"):
            self.locked(load, file)

    def test_that_is_not_there_is_refused(self, load: Load, file: Path) -> None:
        with pytest.raises(SettingsError, match=f"^KAFKA_SASL_PASSWORD_FILE: cannot read {file}"):
            self.locked(load, file)
