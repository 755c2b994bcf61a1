"""``genesys-streams topics`` as a user runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.cli.main import run
from streams.kafka.topics import verify_topics
from streams.settings import Settings

Output = pytest.CaptureFixture[str]


@pytest.fixture
def settings(environment: Settings) -> Settings:
    """Without topics: they are what this is about."""
    return environment


def names(settings: Settings) -> list[str]:
    topics = settings.topics
    four = [topics.events, topics.outcomes, topics.retries, topics.dead_letters]
    return [*four, f"{settings.app_id}-interactions-changelog"]


def test_check_names_what_is_missing_and_fails(settings: Settings, capsys: Output) -> None:
    assert run(["topics", "check"]) == 1
    assert capsys.readouterr() == ("".join(f"{name}: missing\n" for name in names(settings)), "")


def test_apply_creates_and_check_agrees(settings: Settings, capsys: Output) -> None:
    assert run(["topics", "apply"]) == 0
    out, err = capsys.readouterr()
    created = out.splitlines()
    assert [line.partition(": created, ")[0] for line in created] == names(settings)
    verified = verify_topics(settings.kafka)
    size = f"{verified.partitions} partitions, replication factor {verified.replication_factor}"
    assert size in created[0]
    # Both kinds of broker that tests run on have fewer than three nodes, and this is said.
    assert "embedded broker" in created[0] or "(declared 3, but the cluster has" in created[0]
    assert err == ""

    assert run(["topics", "check"]) == 0
    assert capsys.readouterr() == (
        "5 topics are as declared as far as this cluster allows; codecs read here: "
        "gzip, snappy, lz4, zstd\n",
        "",
    )

    assert run(["topics", "apply"]) == 0
    assert capsys.readouterr() == (
        "".join(f"{name}: already there\n" for name in names(settings)),
        "",
    )


def test_list_shows_what_is_there_and_what_is_not(settings: Settings, capsys: Output) -> None:
    assert run(["topics", "list"]) == 0
    heading, *rows = capsys.readouterr().out.splitlines()
    assert heading.split() == ["TOPIC", "PARTITIONS", "REPLICAS", "RETENTION", "CLEANUP", "STATE"]
    assert [row.split()[0] for row in rows] == names(settings)
    assert {row.split()[-1] for row in rows} == {"missing"}
    assert run(["topics", "apply"]) == 0
    capsys.readouterr()
    assert run(["topics", "list"]) == 0
    assert {row.split()[-1] for row in capsys.readouterr().out.splitlines()[1:]} == {"ok"}


ONE_OF_EACH = """
topics:
  events: {partitions: PARTITIONS, replication-factor: 1}
  outcomes: {partitions: PARTITIONS, replication-factor: 1}
  retries: {partitions: events, replication-factor: 1}
  dead-letters: {partitions: PARTITIONS, replication-factor: 1}
changelogs: {}
"""


def test_another_declaration_may_be_used(
    settings: Settings, capsys: Output, tmp_path: Path
) -> None:
    file = tmp_path / "ours.yaml"
    file.write_text(ONE_OF_EACH.replace("PARTITIONS", "4"))
    assert run(["topics", "--file", str(file), "apply"]) == 0
    assert run(["topics", "--file", str(file), "check"]) == 0
    assert verify_topics(settings.kafka).partitions == 4
    assert capsys.readouterr().out.splitlines()[-1].startswith("4 topics are as declared")
    assert run(["topics", "--file", str(tmp_path / "nowhere.yaml"), "check"]) == 2
    assert "nowhere.yaml" in capsys.readouterr().err


def test_a_declaration_that_is_wrong_is_one_line_on_stderr(
    settings: Settings, capsys: Output, tmp_path: Path
) -> None:
    file = tmp_path / "ours.yaml"
    file.write_text("topics: []")
    assert run(["topics", "--file", str(file), "apply"]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert str(file) in err
