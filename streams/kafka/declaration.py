"""The topics as ``topics/topics.yaml`` declares them, fitted to a cluster and compared with it.

Pure, except that it reads that file. ``streams.kafka.topics`` talks to the cluster.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from streams.errors import TopicsError
from streams.kafka.settings import KafkaSettings

MIN_IN_SYNC = "min.insync.replicas"

# librdkafka's mock cluster gives every topic this many partitions (test_librdkafka.py).
EMBEDDED_PARTITIONS = 4


@dataclass(frozen=True, slots=True)
class DeclaredTopic:
    """A topic as it should be. ``config``: Kafka's names and values, as Kafka prints them."""

    name: str
    partitions: int
    replication_factor: int
    config: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Declaration:
    """All declared topics under their full names.

    ``as_events``: names of the topics that must have as many partitions as ``events``.
    """

    events: str
    topics: tuple[DeclaredTopic, ...]
    as_events: frozenset[str]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(topic.name for topic in self.topics)


@dataclass(frozen=True, slots=True)
class ActualTopic:
    """A topic as it is. ``config`` is None if it was not asked for, or can not be."""

    name: str
    partitions: int
    replication_factor: int
    config: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Cluster:
    """The facts about a Kafka cluster that are compared. ``embedded``: it is librdkafka's mock
    cluster."""

    brokers: int
    topics: Mapping[str, ActualTopic]
    embedded: bool = False


@dataclass(frozen=True, slots=True)
class Difference:
    """One point in which a topic is not as declared. ``actual`` is None if the topic is missing."""

    topic: str
    what: str
    declared: str
    actual: str | None

    def __str__(self) -> str:
        if self.actual is None:
            return f"{self.topic}: missing"
        return f"{self.topic}: {self.what} is {self.actual}, declared {self.declared}"


class _Topic(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """One entry of the file."""

    partitions: Annotated[int, msgspec.Meta(ge=1)] | Literal["events"]
    replication_factor: Annotated[int, msgspec.Meta(ge=1)]
    retention_in_state_ttls: Annotated[int, msgspec.Meta(ge=1)] | None = None
    config: dict[str, int | str] = {}


class _Topics(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """The four topics. All four are required, and any other is an error."""

    events: _Topic
    outcomes: _Topic
    retries: _Topic
    dead_letters: _Topic


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    topics: _Topics
    changelogs: dict[str, _Topic]


def declared_directory() -> Path:
    """The directory ``topics/``: inside the package once installed, beside it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "declared"
    return installed if installed.is_dir() else package.parent / "topics"


def load_declaration(settings: KafkaSettings, file: Path | None = None) -> Declaration:
    """Read the declaration from ``file``, or this project's own declaration without one.

    Raises TopicsError, which names the file and what is wrong in it.
    """
    file = file or declared_directory() / "topics.yaml"
    try:
        content = msgspec.yaml.decode(file.read_bytes(), type=_File)
    except (OSError, msgspec.DecodeError) as exc:
        raise TopicsError(f"cannot read the declared topics in {file}: {exc}") from exc
    if not isinstance(content.topics.events.partitions, int):
        raise TopicsError(f"{file}: the partitions of events must be a number")
    names = settings.topics
    entries = {
        names.events: content.topics.events,
        names.outcomes: content.topics.outcomes,
        names.retries: content.topics.retries,
        names.dead_letters: content.topics.dead_letters,
    }
    for table, entry in content.changelogs.items():
        entries[f"{settings.app_id}-{table}-changelog"] = entry
    return Declaration(
        events=names.events,
        topics=tuple(
            _topic(name, entry, content.topics.events.partitions, settings.state_ttl_seconds)
            for name, entry in entries.items()
        ),
        as_events=frozenset(
            name for name, entry in entries.items() if not isinstance(entry.partitions, int)
        ),
    )


def _topic(name: str, entry: _Topic, events: int, state_ttl: float) -> DeclaredTopic:
    config = {key: str(value) for key, value in entry.config.items()}
    if entry.retention_in_state_ttls is not None:
        config["retention.ms"] = str(round(entry.retention_in_state_ttls * state_ttl * 1000))
    return DeclaredTopic(
        name=name,
        partitions=entry.partitions if isinstance(entry.partitions, int) else events,
        replication_factor=entry.replication_factor,
        config=config,
    )


def fit(declaration: Declaration, cluster: Cluster) -> tuple[DeclaredTopic, ...]:
    """The declared topics as this cluster can have them.

    A topic gets no more replicas than there are brokers, and ``min.insync.replicas`` to match.
    Topics declared with as many partitions as ``events`` get as many as the topic ``events`` has,
    if it exists. With the embedded broker, each topic has four partitions, at most one replica for
    each broker, and no configuration.
    """
    events = cluster.topics.get(declaration.events)
    fitted = []
    for topic in declaration.topics:
        partitions = topic.partitions
        if cluster.embedded:
            partitions = EMBEDDED_PARTITIONS
        elif events is not None and topic.name in declaration.as_events:
            partitions = events.partitions
        replicas = min(topic.replication_factor, cluster.brokers)
        config = {} if cluster.embedded else _in_sync(topic.config, replicas)
        fitted.append(
            replace(topic, partitions=partitions, replication_factor=replicas, config=config)
        )
    return tuple(fitted)


def _in_sync(config: Mapping[str, str], replicas: int) -> Mapping[str, str]:
    """The config with ``min.insync.replicas`` at least one below the replicas (but never below 1):
    otherwise one broker's restart would stop every producer."""
    if MIN_IN_SYNC not in config:
        return config
    return {**config, MIN_IN_SYNC: str(min(int(config[MIN_IN_SYNC]), max(1, replicas - 1)))}


def diff(declared: Iterable[DeclaredTopic], actual: Mapping[str, ActualTopic]) -> list[Difference]:
    """All points in which the topics are not as declared, in the order of the declaration."""
    return [point for topic in declared for point in _differences(topic, actual.get(topic.name))]


def _differences(declared: DeclaredTopic, actual: ActualTopic | None) -> Iterable[Difference]:
    if actual is None:
        yield Difference(declared.name, "topic", "present", None)
        return
    points = [
        ("partitions", str(declared.partitions), str(actual.partitions)),
        ("replication factor", str(declared.replication_factor), str(actual.replication_factor)),
    ]
    if actual.config is not None:
        points += [
            (key, value, actual.config.get(key, "not set"))
            for key, value in declared.config.items()
        ]
    for what, wanted, found in points:
        # The value may be a list, such as compact,delete, which means the same in any order.
        if sorted(wanted.split(",")) != sorted(found.split(",")):
            yield Difference(declared.name, what, wanted, found)
