"""One connection to a cluster for what concerns its topics. Changes no existing topic.

All calls block: they are for commands and for ``asyncio.to_thread``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, TypeVar

from confluent_kafka import KafkaError as BrokerError
from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import (
    AdminClient,
    ClusterMetadata,
    ConfigResource,
    NewTopic,
    ResourceType,
    TopicMetadata,
)

from streams.errors import KafkaError, NotAuthorized, TopicsError
from streams.kafka.acls import Operation, Right
from streams.kafka.authorization import refused
from streams.kafka.connection import librdkafka_options
from streams.kafka.declaration import ActualTopic, Cluster, DeclaredTopic
from streams.kafka.diagnosis import look_why_not
from streams.kafka.settings import KafkaSettings
from streams.kafka.tls import stamps

T = TypeVar("T")

Answers: TypeAlias = Mapping[str, Future[T]]

# How long a broker that is slow, or still starting, may take to answer.
ANSWER_TIMEOUT_SECONDS = 10.0

# How long the controller may take to place a few dozen partitions, and the brokers to hear of it.
CREATE_TIMEOUT_SECONDS = 30.0

# librdkafka sends some requests to the controller that its last metadata names, and waits for that
# broker even when it is dead. After this long the metadata is fetched again, and with it the
# controller's name (tests/kafka/test_topics.py kills a broker right before).
CONTROLLER_SECONDS = 2.0

# Between two looks at a cluster that does not know a topic, or has no broker, yet.
POLL_SECONDS = 0.1

# The ids of librdkafka's mock clusters begin with this (test_librdkafka.py).
_MOCK_CLUSTER_ID = "mockCluster"

# The topic id that the client reports for a broker without topic ids (before KIP-516): sixteen zero
# bytes in base64 (test_librdkafka.py).
_NO_TOPIC_ID = "A" * 22

_NO_SUCH_TOPIC_FOR_US = (
    BrokerError.UNKNOWN_TOPIC_OR_PART,
    BrokerError.TOPIC_AUTHORIZATION_FAILED,
)


@dataclass(frozen=True, slots=True)
class Identity:
    """The ids of the cluster and the topics. A topic made anew under its old name has another id.

    ``cluster`` is empty, and a topic is left out, when the broker does not say the id: the
    embedded broker, and brokers before 2.8.
    """

    cluster: str
    topics: Mapping[str, str]


class LastError:
    """What librdkafka has last said of a broker. It is called back with it.

    An object of its own: a client that called back who holds it would live until somebody searches
    for garbage, and the end of the program may come before, with librdkafka's threads at work.
    """

    def __init__(self) -> None:
        self.error: BrokerError | None = None

    def __call__(self, error: BrokerError) -> None:
        if error.code() != BrokerError._ALL_BROKERS_DOWN:
            self.error = error


class TopicsAdmin:
    """One connection to a cluster, to look at its topics and create those that are missing.

    ``make``: makes the client of these options.
    """

    def __init__(
        self, settings: KafkaSettings, make: Callable[[dict[str, Any]], AdminClient] = AdminClient
    ) -> None:
        self._settings = settings
        self._make = make
        self._servers = settings.bootstrap_servers
        self._last = LastError()
        self._made: AdminClient | None = None
        self._made_with: object = None

    @property
    def _client(self) -> AdminClient:
        """The client. It is made anew when a file that it has read was renewed, for librdkafka
        reads each only once. Raises KafkaError."""
        stamp = stamps(self._settings.files)
        if self._made is None or self._made_with != stamp:
            options = librdkafka_options(self._settings) | {"error_cb": self._last}
            self._made, self._made_with = self._make(options), stamp
        return self._made

    def cluster(self, timeout: float = ANSWER_TIMEOUT_SECONDS) -> Cluster:
        """Brokers and topics, without their configuration. Creates nothing.

        Raises KafkaError when no broker answers within ``timeout`` seconds, or when the answers
        name no broker in that time: a broker that was frozen answers before the controller has let
        it into the cluster again.
        """
        deadline = time.monotonic() + timeout
        while not (metadata := self._metadata(timeout)).brokers:
            if time.monotonic() > deadline:
                raise KafkaError(
                    f"{self._servers} answers, but no broker has been in its cluster for "
                    f"{timeout:g} s; its controllers do not let them in: see the brokers' logs"
                )
            time.sleep(POLL_SECONDS)
        return Cluster(
            brokers=len(metadata.brokers),
            topics={name: _actual(name, topic) for name, topic in metadata.topics.items()},
            embedded=(metadata.cluster_id or "").startswith(_MOCK_CLUSTER_ID),
        )

    def cluster_with(
        self, names: Collection[str], patience: float, timeout: float = ANSWER_TIMEOUT_SECONDS
    ) -> Cluster:
        """The cluster, as soon as the broker that answers knows these topics, or else after
        ``patience`` seconds. Brokers hear of a new topic at different times. Raises KafkaError.
        """
        deadline = time.monotonic() + patience
        cluster = self.cluster(timeout)
        while not cluster.topics.keys() >= set(names) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
            cluster = self.cluster(timeout)
        return cluster

    def configured(self, cluster: Cluster, names: Collection[str]) -> Cluster:
        """The cluster with the configuration of the named topics filled in. Topics of the embedded
        broker have none.

        Raises KafkaError when the configuration can not be read.
        """
        resources = [
            ConfigResource(ResourceType.TOPIC, name) for name in names if name in cluster.topics
        ]
        if cluster.embedded or not resources:
            return cluster
        topics = dict(cluster.topics)
        answers = self._client.describe_configs(resources, request_timeout=ANSWER_TIMEOUT_SECONDS)
        for resource, answer in answers.items():
            try:
                entries = answer.result()
            except KafkaException as exc:
                if exc.args[0].code() == BrokerError.UNKNOWN_TOPIC_OR_PART:
                    continue  # deleted meanwhile, or so new that this broker has not heard of it
                self._check_refusal(exc, resource.name, Operation.DESCRIBE_CONFIGS)
                raise KafkaError(
                    f"cannot read the configuration of {resource.name}: {_reason(exc)}"
                ) from exc
            config = {key: entry.value or "" for key, entry in entries.items()}
            topics[resource.name] = replace(topics[resource.name], config=config)
        return replace(cluster, topics=topics)

    def identity(self, names: Collection[str]) -> Identity:
        """The ids of the cluster and of these topics. Raises KafkaError when no broker answers."""
        cluster = self._metadata(ANSWER_TIMEOUT_SECONDS).cluster_id or ""
        if cluster.startswith(_MOCK_CLUSTER_ID):
            return Identity("", {})
        answers = self._from_controller(
            lambda timeout: self._client.describe_topics(
                TopicCollection(list(names)), request_timeout=timeout
            ),
            # A rebalance waits for this answer, and goes on without it.
            ANSWER_TIMEOUT_SECONDS,
        )
        ids: dict[str, str] = {}
        for name, answer in answers.items():
            try:
                topic_id = str(answer.result().topic_id or "")
            except KafkaException as exc:
                if exc.args[0].code() not in _NO_SUCH_TOPIC_FOR_US:
                    raise KafkaError(f"cannot ask for the id of {name}: {_reason(exc)}") from exc
                continue
            if topic_id not in ("", _NO_TOPIC_ID):
                ids[name] = topic_id
        return Identity(cluster, ids)

    def create(self, topic: DeclaredTopic) -> None:
        """Create one topic. It is no error if the topic was created by others meanwhile.

        Raises TopicsError with the cluster's reason.
        """
        new = NewTopic(
            topic.name, topic.partitions, topic.replication_factor, config=dict(topic.config)
        )
        answers = self._from_controller(
            lambda timeout: self._client.create_topics([new], request_timeout=timeout),
            CREATE_TIMEOUT_SECONDS,
        )
        try:
            answers[topic.name].result()
        except KafkaException as exc:
            if exc.args[0].code() != BrokerError.TOPIC_ALREADY_EXISTS:
                self._check_refusal(exc, topic.name, Operation.CREATE)
                raise TopicsError(f"cannot create {topic.name}: {_reason(exc)}") from exc

    def operations(
        self, names: Collection[str], timeout: float = ANSWER_TIMEOUT_SECONDS
    ) -> Mapping[str, frozenset[str] | None]:
        """What the authoriser lets us do with each topic, by Kafka's names of the operations; None
        when we may not even describe it. A topic is left out when that can not be known: it is
        missing, or the broker does not say. Raises KafkaError when no broker answers."""
        if (self._metadata(timeout).cluster_id or "").startswith(_MOCK_CLUSTER_ID):
            return {}
        answers = self._client.describe_topics(
            TopicCollection(list(names)),
            include_authorized_operations=True,
            request_timeout=timeout,
        )
        allowed: dict[str, frozenset[str] | None] = {}
        for name, answer in answers.items():
            try:
                listed = answer.result().authorized_operations
            except KafkaException as exc:
                if exc.args[0].code() == BrokerError.TOPIC_AUTHORIZATION_FAILED:
                    allowed[name] = None
                continue
            if listed:
                allowed[name] = frozenset(each.name for each in listed)
        return allowed

    def _check_refusal(self, failure: KafkaException, topic: str, operation: Operation) -> None:
        """Raises NotAuthorized if this is why the call has failed."""
        if failure.args[0].code() == BrokerError.TOPIC_AUTHORIZATION_FAILED:
            line = refused(self._settings, [Right("topic", topic, operation)])
            raise NotAuthorized(line) from failure

    def _from_controller(self, ask: Callable[[float], Answers[T]], patience: float) -> Answers[T]:
        """Call ``ask`` with the seconds that it may take, and return its answers. While an answer
        times out (the brokers may be electing a controller), it is called again, for ``patience``
        seconds. Raises KafkaError.
        """
        deadline = time.monotonic() + patience
        while True:
            answers = ask(CONTROLLER_SECONDS)
            if not any(map(_timed_out, answers.values())) or time.monotonic() > deadline:
                return answers
            self._metadata(ANSWER_TIMEOUT_SECONDS)

    def touch(self, name: str) -> None:
        """Make the embedded broker create a topic by asking for it. Raises KafkaError."""
        self._metadata(ANSWER_TIMEOUT_SECONDS, name)

    def _metadata(self, timeout: float, topic: str | None = None) -> ClusterMetadata:
        client = self._client
        try:
            if topic is None:
                return client.list_topics(timeout=timeout)
            return client.list_topics(topic, timeout=timeout)
        except KafkaException as exc:
            client.poll(0)  # calls LastError with the errors of each broker
            # librdkafka does not say what is wrong with a certificate.
            if (reason := look_why_not(self._settings)) is None:
                text = self._last.error.str() if self._last.error else _reason(exc)
                reason = f"{text}; check KAFKA_BOOTSTRAP_SERVERS and the KAFKA_* security settings"
            raise KafkaError(
                f"no Kafka broker answered at {self._servers} within {timeout:g} s: {reason}"
            ) from exc


def _actual(name: str, topic: TopicMetadata) -> ActualTopic:
    replicas = [len(partition.replicas) for partition in topic.partitions.values()]
    return ActualTopic(name, partitions=len(replicas), replication_factor=min(replicas, default=0))


def _reason(exc: KafkaException) -> str:
    error: BrokerError = exc.args[0]
    return error.str()


def _timed_out(answer: Future[T]) -> bool:
    exc = answer.exception()
    return isinstance(exc, KafkaException) and exc.args[0].code() == BrokerError._TIMED_OUT
