"""Topics on Apache Kafka: what the embedded broker has not got."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from streams.errors import TopicsError
from streams.kafka.admin import TopicsAdmin
from streams.kafka.message import Message
from streams.kafka.publisher import KafkaPublisher
from streams.kafka.reader import read_topic
from streams.kafka.topics import (
    State,
    VerifiedTopics,
    apply_topics,
    create_changelog,
    look,
    verify_topics,
)
from streams.settings import Settings
from tests.support.clusters import KafkaCluster, RunningKafka
from tests.support.workers import eventually

MakeSettings = Callable[..., Settings]


@pytest.fixture
def settings(make_settings: MakeSettings, kafka: RunningKafka) -> Settings:
    return make_settings(kafka_bootstrap_servers=kafka.bootstrap_servers)


@pytest.fixture
def admin(kafka: RunningKafka) -> AdminClient:
    return AdminClient({"bootstrap.servers": kafka.bootstrap_servers})


def create(
    admin: AdminClient, topic: str, partitions: int, config: dict[str, str] | None = None
) -> None:
    new = NewTopic(topic, partitions, 1, config=config or {})
    admin.create_topics([new])[topic].result(timeout=30)


def differing(settings: Settings) -> list[str]:
    return [str(difference) for difference in look(settings.kafka).differences()]


def test_one_node_gets_all_but_the_replicas(settings: Settings) -> None:
    _, after = apply_topics(settings.kafka)
    assert after.differences() == []
    events = after.cluster.topics[settings.topics.events]
    assert (events.partitions, events.replication_factor) == (12, 1)
    assert events.config is not None
    assert events.config["min.insync.replicas"] == "1"
    assert events.config["retention.ms"] == "604800000"
    assert events.config["max.message.bytes"] == "1114112"
    assert verify_topics(settings.kafka) == VerifiedTopics(12, 1, embedded=False)


async def test_three_nodes_get_all_as_declared(
    make_settings: MakeSettings, kafka3: KafkaCluster
) -> None:
    settings = make_settings(kafka_bootstrap_servers=kafka3.bootstrap_servers)
    _, after = apply_topics(settings.kafka)
    assert after.fitted == after.declaration.topics
    assert after.differences() == []

    complete: list[State] = []

    def known() -> bool:
        # Each broker hears of a new topic, and then of its configuration, in its own time.
        state = look(settings.kafka)
        topics = [state.cluster.topics.get(topic.name) for topic in state.fitted]
        if all(topic is not None and topic.config for topic in topics):
            complete.append(state)
        return bool(complete)

    await eventually(known, 10, "a broker knows every topic")
    (state,) = complete
    assert state.differences() == []
    events = state.cluster.topics[settings.topics.events]
    assert events.config is not None
    assert (events.replication_factor, events.config["min.insync.replicas"]) == (3, "2")
    assert verify_topics(settings.kafka) == VerifiedTopics(12, 3, embedded=False)


def test_a_broker_that_has_just_died_is_not_waited_for(
    make_settings: MakeSettings, kafka3: KafkaCluster
) -> None:
    """The others name it as the controller, at times, until its session is over."""
    settings = make_settings(kafka_bootstrap_servers=kafka3.bootstrap_servers)
    apply_topics(settings.kafka)
    names = [settings.topics.events, settings.topics.outcomes]
    kafka3.kill(1)
    for _ in range(12):
        assert TopicsAdmin(settings.kafka).identity(names).topics.keys() == set(names)


def test_what_differs_is_shown_and_left_alone(settings: Settings, admin: AdminClient) -> None:
    outcomes = settings.topics.outcomes
    create(admin, outcomes, 12, {"retention.ms": "1000"})
    apply_topics(settings.kafka)
    expected = [
        f"{outcomes}: retention.ms is 1000, declared 1209600000",
        f"{outcomes}: max.message.bytes is 1048588, declared 2097152",
    ]
    assert sorted(differing(settings)) == sorted(expected)
    before, after = apply_topics(settings.kafka)
    assert before == after
    assert sorted(differing(settings)) == sorted(expected)


def test_the_others_follow_the_events_that_are_there(
    settings: Settings, admin: AdminClient
) -> None:
    create(admin, settings.topics.events, 5)
    apply_topics(settings.kafka)
    topics = TopicsAdmin(settings.kafka).cluster().topics
    assert topics[settings.topics.retries].partitions == 5
    assert topics[f"{settings.app_id}-interactions-changelog"].partitions == 5
    assert f"{settings.topics.events}: partitions is 5, declared 12" in differing(settings)
    assert verify_topics(settings.kafka).partitions == 5


def test_a_worker_makes_its_own_changelog_and_nothing_else(
    settings: Settings, admin: AdminClient
) -> None:
    create(admin, settings.topics.events, 5)
    name = f"{settings.app_id}-interactions-changelog"
    create_changelog(settings.kafka, name)
    cluster = TopicsAdmin(settings.kafka).cluster()
    assert cluster.topics[name].partitions == 5
    assert settings.topics.outcomes not in cluster.topics
    assert not [line for line in differing(settings) if line.startswith(name)]
    create_changelog(settings.kafka, name)


@pytest.mark.parametrize("follower", ["{0.topics.retries}", "{0.app_id}-interactions-changelog"])
def test_a_worker_refuses_partitions_that_do_not_match(
    follower: str, settings: Settings, admin: AdminClient
) -> None:
    follower = follower.format(settings)
    create(admin, follower, 3)
    apply_topics(settings.kafka)
    assert f"{follower}: partitions is 3, declared 12" in differing(settings)
    with pytest.raises(TopicsError, match=rf"{follower} has 3: they must have the same number"):
        verify_topics(settings.kafka)


def test_a_cluster_that_refuses_is_quoted(make_settings: MakeSettings, kafka: RunningKafka) -> None:
    settings = make_settings(
        kafka_bootstrap_servers=kafka.bootstrap_servers, topic_prefix="x" * 200, app_id="a" * 100
    )
    apply_topics(settings.kafka)
    # Of a release that took any: what Kafka itself refuses is what is to be quoted.
    too_long = make_settings(kafka_bootstrap_servers=kafka.bootstrap_servers).model_copy(
        update={"state_ttl_seconds": 1e17}
    )
    with pytest.raises(TopicsError, match=r"cannot create .*-interactions-changelog: .*retention"):
        apply_topics(too_long.kafka)


async def test_the_largest_event_fits_wherever_it_may_go(settings: Settings) -> None:
    apply_topics(settings.kafka)
    topics = settings.topics
    publisher = KafkaPublisher(settings.kafka, client_id="test")
    await publisher.start()
    try:
        for topic in (topics.events, topics.retries, topics.dead_letters):
            await publisher.publish(
                Message(
                    topic,
                    key=b"k" * 128,
                    value=b"v" * (1 << 20),
                    headers=[("dlq.message", b"m" * 4096)],
                )
            )
    finally:
        await publisher.stop()


async def test_reading_leaves_no_group(settings: Settings, admin: AdminClient) -> None:
    def groups() -> set[str]:
        listed = admin.list_consumer_groups().result(timeout=30).valid
        return {group.group_id for group in listed}

    apply_topics(settings.kafka)
    publisher = KafkaPublisher(settings.kafka, client_id="test")
    await publisher.start()
    try:
        await publisher.publish(Message(settings.topics.outcomes, key=b"call-1", value=b"x"))
    finally:
        await publisher.stop()
    before = groups()
    topic = settings.topics.outcomes
    read = [record async for record in read_topic(settings.kafka, topic, range(12))]
    assert [record.value for record in read] == [b"x"]
    assert groups() == before
