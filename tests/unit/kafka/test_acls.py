"""The rights of each command: one source, and the documents, the script and the commands fit it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from streams.cli.main import root
from streams.kafka.acls import (
    ACLS,
    TOPICS,
    WITHOUT_RIGHTS,
    Operation,
    Resource,
    Right,
    lacking,
    rights,
)
from streams.kafka.settings import KafkaSettings, TopicNames
from streams.worker.state.table import changelog
from tests.support.documents import ROOT

SETTINGS = KafkaSettings("kafka:9092", TopicNames("shop."), "shop", 60.0)
READ = Right("topic", "t", Operation.READ)
WRITE = Right("topic", "t", Operation.WRITE)
CREATE = Right("topic", "t", Operation.CREATE)
DESCRIBE = Right("topic", "t", Operation.DESCRIBE)
CONFIGS = Right("topic", "t", Operation.DESCRIBE_CONFIGS)


def commands(group: click.Group, before: str = "") -> Iterator[str]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}"


def is_under(command: str, name: str) -> bool:
    return f"{command} ".startswith(f"{name} ")


def test_every_command_has_its_rights_or_needs_none() -> None:
    known = [*ACLS, *WITHOUT_RIGHTS]
    there = list(commands(root))
    assert [each for each in there if not any(is_under(each, name) for name in known)] == []
    assert [
        name
        for name in known
        if not any(is_under(each, name) or is_under(name, each) for each in there)
    ] == []


def test_names_are_those_of_the_settings() -> None:
    names = SETTINGS.topics
    assert {each: each.name_in(SETTINGS) for each in Resource} == {
        Resource.EVENTS: names.events,
        Resource.OUTCOMES: names.outcomes,
        Resource.RETRIES: names.retries,
        Resource.DEAD_LETTERS: names.dead_letters,
        Resource.CHANGELOG: changelog("shop"),
        Resource.GROUP: "shop",
    }
    assert Right("group", "shop", Operation.READ) in rights("worker", SETTINGS)
    assert {each.kind for each in rights("topics apply", SETTINGS)} == {"topic"}


def test_listing_takes_what_checking_takes() -> None:
    """Both look in the same way, and are refused under the name of the one."""
    assert ACLS["topics list"] == ACLS["topics check"]


@pytest.mark.parametrize(
    ("needed", "granted", "missing"),
    [
        ([READ, WRITE], frozenset({"READ", "WRITE", "DESCRIBE"}), []),
        ([READ, WRITE], frozenset({"READ", "DESCRIBE"}), [WRITE]),
        ([CONFIGS], frozenset({"DESCRIBE"}), [CONFIGS]),
        ([CONFIGS], frozenset({"DESCRIBE", "DESCRIBE_CONFIGS"}), []),
        # Nothing can be described: whoever may read or write it could.
        ([READ, WRITE], None, [READ, WRITE]),
        ([CREATE, DESCRIBE, CONFIGS], None, [DESCRIBE]),
        # The topic is there: nobody has to create it.
        ([CREATE, DESCRIBE], frozenset({"DESCRIBE"}), []),
    ],
)
def test_what_is_lacking(
    needed: list[Right], granted: frozenset[str] | None, missing: list[Right]
) -> None:
    assert list(lacking(needed, granted)) == missing


def test_the_table_in_the_documents_is_this() -> None:
    columns = [*TOPICS, Resource.GROUP]
    heads = [*(f"`{each}`" for each in columns[:-2]), "changelog", "group `APP_ID`"]
    rows = [f"| command | {' | '.join(heads)} |", "|---" * (len(columns) + 1) + "|"]
    rows += [
        f"| `{name}` | {' | '.join(', '.join(needed.get(each, ())) for each in columns)} |"
        for name, needed in ACLS.items()
    ]
    assert "\n".join(rows) in (ROOT / "docs" / "kafka-access.md").read_text()


@pytest.mark.parametrize("command", ACLS)
def test_the_script_prints_a_call_of_kafkas_own_tool_for_each(command: str) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "acls", command, "--principal", "User:it"],
        env={"PATH": os.environ["PATH"], "TOPIC_PREFIX": "shop.", "APP_ID": "shop"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "kafka-acls.sh --bootstrap-server localhost:9092 --command-config admin.properties --add "
        f"--allow-principal User:it --operation {each.operation} --{each.kind} {each.name}"
        for each in rights(command, SETTINGS)
    ]
