"""Kafka with its doors locked: each lock opens for both clients, and what does not fit is one line.

One node with a port for each lock. What is renewed on disk is tried against it too.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from streams.errors import PublishError
from streams.kafka.message import Message
from streams.kafka.publisher import KafkaPublisher
from streams.settings import Settings
from tests.support.authority import Authority, Issuer
from tests.support.clusters import KafkaCluster, kafka_cluster
from tests.support.token_endpoint import TokenEndpoint, token_endpoint
from tests.support.workers import environment, eventually

AUDIENCE = "kafka"
PASSWORD = "hush-4f7a"

LISTENERS = {
    "TLS": "SSL",
    "MTLS": "SSL",
    "EXPIRED": "SSL",
    "ELSEWHERE": "SSL",
    "SASL": "SASL_SSL",
    "OAUTH": "SASL_SSL",
}
_LOGIN = "org.apache.kafka.common.security"
_PLAIN = f'{_LOGIN}.plain.PlainLoginModule required user_alice="{PASSWORD}";'


@dataclass(frozen=True)
class Locked:
    """The cluster, and who signs its certificates and tokens."""

    cluster: KafkaCluster
    ours: Authority
    other: Authority
    endpoint: TokenEndpoint
    issuer: Issuer


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Locked]:
    home = tmp_path_factory.mktemp("locks")
    ours, other, issuer = Authority(home), Authority(home, "other-ca"), Issuer()
    jwks = home / "jwks.json"
    jwks.write_text(issuer.jwks())
    certificates = {
        "": ours.certificate("broker", hosts=("localhost",)),
        "expired": ours.certificate("late", hosts=("localhost",), lives=timedelta(days=-1)),
        "elsewhere": ours.certificate("elsewhere", hosts=("kafka.example.org",)),
    }
    values = {"ssl.truststore.type": "PEM", "ssl.truststore.location": str(ours.file)}
    for name in (each.lower() for each in LISTENERS):
        values[f"listener.name.{name}.ssl.keystore.type"] = "PEM"
        file = certificates.get(name, certificates[""])
        values[f"listener.name.{name}.ssl.keystore.location"] = str(file)
    scram = f"{_LOGIN}.scram.ScramLoginModule required;"
    values |= {
        "listener.name.mtls.ssl.client.auth": "required",
        "listener.name.sasl.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
        "listener.name.sasl.plain.sasl.jaas.config": _PLAIN,
        "listener.name.sasl.scram-sha-256.sasl.jaas.config": scram,
        "listener.name.sasl.scram-sha-512.sasl.jaas.config": scram,
        "listener.name.oauth.sasl.enabled.mechanisms": "OAUTHBEARER",
        "listener.name.oauth.oauthbearer.sasl.jaas.config": (
            f"{_LOGIN}.oauthbearer.OAuthBearerLoginModule required;"
        ),
        "listener.name.oauth.oauthbearer.sasl.server.callback.handler.class": (
            f"{_LOGIN}.oauthbearer.OAuthBearerValidatorCallbackHandler"
        ),
        "listener.name.oauth.oauthbearer.sasl.oauthbearer.jwks.endpoint.url": jwks.as_uri(),
        "listener.name.oauth.oauthbearer.sasl.oauthbearer.expected.audience": AUDIENCE,
    }
    allowed = f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={jwks.as_uri()}"
    with (
        kafka_cluster(
            home / "kafka", nodes=1, listeners=LISTENERS, values=values, options=allowed
        ) as cluster,
        token_endpoint(lambda: (500, "")) as endpoint,
    ):
        _make_users(cluster.bootstrap_servers)
        yield Locked(cluster, ours, other, endpoint, issuer)


@pytest.fixture(autouse=True)
def granting(locked: Locked) -> None:
    locked.endpoint.answers = lambda: (
        200,
        {"access_token": locked.issuer.token("alice", audience=AUDIENCE), "expires_in": 300},
    )


@pytest.fixture(autouse=True)
async def closing() -> AsyncIterator[None]:
    """aiokafka does not wait until a connection that the broker refused is closed, and over TLS it
    is open until the broker has said goodbye, too. A loop that ends before leaves it to Python,
    which warns of it in whatever test comes next."""
    yield
    transports: Any = asyncio.get_running_loop()._transports  # type: ignore[attr-defined]
    await eventually(
        lambda: all(each._sock is None for each in transports.values()),
        40,  # asyncio waits 30 s for the other side's goodbye
        "every connection is closed",
        every=0.01,
    )


def _make_users(servers: str) -> None:
    admin = AdminClient({"bootstrap.servers": servers})
    for each in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
        info = ScramCredentialInfo(each, 4096)
        change = UserScramCredentialUpsertion("alice", info, PASSWORD.encode())
        admin.alter_user_scram_credentials([change])["alice"].result(10)


Make = Callable[..., Settings]


@pytest.fixture
def make(locked: Locked, make_settings: Callable[..., Settings]) -> Make:
    """Settings that fit the port of this name, with what a test has otherwise."""

    def made(listener: str, **otherwise: Any) -> Settings:
        values: dict[str, Any] = {
            "kafka_bootstrap_servers": locked.cluster.listener(listener),
            "kafka_security_protocol": LISTENERS[listener],
            "kafka_ssl_cafile": locked.ours.file,
        }
        if listener == "MTLS":
            values["kafka_ssl_certfile"] = locked.ours.certificate("alice")
        if listener == "SASL":
            values |= {
                "kafka_sasl_mechanism": "SCRAM-SHA-512",
                "kafka_sasl_username": "alice",
                "kafka_sasl_password": PASSWORD,
            }
        if listener == "OAUTH":
            values |= {
                "kafka_sasl_mechanism": "OAUTHBEARER",
                "kafka_sasl_oauth_token_url": locked.endpoint.url,
                "kafka_sasl_oauth_client_id": "client",
                "kafka_sasl_oauth_client_secret": PASSWORD,
            }
        given = {name: value for name, value in (values | otherwise).items() if value is not None}
        return make_settings(**given)

    return made


def run(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "streams", *arguments],
        env=environment(settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


OPEN = [
    ("TLS", {}),
    ("MTLS", {}),
    *(
        ("SASL", {"kafka_sasl_mechanism": each})
        for each in ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
    ),
    ("OAUTH", {}),
]


@pytest.mark.parametrize(("listener", "otherwise"), OPEN)
async def test_who_fits_comes_in_through_both_clients(
    make: Make, listener: str, otherwise: dict[str, Any]
) -> None:
    """``topics apply`` is librdkafka's, publishing and reading are aiokafka's."""
    settings = make(listener, **otherwise)
    applied = await asyncio.to_thread(run, settings, "topics", "apply")
    assert (applied.returncode, applied.stderr) == (0, "")
    publisher = KafkaPublisher(settings.kafka, client_id="test")
    await publisher.start()
    try:
        await publisher.publish(Message(settings.topics.dead_letters, key=b"i-1", value=b"x"))
    finally:
        await publisher.stop()
    read = await asyncio.to_thread(run, settings, "dead-letters", "list")
    assert (read.returncode, read.stderr) == (0, "")
    assert " i-1 " in read.stdout


SHUT = [
    ("EXPIRED", {}, "has expired; renew it on the broker"),
    ("ELSEWHERE", {}, "is of another host"),
    ("TLS", {"kafka_ssl_cafile": "OTHER"}, "does not know"),
    ("MTLS", {"kafka_ssl_certfile": None}, "asks for a client certificate, and none is set"),
    ("MTLS", {"kafka_ssl_certfile": "FOREIGN"}, "does not accept our certificate"),
    ("MTLS", {"kafka_ssl_certfile": "LATE"}, "it expired at"),
    ("SASL", {"kafka_sasl_password": "wrong"}, "check KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD"),
    (
        "SASL",
        {"kafka_sasl_mechanism": "PLAIN", "kafka_sasl_password": "wrong"},
        "check KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD",
    ),
    (
        "OAUTH",
        {"answer": (401, {"error": "invalid_client"})},
        "refuses us with 401 (invalid_client)",
    ),
    ("OAUTH", {"answer": (503, "")}, "fails with 503"),
    ("OAUTH", {"audience": "others"}, "does not accept our token"),
]


@pytest.mark.parametrize(("listener", "otherwise", "says"), SHUT)
async def test_who_does_not_fit_is_told_why_in_one_line(
    locked: Locked, make: Make, listener: str, otherwise: dict[str, Any], says: str
) -> None:
    if "answer" in otherwise:
        locked.endpoint.answers = lambda: otherwise["answer"]
    if "audience" in otherwise:
        token = locked.issuer.token("alice", audience=otherwise["audience"])
        locked.endpoint.answers = lambda: (200, {"access_token": token, "expires_in": 300})
    files = {
        "OTHER": locked.other.file,
        "FOREIGN": locked.other.certificate("mallory"),
        "LATE": locked.ours.certificate("once", lives=timedelta(days=-1)),
    }
    given = {
        name: files.get(value, value)
        for name, value in otherwise.items()
        if name not in {"audience", "answer"}
    }
    # Each its own client, or the token of another test would serve.
    if listener == "OAUTH":
        given["kafka_sasl_oauth_client_id"] = f"client-{says[:4].strip()}"
    settings = make(listener, **given)
    listed = await asyncio.to_thread(run, settings, "topics", "list")
    assert listed.returncode == 1
    assert listed.stdout == ""
    (line,) = listed.stderr.splitlines()
    assert says in line
    assert PASSWORD not in line
    with pytest.raises(PublishError) as refused:
        await KafkaPublisher(settings.kafka, client_id="test").start()
    assert says in str(refused.value)


async def test_renewed_files_are_taken_up_by_new_connections(
    locked: Locked, make: Make, tmp_path: Path
) -> None:
    """The same publisher, first with files that are not let in, then with those that are."""
    own, ca = tmp_path / "own.pem", tmp_path / "their-ca.pem"
    own.write_bytes(locked.other.certificate("mallory").read_bytes())
    ca.write_bytes(locked.ours.file.read_bytes())
    settings = make("MTLS", kafka_ssl_certfile=own, kafka_ssl_cafile=ca)
    publisher = KafkaPublisher(settings.kafka, client_id="test")
    with pytest.raises(PublishError, match="does not accept our certificate"):
        await publisher.start()
    own.write_bytes(locked.ours.certificate("alice").read_bytes())
    await publisher.start()
    await publisher.stop()
