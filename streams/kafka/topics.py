"""Describes, creates and checks the declared topics on a cluster. Never changes an existing topic.

All calls block: they are for commands and for ``asyncio.to_thread``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias, TypeVar

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

from streams.errors import KafkaError, TopicsError
from streams.kafka.codecs import LIBRARY, is_readable, readable_codecs
from streams.kafka.connection import librdkafka_options
from streams.kafka.declaration import (
    ActualTopic,
    Cluster,
    Declaration,
    DeclaredTopic,
    Difference,
    diff,
    fit,
    load_declaration,
)
from streams.kafka.settings import KafkaSettings

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

# A worker that is started right after `topics apply` may ask a broker that has not heard of a new
# topic yet. The worker asks again for this long before it calls the topic missing.
MISSING_AFTER_SECONDS = 2.0

# Between two looks at a cluster that does not know a topic, or has no broker, yet.
POLL_SECONDS = 0.1

# The ids of librdkafka's mock clusters begin with this (test_librdkafka.py).
_MOCK_CLUSTER_ID = "mockCluster"

COMPRESSION = "compression.type"

# The value of that setting with which each producer chooses the codec.
ANY_CODEC = "producer"

# The topic id that the client reports for a broker without topic ids (before KIP-516): sixteen zero
# bytes in base64 (test_librdkafka.py).
_NO_TOPIC_ID = "A" * 22

_NO_SUCH_TOPIC_FOR_US = (
    BrokerError.UNKNOWN_TOPIC_OR_PART,
    BrokerError.TOPIC_AUTHORIZATION_FAILED,
)

APPLY_HINT = "run `genesys-streams topics apply`"


@dataclass(frozen=True, slots=True)
class VerifiedTopics:
    """Facts that a worker needs about topics that were verified."""

    partitions: int
    replication_factor: int
    embedded: bool


@dataclass(frozen=True, slots=True)
class Identity:
    """The ids of the cluster and the topics. A topic made anew under its old name has another id.

    ``cluster`` is empty, and a topic is left out, when the broker does not say the id: the
    embedded broker, and brokers before 2.8.
    """

    cluster: str
    topics: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class State:
    """The declaration, the cluster, and the declared topics as the cluster can have them."""

    declaration: Declaration
    cluster: Cluster
    fitted: tuple[DeclaredTopic, ...]

    def differences(self) -> list[Difference]:
        """All points in which the topics are not as this cluster could have them, or in which this
        installation can not read them."""
        actual = (self.cluster.topics.get(topic.name) for topic in self.fitted)
        return [
            *diff(self.fitted, self.cluster.topics),
            *(point for topic in actual if topic is not None for point in _unreadable(topic)),
        ]


class TopicsAdmin:
    """One connection to a cluster, to look at its topics and create those that are missing."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._servers = settings.bootstrap_servers
        self._last_error: BrokerError | None = None
        self._client = AdminClient(librdkafka_options(settings) | {"error_cb": self._remember})

    def _remember(self, error: BrokerError) -> None:
        if error.code() != BrokerError._ALL_BROKERS_DOWN:
            self._last_error = error

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
                raise KafkaError(
                    f"cannot read the configuration of {resource.name}: {_reason(exc)}; "
                    "this takes the right to describe the topic's configuration"
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
                raise TopicsError(f"cannot create {topic.name}: {_reason(exc)}") from exc

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
        try:
            if topic is None:
                return self._client.list_topics(timeout=timeout)
            return self._client.list_topics(topic, timeout=timeout)
        except KafkaException as exc:
            self._client.poll(0)  # calls _remember with the errors of each broker
            reason = self._last_error.str() if self._last_error else _reason(exc)
            raise KafkaError(
                f"no Kafka broker answered at {self._servers} within {timeout:g} s: {reason}; "
                "check KAFKA_BOOTSTRAP_SERVERS and the KAFKA_* security settings"
            ) from exc


def look(settings: KafkaSettings, file: Path | None = None) -> State:
    """Read the declaration and the cluster's topics. Raises TopicsError, KafkaError."""
    admin, declaration = TopicsAdmin(settings), load_declaration(settings, file)
    return _state(admin, declaration, admin.cluster())


def _state(admin: TopicsAdmin, declaration: Declaration, cluster: Cluster) -> State:
    cluster = admin.configured(cluster, declaration.names)
    return State(declaration, cluster, fit(declaration, cluster))


def apply_topics(settings: KafkaSettings, file: Path | None = None) -> tuple[State, State]:
    """Create the missing topics; returns the state before and after.

    Existing topics stay as they are, even if they differ. Raises TopicsError, KafkaError.
    """
    admin, declaration = TopicsAdmin(settings), load_declaration(settings, file)
    before = _state(admin, declaration, admin.cluster())
    cluster = _create_missing(admin, before, declaration.names)
    return before, _state(admin, declaration, cluster)


def create_changelog(settings: KafkaSettings, name: str) -> None:
    """Create the changelog if it is missing: the one topic that a worker creates by itself.

    This is not left to Faust, which needs the broker that it happens to ask: see
    tests/kafka/test_worker_ends.py. Raises TopicsError, KafkaError.
    """
    admin = TopicsAdmin(settings)
    cluster = admin.cluster()
    if name not in cluster.topics:
        _create_missing(admin, _state(admin, load_declaration(settings), cluster), [name])


def _create_missing(admin: TopicsAdmin, state: State, names: Collection[str]) -> Cluster:
    """Create those of the named topics that are missing; return the cluster once it knows all of
    them. Raises TopicsError when it does not, or when a topic can not be created; KafkaError."""
    for topic in state.fitted:
        if topic.name not in names or topic.name in state.cluster.topics:
            continue
        if state.cluster.embedded:
            admin.touch(topic.name)
        else:
            admin.create(topic)
    cluster = admin.cluster_with(names, patience=CREATE_TIMEOUT_SECONDS)
    if unknown := [name for name in names if name not in cluster.topics]:
        raise TopicsError(
            f"created, but no broker knows {', '.join(unknown)} {CREATE_TIMEOUT_SECONDS:g} s "
            "later; this client may lack the right to describe them"
        )
    return cluster


def verify_topics(
    settings: KafkaSettings, timeout: float = ANSWER_TIMEOUT_SECONDS
) -> VerifiedTopics:
    """Check that a worker can work with the topics as they are; creates nothing.

    Raises TopicsError when one of the four is missing or has a codec that can not be read here, or
    when a topic that must have as many partitions as ``events`` has not. Raises KafkaError when no
    broker answers within ``timeout`` seconds.
    """
    names = settings.topics
    required = (names.events, names.outcomes, names.retries, names.dead_letters)
    patience = min(timeout, MISSING_AFTER_SECONDS)
    cluster = TopicsAdmin(settings).cluster_with(required, patience, timeout)
    missing = [name for name in required if name not in cluster.topics]
    if missing:
        raise TopicsError(no_topics(missing, settings.bootstrap_servers))
    # With all codecs readable the configuration need not be read, which takes a right of its own.
    if not is_readable(ANY_CODEC):
        known = TopicsAdmin(settings).configured(cluster, required)
        for point in (each for name in required for each in _unreadable(known.topics[name])):
            raise TopicsError(f"{point}; pip install {LIBRARY}, or give the topic another codec")
    events = cluster.topics[names.events]
    for name in sorted(load_declaration(settings).as_events):
        topic = cluster.topics.get(name)
        if topic is not None and topic.partitions != events.partitions:
            raise TopicsError(unequal(events.name, events.partitions, name, topic.partitions))
    return VerifiedTopics(events.partitions, events.replication_factor, cluster.embedded)


def no_topics(names: Collection[str], servers: str) -> str:
    """The message to an operator about missing topics."""
    return (
        f"no topic {', '.join(names)} at {servers}; {APPLY_HINT}, "
        "or check TOPIC_PREFIX and this client's right to describe it"
    )


def unequal(events: str, partitions: int, name: str, found: int) -> str:
    """The message to an operator about a topic without as many partitions as ``events``."""
    return (
        f"{events} has {partitions} partitions and {name} has {found}: they must have the same "
        "number, or one interaction's records meet different workers; "
        f"delete {name} once it is drained and {APPLY_HINT}"
    )


def _unreadable(topic: ActualTopic) -> Iterable[Difference]:
    """The topic's codec as a Difference, if this installation can not read it."""
    codec = (topic.config or {}).get(COMPRESSION, ANY_CODEC)
    if codec != ANY_CODEC and not is_readable(codec):
        here = f"one that is installed here ({', '.join(readable_codecs())})"
        yield Difference(topic.name, COMPRESSION, here, codec)


def _actual(name: str, topic: TopicMetadata) -> ActualTopic:
    replicas = [len(partition.replicas) for partition in topic.partitions.values()]
    return ActualTopic(name, partitions=len(replicas), replication_factor=min(replicas, default=0))


def _reason(exc: KafkaException) -> str:
    error: BrokerError = exc.args[0]
    return error.str()


def _timed_out(answer: Future[T]) -> bool:
    exc = answer.exception()
    return isinstance(exc, KafkaException) and exc.args[0].code() == BrokerError._TIMED_OUT
