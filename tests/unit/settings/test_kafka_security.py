"""SASL and TLS towards Kafka."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from streams.kafka.connection import aiokafka_options, librdkafka_options
from streams.settings import Settings
from tests.support.environments import SASL, Environment, refusal

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
    def test_good_files_are_accepted_by_both_clients(
        self, environment: Environment, protocol: str, files: dict[str, str]
    ) -> None:
        environment(**(SASL if protocol == "SASL_SSL" else {"KAFKA_SECURITY_PROTOCOL": protocol}))
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
        environment(**(SASL if protocol == "SASL_SSL" else {"KAFKA_SECURITY_PROTOCOL": protocol}))
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
    def test_files_are_not_accepted_where_nothing_would_be_encrypted(
        self, environment: Environment, protocol: str
    ) -> None:
        environment(KAFKA_SECURITY_PROTOCOL=protocol, KAFKA_SSL_CAFILE="cert.pem")
        message = refusal(Settings.load)
        assert message.startswith(f"KAFKA_SECURITY_PROTOCOL: {protocol} has no TLS, ")
        assert "KAFKA_SSL_CAFILE" in message
