"""Topics that take a record of whatever time it says, and keep it.

Kafka refuses a record from the future, and deletes one that is too old, where it is not set
otherwise. The embedded broker takes any, and can not be set.
"""

from __future__ import annotations

from collections.abc import Iterable

from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from streams.kafka.admin import TopicsAdmin
from streams.kafka.connection import librdkafka_options
from streams.settings import Settings

ANSWER_SECONDS = 20.0

# Any time is taken, and none makes a segment of its own or lets one be deleted.
ANY_TIME = {
    "message.timestamp.after.max.ms": str(2**63 - 1),
    "message.timestamp.before.max.ms": str(2**63 - 1),
    "segment.ms": str(2**63 - 1),
    "retention.ms": "-1",
}


def take_any_time(settings: Settings, topics: Iterable[str]) -> None:
    """From now on these topics do."""
    if TopicsAdmin(settings.kafka).cluster().embedded:
        return
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        for name, value in ANY_TIME.items()
    ]
    resources = [
        ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries) for topic in topics
    ]
    admin = AdminClient(librdkafka_options(settings.kafka))
    for done in admin.incremental_alter_configs(resources).values():
        done.result(ANSWER_SECONDS)
