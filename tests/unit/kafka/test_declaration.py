"""What topics.yaml declares, what a cluster can have of it, and what differs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from streams.errors import TopicsError
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
from streams.settings import Settings

MakeSettings = Callable[..., Settings]


@pytest.fixture
def declaration(make_settings: MakeSettings) -> Declaration:
    return load_declaration(make_settings(topic_prefix="calls.", app_id="app").kafka)


def topic(declaration: Declaration, name: str) -> DeclaredTopic:
    return next(topic for topic in declaration.topics if topic.name == name)


def as_there(declared: DeclaredTopic) -> ActualTopic:
    return ActualTopic(
        declared.name, declared.partitions, declared.replication_factor, declared.config
    )


def there(*declared: DeclaredTopic) -> dict[str, ActualTopic]:
    return {topic.name: as_there(topic) for topic in declared}


def test_the_contract_s_topics_are_declared(declaration: Declaration) -> None:
    assert {
        topic.name: (topic.partitions, topic.replication_factor) for topic in declaration.topics
    } == {
        "calls.events": (12, 3),
        "calls.outcomes": (12, 3),
        "calls.retries": (12, 3),
        "calls.dead-letters": (1, 3),
        "app-interactions-changelog": (12, 3),
    }
    assert declaration.as_events == {"calls.retries", "app-interactions-changelog"}


def test_no_topic_loses_what_was_acknowledged(declaration: Declaration) -> None:
    assert {topic.config["min.insync.replicas"] for topic in declaration.topics} == {"2"}


def test_a_body_of_1_mib_fits_with_its_headers_wherever_it_goes(declaration: Declaration) -> None:
    def limit(name: str) -> int:
        return int(topic(declaration, name).config["max.message.bytes"])

    body = 1 << 20
    assert limit("calls.events") >= body + 32 * 1024
    # A record that events took must not be refused by where it is put off or laid aside.
    assert limit("calls.retries") >= limit("calls.events") + 64 * 1024
    assert limit("calls.dead-letters") >= limit("calls.retries")
    # The outcome of a record that can't be read has the record's key, whatever its length.
    assert limit("calls.outcomes") >= limit("calls.events") + 64 * 1024


def test_what_was_redriven_is_known_for_as_long_as_it_could_be_redriven_again(
    declaration: Declaration,
) -> None:
    def retention(name: str) -> int:
        return int(topic(declaration, name).config["retention.ms"])

    assert retention("calls.retries") >= retention("calls.dead-letters")


def test_the_changelog_forgets_as_the_table_does(make_settings: MakeSettings) -> None:
    declaration = load_declaration(make_settings(app_id="app", state_ttl_seconds=60).kafka)
    config = topic(declaration, "app-interactions-changelog").config
    assert config["retention.ms"] == "60000"
    assert config["cleanup.policy"] == "compact,delete"


def cluster(*topics: ActualTopic, brokers: int = 3, embedded: bool = False) -> Cluster:
    return Cluster(brokers, {topic.name: topic for topic in topics}, embedded)


def test_three_brokers_can_have_everything(declaration: Declaration) -> None:
    assert fit(declaration, cluster(brokers=3)) == declaration.topics
    assert fit(declaration, cluster(brokers=9)) == declaration.topics


@pytest.mark.parametrize(("brokers", "in_sync"), [(1, "1"), (2, "1")])
def test_fewer_brokers_have_fewer_replicas(
    declaration: Declaration, brokers: int, in_sync: str
) -> None:
    for fitted in fit(declaration, cluster(brokers=brokers)):
        declared = topic(declaration, fitted.name)
        assert fitted.replication_factor == brokers
        assert fitted.config == {**declared.config, "min.insync.replicas": in_sync}
        assert fitted.partitions == declared.partitions


def test_the_embedded_broker_has_four_partitions_and_no_configuration(
    declaration: Declaration,
) -> None:
    fitted = fit(declaration, cluster(brokers=1, embedded=True))
    assert {(topic.partitions, topic.replication_factor) for topic in fitted} == {(4, 1)}
    assert not any(topic.config for topic in fitted)


def test_what_follows_events_follows_those_that_are_there(declaration: Declaration) -> None:
    fitted = fit(declaration, cluster(ActualTopic("calls.events", 24, 3)))
    assert {topic.name: topic.partitions for topic in fitted} == {
        "calls.events": 12,
        "calls.outcomes": 12,
        "calls.retries": 24,
        "calls.dead-letters": 1,
        "app-interactions-changelog": 24,
    }


def test_nothing_differs_when_all_is_as_declared(declaration: Declaration) -> None:
    assert diff(declaration.topics, there(*declaration.topics)) == []


def test_missing_topics_differ_in_the_order_of_the_declaration(declaration: Declaration) -> None:
    differences = diff(declaration.topics, there(topic(declaration, "calls.outcomes")))
    assert [str(difference) for difference in differences] == [
        "calls.events: missing",
        "calls.retries: missing",
        "calls.dead-letters: missing",
        "app-interactions-changelog: missing",
    ]


def test_every_point_that_differs_is_named(declaration: Declaration) -> None:
    events = topic(declaration, "calls.events")
    actual = ActualTopic(
        "calls.events",
        partitions=6,
        replication_factor=1,
        config={**events.config, "retention.ms": "1000", "segment.ms": "5"},
    )
    differences = diff([events], {"calls.events": actual})
    assert differences == [
        Difference("calls.events", "partitions", "12", "6"),
        Difference("calls.events", "replication factor", "3", "1"),
        Difference("calls.events", "retention.ms", "604800000", "1000"),
    ]
    assert str(differences[0]) == "calls.events: partitions is 6, declared 12"


def test_a_configuration_that_is_not_set_differs(declaration: Declaration) -> None:
    events = topic(declaration, "calls.events")
    actual = replace(as_there(events), config={})
    assert Difference("calls.events", "cleanup.policy", "delete", "not set") in diff(
        [events], {"calls.events": actual}
    )


def test_a_configuration_that_was_not_asked_for_does_not_differ(declaration: Declaration) -> None:
    events = topic(declaration, "calls.events")
    actual = replace(as_there(events), config=None)
    assert diff([events], {"calls.events": actual}) == []


def test_a_list_means_the_same_in_any_order() -> None:
    declared = DeclaredTopic("t", 1, 1, {"cleanup.policy": "compact,delete"})
    actual = ActualTopic("t", 1, 1, {"cleanup.policy": "delete,compact"})
    assert diff([declared], {"t": actual}) == []


def test_topics_of_others_are_nobody_s_business(declaration: Declaration) -> None:
    others = {"other": ActualTopic("other", 1, 1, {})}
    assert diff(declaration.topics, there(*declaration.topics) | others) == []


WHOLE = """
topics:
  events: {partitions: 6, replication-factor: 1, config: {retention.ms: -1}}
  outcomes: {partitions: 2, replication-factor: 1}
  retries: {partitions: events, replication-factor: 1}
  dead-letters: {partitions: 3, replication-factor: 1}
changelogs: {}
"""


def test_another_file_may_declare_otherwise(tmp_path: Path, make_settings: MakeSettings) -> None:
    file = tmp_path / "ours.yaml"
    file.write_text(WHOLE)
    declaration = load_declaration(make_settings(topic_prefix="").kafka, file)
    assert [(topic.name, topic.partitions) for topic in declaration.topics] == [
        ("events", 6),
        ("outcomes", 2),
        ("retries", 6),
        ("dead-letters", 3),
    ]
    assert topic(declaration, "events").config == {"retention.ms": "-1"}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (("  outcomes: {partitions: 2, replication-factor: 1}\n", ""), "outcomes"),
        (("partitions: 3", "partitions: 0"), "partitions"),
        (("partitions: 6", "partitions: events"), "partitions of events"),
        (("partitions: events", "partitions: all"), "partitions"),
        (("replication-factor: 1, config", "replicas: 1, config"), "replicas"),
        (("changelogs", "tables"), "tables"),
        ((WHOLE, "{"), "ours.yaml"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_what_is_wrong(
    change: tuple[str, str], named: str, tmp_path: Path, make_settings: MakeSettings
) -> None:
    file = tmp_path / "ours.yaml"
    file.write_text(WHOLE.replace(*change))
    with pytest.raises(TopicsError, match=named) as caught:
        load_declaration(make_settings().kafka, file)
    assert str(file) in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path, make_settings: MakeSettings) -> None:
    with pytest.raises(TopicsError, match=r"nowhere\.yaml"):
        load_declaration(make_settings().kafka, tmp_path / "nowhere.yaml")
