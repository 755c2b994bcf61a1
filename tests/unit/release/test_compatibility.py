"""What breaks those who were written for the last release, and what does not."""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from release.compatibility import (
    PUBLISHED,
    Use,
    broken,
    broken_shape,
    last_release,
    load_channels,
)
from release.shape import shape_of
from streams.kafka.declaration import declared_directory

BEFORE: dict[str, Any] = {
    "type": "object",
    "required": ["id", "at"],
    "properties": {
        "id": {"type": "string"},
        "at": {"type": ["string", "null"]},
        "kind": {"enum": ["one", "two"]},
        "list": {"type": "array", "items": {"type": "object", "properties": {"n": {}}}},
    },
}

# A change, and what it says where we read the value, and where we promise it.
Change = Callable[[dict[str, Any]], object]
CHANGES: list[tuple[Change, list[str], list[str]]] = [
    (lambda s: None, [], []),
    (lambda s: s["properties"].update(new={}), [], []),
    (lambda s: s["properties"].pop("list"), ["v.list: was removed"], ["v.list: was removed"]),
    (
        lambda s: s["properties"]["list"]["items"]["properties"].pop("n"),
        ["v.list[].n: was removed"],
        ["v.list[].n: was removed"],
    ),
    (
        lambda s: s["properties"]["id"].update(type="integer"),
        ["v.id: no longer takes string"],
        ["v.id: may now be integer"],
    ),
    (
        lambda s: s["properties"]["id"].update(type=["string", "null"]),
        [],
        ["v.id: may now be null"],
    ),
    (
        lambda s: s["properties"]["at"].update(type="string"),
        ["v.at: no longer takes null"],
        [],
    ),
    (lambda s: s["required"].append("kind"), ["v.kind: became required"], []),
    (
        lambda s: (s["properties"].update(new={}), s["required"].append("new")),
        ["v.new: became required"],
        [],
    ),
    (lambda s: s["required"].remove("at"), [], ["v.at: became optional"]),
    (
        lambda s: s["properties"]["kind"].update(enum=["two", "three"]),
        ['v.kind: no longer knows "one"'],
        ['v.kind: no longer knows "one"'],
    ),
    (
        lambda s: s["properties"]["id"].update(enum=["only"]),
        ['v.id: now takes nothing but "only"'],
        [],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("change", "read", "promised"), CHANGES)
def test_a_change(change: Change, read: list[str], promised: list[str]) -> None:
    now = copy.deepcopy(BEFORE)
    change(now)
    old, new = (shape_of(each, lambda _: pytest.fail("no reference")) for each in (BEFORE, now))
    assert list(broken_shape(old, new, Use.READ, "v")) == read
    assert list(broken_shape(old, new, Use.PROMISED, "v")) == promised
    assert set(broken_shape(old, new, Use.READ | Use.PROMISED, "v")) == {*read, *promised}


def test_what_both_releases_read_has_no_value_that_the_last_one_does_not_know() -> None:
    now = copy.deepcopy(BEFORE)
    now["properties"]["kind"]["enum"].append("three")
    old, new = (shape_of(each, lambda _: pytest.fail("no reference")) for each in (BEFORE, now))
    assert list(broken_shape(old, new, Use.READ | Use.PROMISED, "v")) == []
    line = 'v.kind: the last release does not know "three"'
    assert list(broken_shape(old, new, Use.SHARED, "v")) == [line]


def test_a_new_reason_in_the_table_is_noticed_and_in_an_outcome_it_is_none(topics: Path) -> None:
    for name in ("interaction-record", "conversation-record", "outcome"):
        path = topics / "schemas" / f"{name}.schema.json"
        path.write_text(path.read_text().replace('"timeout"', '"timeout", "new-reason"'))
    lines = after(topics)
    assert lines != []
    assert all(each.startswith("interactionsChangelog ") for each in lines)
    assert all(each.endswith(': the last release does not know "new-reason"') for each in lines)


def test_the_last_release_has_its_commit() -> None:
    """Where the history is, what is published is what that commit has."""
    folder = last_release()
    commit = (folder / "commit").read_text().strip()
    assert re.fullmatch("[0-9a-f]{40}", commit)
    root = PUBLISHED.parents[1]
    if subprocess.run(["git", "cat-file", "-e", commit], cwd=root, check=False).returncode:
        pytest.skip(f"commit {commit} is not here")
    for path in ("asyncapi.yaml", *(f"schemas/{each.name}" for each in folder.glob("schemas/*"))):
        held = subprocess.check_output(["git", "show", f"{commit}:topics/{path}"], cwd=root)
        assert (folder / path).read_bytes() == held


def test_the_last_release_is_the_highest_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert last_release().parent == PUBLISHED
    for name in ("0.9.0", "0.10.0", "0.2.11"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr("release.compatibility.PUBLISHED", tmp_path)
    assert last_release().name == "0.10.0"


def test_nothing_that_was_released_is_broken() -> None:
    """To break something on purpose, say so in CHANGELOG.md under *Breaking*, and replace the
    folder of the last release in the same commit."""
    assert broken(load_channels(last_release()), load_channels(declared_directory())) == []


@pytest.fixture
def topics(tmp_path: Path) -> Path:
    """A copy of what is declared, to be broken."""
    return shutil.copytree(declared_directory(), tmp_path / "topics")


def after(topics: Path) -> list[str]:
    return broken(load_channels(declared_directory()), load_channels(topics))


def test_a_field_that_is_taken_out_of_a_schema_is_noticed_wherever_it_is_used(
    topics: Path,
) -> None:
    path = topics / "schemas" / "outcome.schema.json"
    schema = json.loads(path.read_text())
    del schema["$defs"]["error"]["properties"]["status"]
    path.write_text(json.dumps(schema))
    lines = after(topics)
    assert "outcomes outcome value.error.status: was removed" in lines
    assert (
        "interactionsChangelog interactionRecord value.verdict.error.status: was removed" in lines
    )


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("address: genesys.interaction.retries", "address: x", "retries: is at x and was at gen"),
        ("- retry.attempt\n", "- retry.attempt\n          - new\n", "retries retry headers.new: b"),
        ("- ce_subject\n", "", "outcomes outcome headers.ce_subject: became optional"),
        ("outcome.v1", "outcome.v2", "outcomes outcome headers.ce_type: no longer knows"),
    ],
)  # fmt: skip
def test_a_change_of_the_document_is_noticed(topics: Path, old: str, new: str, line: str) -> None:
    path = topics / "asyncapi.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    assert [each for each in after(topics) if each.startswith(line)] != []


def test_a_channel_or_a_part_that_goes_is_noticed(topics: Path) -> None:
    path = topics / "asyncapi.yaml"
    document = yaml.safe_load(path.read_text())
    del document["channels"]["retries"]
    del document["components"]["messages"]["outcome"]["headers"]
    path.write_text(yaml.safe_dump(document))
    assert after(topics) == ["outcomes outcome headers: was removed", "retries: was removed"]


def test_a_message_that_goes_is_noticed_and_one_that_comes_breaks_nothing(topics: Path) -> None:
    path = topics / "asyncapi.yaml"
    document = yaml.safe_load(path.read_text())
    messages = document["channels"]["retries"]["messages"]
    messages["other"] = messages["retry"]
    path.write_text(yaml.safe_dump(document))
    assert after(topics) == []
    del messages["retry"]
    path.write_text(yaml.safe_dump(document))
    parts = ("key", "headers", "value")
    assert after(topics) == [f"retries retry {part}: was removed" for part in parts]
