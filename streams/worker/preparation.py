"""What a worker asks Kafka, and makes there, before anything is started."""

from __future__ import annotations

from dataclasses import dataclass

from streams.kafka.admin import TopicsAdmin
from streams.kafka.group import GroupCheck
from streams.kafka.settings import KafkaSettings
from streams.kafka.topics import VerifiedTopics, check_rights, create_changelog, verify_topics
from streams.stopping import in_daemon_thread
from streams.worker.state.datadir import Origin
from streams.worker.state.table import changelog


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is known of Kafka before anything is started. ``group``: None on the embedded broker,
    which has one group at a time and does not describe it."""

    topics: VerifiedTopics
    admin: TopicsAdmin
    group: GroupCheck | None
    origin: Origin


async def prepare(settings: KafkaSettings) -> Prepared:
    """Check our rights, verify the topics, and create the changelog where it is missing. Kafka may
    be unreachable for any time: a worker that is told to stop meanwhile does not wait for its
    answer."""
    await in_daemon_thread(check_rights, settings, "worker")
    topics = await in_daemon_thread(verify_topics, settings)
    kept_in = changelog(settings.app_id)
    group = None
    if not topics.embedded:
        group = GroupCheck(settings, (settings.topics.events, settings.topics.retries, kept_in))
        await group.before_joining()
    await in_daemon_thread(create_changelog, settings, kept_in)
    admin = TopicsAdmin(settings)
    identity = await in_daemon_thread(admin.identity, [kept_in])
    origin = Origin(identity.cluster, identity.topics.get(kept_in, ""))
    return Prepared(topics, admin, group, origin)
