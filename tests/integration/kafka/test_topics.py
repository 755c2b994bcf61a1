"""Topics applied, checked and verified over real sockets, on whichever broker the tests run on."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from streams.errors import KafkaError, TopicsError
from streams.kafka.admin import TopicsAdmin
from streams.kafka.topics import VerifiedTopics, apply_topics, look, verify_topics
from streams.settings import Settings

MakeSettings = Callable[..., Settings]

pytestmark = pytest.mark.usefixtures("broker")


def names(settings: Settings) -> set[str]:
    topics = settings.topics
    return {topics.events, topics.outcomes, topics.retries, topics.dead_letters} | {
        f"{settings.app_id}-interactions-changelog"
    }


def test_a_worker_says_which_topics_are_missing_and_what_to_run(
    make_settings: MakeSettings,
) -> None:
    settings = make_settings()
    with pytest.raises(TopicsError) as caught:
        verify_topics(settings.kafka)
    message = str(caught.value)
    for name in names(settings) - {f"{settings.app_id}-interactions-changelog"}:
        assert name in message
    assert "genesys-streams topics apply" in message
    assert "\n" not in message


def test_looking_creates_nothing(make_settings: MakeSettings) -> None:
    settings = make_settings()
    assert {difference.topic for difference in look(settings.kafka).differences()} == names(
        settings
    )
    with pytest.raises(TopicsError):
        verify_topics(settings.kafka)
    assert not names(settings) & TopicsAdmin(settings.kafka).cluster().topics.keys()


def test_apply_makes_what_a_worker_needs(make_settings: MakeSettings) -> None:
    settings = make_settings()
    before, after = apply_topics(settings.kafka)
    assert not names(settings) & before.cluster.topics.keys()
    assert after.differences() == []
    verified = verify_topics(settings.kafka)
    assert verified == VerifiedTopics(
        partitions=4 if after.cluster.embedded else 12,
        replication_factor=min(3, after.cluster.brokers),
        embedded=after.cluster.embedded,
    )


def test_apply_again_changes_nothing(make_settings: MakeSettings) -> None:
    settings = make_settings()
    _, first = apply_topics(settings.kafka)
    before, after = apply_topics(settings.kafka)
    assert before == after == first


def test_apply_makes_only_what_is_missing(make_settings: MakeSettings) -> None:
    settings = make_settings()
    apply_topics(settings.kafka)
    other = make_settings(topic_prefix=settings.topic_prefix)
    before, _ = apply_topics(other.kafka)
    assert names(other) - before.cluster.topics.keys() == {f"{other.app_id}-interactions-changelog"}
    assert look(other.kafka).differences() == []


def test_no_broker_is_said_in_time_and_in_one_line(
    make_settings: MakeSettings, unused_tcp_port: int
) -> None:
    settings = make_settings(kafka_bootstrap_servers=f"127.0.0.1:{unused_tcp_port}")
    began = time.monotonic()
    with pytest.raises(KafkaError) as caught:
        verify_topics(settings.kafka, timeout=0.5)
    assert time.monotonic() - began < 2
    message = str(caught.value)
    assert f"127.0.0.1:{unused_tcp_port} within 0.5 s" in message
    assert "Connection refused" in message
    assert "KAFKA_BOOTSTRAP_SERVERS" in message
    assert "\n" not in message
