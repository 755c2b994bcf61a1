"""Every command that a document shows is there, with the options that are shown."""

from __future__ import annotations

import importlib
import os
import re
import shlex
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
import pytest

from streams.cli.main import PROGRAM, root
from tests.support.documents import DOCUMENTS, ROOT, shown

ASSIGNMENT = re.compile(r"[A-Z_]+=.*", re.DOTALL)

# What stands for a value in a command that is shown, where click would not take the word itself.
VALUES = {"TIME": "2026-01-05T08:00:00Z", "N": "1"}

# Programs that a target of the Makefile hands its ARGS to.
MODULES = {"tests.chaos": "tests.chaos.__main__", "benchmarks.throughput": "benchmarks.throughput"}

Command = list[str]


def commands(lines: Iterable[str]) -> Iterator[Command]:
    """The commands among lines of code that are ours. ``ARGS=`` alone belongs to the ``make`` that
    was shown before it."""
    made: Command = []
    for line in lines:
        try:
            words = shlex.split(line, comments=True)
        except ValueError:
            continue  # a quotation mark that is none of a shell's
        for command in split(words):
            if command[:1] == ["make"] and len(command) > 1:
                made = command
                yield command
            elif command[:1] == [PROGRAM] and len(command) > 1:
                yield command
            elif not command and made and words[0].startswith("ARGS="):
                yield [*made[:2], words[0]]


def split(words: list[str]) -> Iterator[Command]:
    """The commands of one line, without what is put before them."""
    command: Command = []
    for word in [*words, ";"]:
        if word in (";", "&&", "||", "|"):
            if command or ASSIGNMENT.fullmatch(words[0] if words else ""):
                yield command
            command = []
        elif command or not (word == "$" or ASSIGNMENT.fullmatch(word)):
            # `docker compose exec worker genesys-streams …` runs it as well.
            command = [word] if word == PROGRAM else [*command, word]


def wrong(command: Command, monkeypatch: pytest.MonkeyPatch) -> str | None:
    """Why it could not be run as it is shown; None when it could. Nothing is run."""
    program, *args = (word.strip("[]") for word in command if word not in ("…", "[...]"))
    args = [VALUES.get(word, word) for word in args]
    if program == PROGRAM:
        return refused(root, args, monkeypatch)
    target, *variables = [word for word in args if not word.endswith(("=", "=…"))]
    made = subprocess.run(
        ["make", "--dry-run", "PYTHON=python3", target, *variables],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        return made.stderr
    for variable in variables:
        if variable.partition("=")[2] not in made.stdout:
            return f"make {target} does nothing with {variable}"
    return refused_by_program(made.stdout, monkeypatch)


def refused_by_program(recipe: str, monkeypatch: pytest.MonkeyPatch) -> str | None:
    """What the program that a recipe starts says against what it is started with."""
    for line in recipe.splitlines():
        if started := re.search(rf"/{PROGRAM} (.*)", line):
            return refused(root, shlex.split(started[1]), monkeypatch)
        if (started := re.search(r"/python -m (\S+) (.*)", line)) and started[1] in MODULES:
            program = command_of(MODULES[started[1]])
            return refused(program, shlex.split(started[2]), monkeypatch)
    return None


def command_of(module: str) -> click.Command:
    (command,) = {
        each
        for each in vars(importlib.import_module(module)).values()
        if isinstance(each, click.Command)
    }
    return command


def refused(command: click.Command, args: list[str], monkeypatch: pytest.MonkeyPatch) -> str | None:
    """What click says against these arguments. A group still looks for its command."""
    with monkeypatch.context() as patched:
        patched.setattr(click.Command, "invoke", lambda *_: None)
        try:
            command.main(args, standalone_mode=False)
        except click.UsageError as error:
            return error.format_message()
    return None


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_that_a_document_shows_is_there(
    document: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {
        shlex.join(command): wrong(command, monkeypatch)
        for command in commands(shown(document.read_text()))
    }
    assert {command: why for command, why in said.items() if why is not None} == {}


TEXT = """
`genesys-streams` shows none, nor `make`. `make demo ARGS="--chaos"`, and `ARGS=--keep-running` too.

| a table | `genesys-streams topics apply`, or mend `TOPIC_PREFIX` |
|---|---|
| `genesys-streams bridge http` | what isn't code: genesys-streams worker |

```
make test                 # all that isn't long
$ DRY_RUN=true genesys-streams replay --from TIME \\
    [--to TIME]
docker compose exec worker genesys-streams outcomes | head
```
"""


def test_commands_are_found_wherever_they_are_shown() -> None:
    assert list(map(shlex.join, commands(shown(TEXT)))) == [
        "make demo ARGS=--chaos",
        "make demo ARGS=--keep-running",
        "genesys-streams topics apply",
        "genesys-streams bridge http",
        "make test",
        "genesys-streams replay --from TIME '[--to' 'TIME]'",
        "genesys-streams outcomes",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "genesys-streams gone",
        "genesys-streams topics gone",
        "genesys-streams worker --gone",
        "genesys-streams replay",
        "genesys-streams replay --from yesterday",
        "genesys-streams dead-letters redrive --reason gone",
        "make gone",
        "make demo ARGS=--gone",
        "make storm SECONDS=long",
        "make storm ARGS=--gone",
        "make bench ARGS=--gone",
        "make lint SECONDS=300",
    ],
)
def test_what_is_not_there_is_noticed(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (command,) = commands([line])
    assert wrong(command, monkeypatch)
