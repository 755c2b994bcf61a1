"""Who we are for Kafka, and the line about what we may not do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import aiokafka.errors
import pytest
from confluent_kafka import KafkaError as BrokerError
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from streams.errors import KafkaError, NotAuthorized
from streams.kafka import tokens
from streams.kafka.acls import Operation
from streams.kafka.admin import TopicsAdmin
from streams.kafka.authorization import refusal_of_group, refusal_of_topic
from streams.kafka.principal import principal
from streams.kafka.secret import Secret
from streams.kafka.settings import KafkaSettings, TopicNames
from streams.kafka.tokens import Token
from streams.kafka.topics import check_rights
from tests.support.authority import Authority, Issuer

OPEN = KafkaSettings("kafka:9092", TopicNames("shop."), "shop", 60.0)
SASL = replace(
    OPEN,
    security_protocol="SASL_SSL",
    sasl_mechanism="SCRAM-SHA-512",
    sasl_username="alice",
    sasl_password=Secret("hush-0f7a"),
)


def oauth(client: str) -> KafkaSettings:
    return replace(
        SASL,
        sasl_mechanism="OAUTHBEARER",
        sasl_oauth_token_url="https://login.example.org/token",
        sasl_oauth_client_id=client,
        sasl_oauth_client_secret=Secret("hush-0f7a"),
    )


def test_who_we_are_without_a_token(tmp_path: Path) -> None:
    assert principal(OPEN) == "User:ANONYMOUS"
    assert principal(replace(OPEN, security_protocol="SSL")) == "User:ANONYMOUS"
    certificate = Authority(tmp_path).certificate("bridge")
    mutual = replace(OPEN, security_protocol="SSL", ssl_certfile=certificate)
    assert principal(mutual) == "User:CN=bridge"
    # With SASL, Kafka looks at that alone.
    assert principal(replace(SASL, ssl_certfile=certificate)) == "User:alice"
    assert principal(replace(SASL, sasl_mechanism="AWS_MSK_IAM")) == "the IAM role of this process"


@pytest.mark.parametrize("value", ["opaque", "a.b.c", "a.e30.c", "a.W10.c"])
def test_a_token_that_can_not_be_read_names_the_client(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    end = datetime.now(UTC).timestamp() + 300
    monkeypatch.setattr(tokens, "granted", lambda _: Token(value, end))
    assert principal(oauth(f"client {value}")) == f"User:client {value}"


def test_a_token_names_its_subject(monkeypatch: pytest.MonkeyPatch) -> None:
    end = datetime.now(UTC).timestamp() + 300
    value = Issuer().token("the bridge\n", audience="kafka")
    monkeypatch.setattr(tokens, "granted", lambda _: Token(value, end))
    assert principal(oauth("client with a subject")).startswith("User:the bridge")
    assert principal(oauth("client with a subject")).isprintable()


def test_a_refusal_names_principal_operation_and_resource() -> None:
    refused = aiokafka.errors.TopicAuthorizationFailedError("shop.events")
    line = refusal_of_topic(SASL, refused, "shop.events", Operation.WRITE)
    assert line is not None
    assert line.startswith("User:alice may not Write topic shop.events; ")
    refused = aiokafka.errors.GroupAuthorizationFailedError("shop")
    line = refusal_of_group(SASL, refused)
    assert line is not None
    assert line.startswith("User:alice may not Read group shop; ")


def test_another_failure_is_no_refusal() -> None:
    other = aiokafka.errors.KafkaTimeoutError()
    assert refusal_of_topic(SASL, other, "shop.events", Operation.WRITE) is None
    assert refusal_of_group(SASL, other) is None


class Authorising:
    """The admin client of a cluster whose authoriser allows these operations on each topic."""

    def __init__(self, allowed: dict[str, Any], cluster_id: str = "it") -> None:
        self._allowed = allowed
        self._cluster_id = cluster_id

    def list_topics(self, timeout: float) -> Any:
        return SimpleNamespace(cluster_id=self._cluster_id)

    def describe_topics(self, topics: object, **options: object) -> dict[str, Any]:
        assert options["include_authorized_operations"] is True
        return {
            name: SimpleNamespace(result=partial(given, allowed))
            for name, allowed in self._allowed.items()
        }


def given(allowed: Any) -> Any:
    if isinstance(allowed, int):
        raise KafkaException(BrokerError(allowed))
    names = None if allowed is None else [SimpleNamespace(name=each) for each in allowed]
    return SimpleNamespace(authorized_operations=names)


def check(allowed: dict[str, Any], cluster_id: str = "it") -> None:
    client = cast(AdminClient, Authorising(allowed, cluster_id))
    check_rights(SASL, "bridge", TopicsAdmin(SASL, lambda _: client))


def test_all_that_is_missing_is_in_one_line() -> None:
    with pytest.raises(NotAuthorized) as caught:
        check(
            {
                "shop.events": ["DESCRIBE", "READ"],
                "shop.dead-letters": BrokerError.TOPIC_AUTHORIZATION_FAILED,
            }
        )
    assert str(caught.value).startswith(
        "User:alice may not Write topic shop.events, Write topic shop.dead-letters; "
    )
    assert isinstance(caught.value, KafkaError)


@pytest.mark.parametrize("unknown", [None, [], BrokerError.UNKNOWN_TOPIC_OR_PART])
def test_what_is_not_known_is_not_refused(unknown: Any) -> None:
    """A broker from before Kafka 2.3 does not say, and a missing topic has another line."""
    check({"shop.events": unknown, "shop.dead-letters": ["WRITE"]})


def test_the_embedded_broker_is_not_asked() -> None:
    check({"shop.events": BrokerError.TOPIC_AUTHORIZATION_FAILED}, "mockCluster1")
