"""What the doctor says of brokers, topics and rights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from streams.errors import KafkaError, NotAuthorized, TopicsError
from streams.kafka.declaration import ActualTopic, Cluster, fit, load_declaration
from streams.kafka.settings import KafkaSettings
from streams.kafka.topics import State
from streams.operator.doctor.check import Check, Result
from streams.operator.doctor.kafka import check_kafka
from streams.settings import Settings

SETTINGS = Settings.model_validate({}).kafka
DECLARATION = load_declaration(SETTINGS)


def state(brokers: int = 3, *, embedded: bool = False, **changes: ActualTopic | None) -> State:
    """A cluster on which the topics are as declared, but for these, by the end of their names."""
    empty = Cluster(brokers=brokers, topics={}, embedded=embedded)
    topics = {
        topic.name: ActualTopic(
            topic.name, topic.partitions, topic.replication_factor, dict(topic.config)
        )
        for topic in fit(DECLARATION, empty)
    }
    for ending, actual in changes.items():
        (name,) = (each for each in topics if each.endswith(ending))
        if actual is None:
            del topics[name]
        else:
            topics[name] = replace(actual, name=name)
    cluster = replace(empty, topics=topics)
    return State(DECLARATION, cluster, fit(DECLARATION, cluster))


def fine(settings: KafkaSettings, program: str) -> None:
    """Every right is there."""


def refusing(*programs: str) -> Callable[[KafkaSettings, str], None]:
    def check(settings: KafkaSettings, program: str) -> None:
        if program in programs:
            raise NotAuthorized(f"User:it may not do what a {program} does")

    return check


def checks(
    found: State | Exception, rights: Callable[[KafkaSettings, str], None] = fine
) -> list[Check]:
    def look(settings: KafkaSettings) -> State:
        if isinstance(found, Exception):
            raise found
        return found

    return check_kafka(SETTINGS, look=look, check_rights=rights)


def results(found: list[Check]) -> list[tuple[str, Result]]:
    return [(each.check, each.result) for each in found]


def test_all_is_as_it_should_be() -> None:
    found = checks(state())
    assert results(found) == [
        ("kafka", Result.OK), ("topics", Result.OK), ("rights", Result.OK),
    ]  # fmt: skip
    assert "12 partitions" in found[1].found


def test_few_brokers_and_the_embedded_one_are_told() -> None:
    assert results(checks(state(1)))[0] == ("kafka", Result.WARNING)
    assert results(checks(state(1, embedded=True)))[0] == ("kafka", Result.WARNING)


def test_missing_topics_fail_and_say_how_they_are_made() -> None:
    topics = checks(state(outcomes=None, retries=None))[1]
    assert topics.result is Result.FAILED
    assert "genesys.interaction.outcomes, genesys.interaction.retries" in topics.found
    assert "topics apply" in str(topics)


def test_another_number_of_partitions_of_retries_fails() -> None:
    found = checks(state(retries=ActualTopic("", 3, 3, None)))
    assert found[1].result is Result.FAILED
    assert "partitions is 3, declared 12" in found[1].found


def test_what_a_worker_can_live_with_is_a_warning() -> None:
    found = checks(state(outcomes=ActualTopic("", 12, 1, None)))
    assert results(found)[1] == ("topics", Result.WARNING)
    found = checks(state(outcomes=ActualTopic("", 12, 3, {"compression.type": "never-heard-of"})))
    assert ("topics", Result.FAILED) in results(found)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (KafkaError("no broker answered"), [("kafka", Result.FAILED)]),
        (TopicsError("no declaration"), [("topics", Result.FAILED)]),
        (NotAuthorized("may not"), [("topics", Result.FAILED), ("rights", Result.OK)]),
    ],
)
def test_what_can_not_be_asked(error: Exception, expected: list[tuple[str, Result]]) -> None:
    found = checks(error)
    assert results(found) == expected
    assert found[0].found == str(error)


def test_a_principal_of_one_program_lacks_the_rights_of_the_other() -> None:
    found = checks(state(), refusing("bridge"))
    assert results(found)[2:] == [("rights", Result.OK), ("rights of a bridge", Result.WARNING)]
    assert "worker" in found[2].found


def test_a_principal_of_none_fails() -> None:
    found = checks(state(), refusing("bridge", "worker"))
    assert results(found)[2:] == [
        ("rights of a bridge", Result.FAILED), ("rights of a worker", Result.FAILED),
    ]  # fmt: skip


def test_a_kafka_that_goes_away_meanwhile() -> None:
    def gone(settings: KafkaSettings, program: str) -> None:
        raise KafkaError("gone")

    assert results(checks(state(), gone))[2:] == [("rights", Result.FAILED)]
