"""The smallest set of rights that each command needs on a cluster with an authoriser.

The programs check their own rights against this, ``scripts/acls`` grants them, and the table in
docs/kafka-access.md shows them. tests/kafka/test_acls.py holds the set against what Kafka's own
authoriser was asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from streams.kafka.settings import KafkaSettings


class Operation(StrEnum):
    """Kafka's own names, as kafka-acls.sh takes them."""

    READ = "Read"
    WRITE = "Write"
    CREATE = "Create"
    DESCRIBE = "Describe"
    DESCRIBE_CONFIGS = "DescribeConfigs"


# Kafka lets whoever may do one of these describe the resource too.
IMPLIES_DESCRIBE = frozenset({Operation.READ, Operation.WRITE})


class Resource(StrEnum):
    """What rights are given on, as the documentation names it."""

    EVENTS = "events"
    OUTCOMES = "outcomes"
    RETRIES = "retries"
    DEAD_LETTERS = "dead-letters"
    CHANGELOG = "changelog"
    GROUP = "group"

    def name_in(self, settings: KafkaSettings) -> str:
        """Its name on the cluster."""
        match self:
            case Resource.GROUP:
                return settings.app_id
            case Resource.CHANGELOG:
                return f"{settings.app_id}-interactions-changelog"
        return f"{settings.topics.prefix}{self.value}"


TOPICS = tuple(each for each in Resource if each is not Resource.GROUP)

Needed = Mapping[Resource, tuple[Operation, ...]]

_R, _W = (Operation.READ,), (Operation.WRITE,)
_RW = (Operation.READ, Operation.WRITE)
_LOOK = (Operation.DESCRIBE, Operation.DESCRIBE_CONFIGS)
_READ_ALL = (Operation.READ, Operation.DESCRIBE_CONFIGS)

# A command's rights hold for the commands below it too. An idempotent producer needs no right to
# the cluster: since Kafka 2.8 (KIP-679), Write on a topic is enough.
ACLS: Mapping[str, Needed] = MappingProxyType(
    {
        "bridge": {Resource.EVENTS: _W, Resource.DEAD_LETTERS: _W},
        "worker": {
            Resource.EVENTS: _R,
            Resource.OUTCOMES: _W,
            Resource.RETRIES: _RW,
            Resource.DEAD_LETTERS: _W,
            Resource.CHANGELOG: _RW,
            Resource.GROUP: _R,
        },
        "topics apply": dict.fromkeys(TOPICS, (Operation.CREATE, *_LOOK)),
        "topics check": dict.fromkeys(TOPICS, _LOOK),
        "topics list": dict.fromkeys(TOPICS, _LOOK),
        "doctor": dict.fromkeys(TOPICS, _LOOK),
        "outcomes": {Resource.OUTCOMES: _R},
        "explain": {
            Resource.EVENTS: _R,
            Resource.OUTCOMES: _R,
            Resource.RETRIES: _R,
            Resource.DEAD_LETTERS: _R,
        },
        "audit": {
            Resource.EVENTS: _R,
            # How long they keep what they have says what can not be judged any more.
            Resource.OUTCOMES: _READ_ALL,
            Resource.RETRIES: _READ_ALL,
            Resource.DEAD_LETTERS: _READ_ALL,
            Resource.GROUP: (Operation.DESCRIBE,),
        },
        "stuck": {
            Resource.EVENTS: _R,
            Resource.RETRIES: _R,
            Resource.GROUP: (Operation.DESCRIBE,),
        },
        "support": dict.fromkeys(TOPICS, _LOOK) | {Resource.GROUP: (Operation.DESCRIBE,)},
        "console": {
            Resource.EVENTS: _R,
            Resource.OUTCOMES: _R,
            Resource.RETRIES: _R,
            Resource.DEAD_LETTERS: _R,
            Resource.GROUP: (Operation.DESCRIBE,),
        },
        "dead-letters list": {Resource.DEAD_LETTERS: _R, Resource.RETRIES: _R},
        "dead-letters show": {Resource.DEAD_LETTERS: _R},
        "dead-letters redrive --dry-run": {Resource.DEAD_LETTERS: _R, Resource.RETRIES: _R},
        "dead-letters redrive": {
            Resource.EVENTS: _W,
            Resource.RETRIES: _RW,
            Resource.DEAD_LETTERS: _R,
        },
        "replay --dry-run": {Resource.EVENTS: _R, Resource.OUTCOMES: _R},
        "replay": {Resource.EVENTS: _R, Resource.OUTCOMES: _R, Resource.RETRIES: _RW},
    }
)

# These connect to no cluster with an authoriser: `generate` hands its events to a bridge, the
# others bring a broker of their own or need none.
WITHOUT_RIGHTS = ("broker", "demo", "generate", "simulator")


@dataclass(frozen=True, slots=True)
class Right:
    """One operation on one resource of a cluster. ``kind``: ``topic`` or ``group``."""

    kind: str
    name: str
    operation: Operation

    def __str__(self) -> str:
        return f"{self.operation} {self.kind} {self.name}"


def rights(command: str, settings: KafkaSettings) -> Iterator[Right]:
    """What this command needs, under the names of these settings."""
    for resource, operations in ACLS[command].items():
        kind = "group" if resource is Resource.GROUP else "topic"
        for operation in operations:
            yield Right(kind, resource.name_in(settings), operation)


def lacking(needed: Iterable[Right], granted: frozenset[str] | None) -> Iterator[Right]:
    """Which of these rights to one topic are missing. ``granted``: the names of the operations that
    are allowed; None when the topic may not even be described."""
    for each in needed:
        operation = each.operation
        if operation is Operation.CREATE:
            continue  # the topic is there, or creating it says the same
        if granted is not None:
            if operation.name not in granted:
                yield each
        # All that is known then: whoever may read or write it could describe it.
        elif operation is Operation.DESCRIBE or operation in IMPLIES_DESCRIBE:
            yield each
