"""Describes, creates and checks the declared topics on a cluster. Never changes an existing topic.

All calls block: they are for commands and for ``asyncio.to_thread``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from streams.errors import NotAuthorized, TopicsError
from streams.kafka.acls import lacking, rights
from streams.kafka.admin import ANSWER_TIMEOUT_SECONDS, CREATE_TIMEOUT_SECONDS, TopicsAdmin
from streams.kafka.authorization import refused
from streams.kafka.codecs import LIBRARY, is_readable, readable_codecs
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

# A worker that is started right after `topics apply` may ask a broker that has not heard of a new
# topic yet. The worker asks again for this long before it calls the topic missing.
MISSING_AFTER_SECONDS = 2.0

COMPRESSION = "compression.type"

# The value of that setting with which each producer chooses the codec.
ANY_CODEC = "producer"

APPLY_HINT = "run `genesys-streams topics apply`"


@dataclass(frozen=True, slots=True)
class VerifiedTopics:
    """Facts that a worker needs about topics that were verified."""

    partitions: int
    replication_factor: int
    embedded: bool


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


def check_rights(
    settings: KafkaSettings,
    command: str,
    admin: TopicsAdmin | None = None,
    timeout: float = ANSWER_TIMEOUT_SECONDS,
) -> None:
    """Raises NotAuthorized when the principal lacks rights to topics that the command needs; the
    error names all of them. A worker without the right to ``dead-letters`` would otherwise hear of
    it at its first dead letter, days later.

    What can not be asked counts as given, for the work itself will say so. The group is left out
    for that reason: a worker begins with it. Raises KafkaError when no broker answers.
    """
    wanted = [each for each in rights(command, settings) if each.kind == "topic"]
    names = dict.fromkeys(each.name for each in wanted)
    granted = (admin or TopicsAdmin(settings)).operations(list(names), timeout)
    missing = [
        each
        for name, operations in granted.items()
        for each in lacking((one for one in wanted if one.name == name), operations)
    ]
    if missing:
        raise NotAuthorized(refused(settings, missing))


def look(settings: KafkaSettings, file: Path | None = None) -> State:
    """Read the declaration and the cluster's topics. Raises TopicsError, KafkaError."""
    admin, declaration = TopicsAdmin(settings), load_declaration(settings, file)
    check_rights(settings, "topics check", admin)
    return _state(admin, declaration, admin.cluster())


def _state(admin: TopicsAdmin, declaration: Declaration, cluster: Cluster) -> State:
    cluster = admin.configured(cluster, declaration.names)
    return State(declaration, cluster, fit(declaration, cluster))


def apply_topics(settings: KafkaSettings, file: Path | None = None) -> tuple[State, State]:
    """Create the missing topics; returns the state before and after.

    Existing topics stay as they are, even if they differ. Raises TopicsError, KafkaError.
    """
    admin, declaration = TopicsAdmin(settings), load_declaration(settings, file)
    check_rights(settings, "topics apply", admin)
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
