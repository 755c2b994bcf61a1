"""A stdout that can not be written to: one line, and no traceback, from any command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "streams"]
ROOT = Path(__file__).parents[3]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}

# More than a pipe and all buffers hold.
MANY = ["generate", "--interactions", "300"]


def shell(line: str, *args: str, **more: str) -> subprocess.CompletedProcess[str]:
    """``line`` with "$@" as the command."""
    return subprocess.run(
        ["bash", "-c", line, "bash", *COMMAND, *args],
        env=ENVIRONMENT | more,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("args", [MANY, ["--help"], ["topics", "check", "--help"], ["--version"]])
@pytest.mark.parametrize(
    ("redirection", "why"), [(">/dev/full", "No space left on device"), (">&-", "it is closed")]
)
def test_what_can_not_be_printed_is_one_line_on_stderr_and_exit_1(
    args: Sequence[str], redirection: str, why: str
) -> None:
    done = shell(f'"$@" {redirection}', *args)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"genesys-streams: cannot write to stdout: {why}; ")
    assert done.stderr.count("\n") == 1


def test_a_reader_that_has_read_enough_gets_no_error() -> None:
    done = shell('"$@" | head -n 1; exit ${PIPESTATUS[0]}', *MANY)
    assert (done.returncode, done.stdout.count("\n"), done.stderr) == (1, 1, "")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_json_is_utf_8_whatever_the_terminal_is(encoding: str) -> None:
    expected = shell('"$@"', "generate", "--interactions", "1").stdout
    done = shell('"$@"', "generate", "--interactions", "1", PYTHONIOENCODING=encoding)
    assert (done.stdout, done.returncode) == (expected, 0)


# Printed as the program prints, for no command prints such a thing without Kafka.
ODD = (
    "import click; from streams.cli.stdout import guard_stdout; guard_stdout(); "
    "click.echo('a\\u2026\\ud83d'); print('left in a buffer')"
)


@pytest.mark.parametrize(
    ("encoding", "shown"), [("latin-1", rb"a\u2026\ud83d"), ("utf-8", "a…\\ud83d".encode())]
)
def test_what_the_terminal_lacks_is_escaped(encoding: str, shown: bytes) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ODD],
        env=ENVIRONMENT | {"PYTHONIOENCODING": encoding},
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.splitlines() == [shown, b"left in a buffer"]


def test_a_pipe_that_does_not_block_is_waited_for() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with os.fdopen(reading) as pipe:
        running = subprocess.Popen([*COMMAND, *MANY], env=ENVIRONMENT, stdout=writing)
        os.close(writing)
        lines = pipe.read().splitlines()
    assert running.wait(60) == 0
    assert len(lines) > 1000
    assert all(json.loads(line) for line in lines)


def test_nothing_else_gets_a_descriptor_that_was_closed() -> None:
    """What a library writes to stderr would go into a connection to Kafka."""
    program = (
        "import os; from streams.cli.main import _open_standard_files; _open_standard_files(); "
        "os._exit(os.open('/dev/null', os.O_RDONLY))"
    )
    done = subprocess.run(
        ["bash", "-c", '"$@" <&- >&- 2>&-', "bash", sys.executable, "-c", program],
        env=ENVIRONMENT,
        timeout=60,
        check=False,
    )
    assert done.returncode > 2
