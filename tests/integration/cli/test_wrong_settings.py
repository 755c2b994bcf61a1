"""Wrong settings, as an operator meets them: a command in a directory, one line, exit code 2."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SECRET = "hush-0f7a"


def run(
    directory: Path, *args: str, redirected: str = "", **settings: str
) -> subprocess.CompletedProcess[str]:
    """Through a shell where the command is to be started with other files than ours."""
    command = [sys.executable, "-m", "streams", *args]
    return subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {redirected}', "sh", *command],
        cwd=directory,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)} | settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            f'KEY={SECRET}\nDRY_RUN="true\nX="{SECRET}"\n'.encode(),
            r"^genesys-streams: \.env: line 2 \(DRY_RUN\): has a quotation mark that is not closed",
        ),
        (b"DRY_RUN=\xff\n", r"\.env: line 1: not UTF-8 text"),
        (b"APP_ID=a\0b\n", r"\.env: line 1 \(APP_ID\): has a NUL character"),
        (None, r"\.env: is no file"),
    ],
)
@pytest.mark.parametrize("command", [["worker"], ["bridge", "http"], ["topics", "list"]])
def test_an_env_file_that_can_not_be_read(
    tmp_path: Path, command: list[str], content: bytes | None, said: str
) -> None:
    if content is None:
        (tmp_path / ".env").mkdir()
    else:
        (tmp_path / ".env").write_bytes(content)
    done = run(tmp_path, *command)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert re.search(said, done.stderr)
    assert SECRET not in done.stderr


def test_a_worker_that_has_nothing_names_everything_in_one_line(tmp_path: Path) -> None:
    done = run(tmp_path, "worker", OTEL_BSP_SCHEDULE_DELAY="abc", WORKER_PORT="tcp://10.0.0.1:1")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    for variable in (
        "GENESYS_CLOUD_BASE_URL", "GENESYS_CLOUD_CLIENT_ID", "GENESYS_CLOUD_CLIENT_SECRET",
        "DISPOSITION_CODE_ID", "OTEL_BSP_SCHEDULE_DELAY", "WORKER_PORT",
    ):  # fmt: skip
        assert f"{variable}: " in done.stderr


@pytest.mark.parametrize("redirected", ["2>&-", "2>/dev/full", ">&- 2>&-"])
def test_the_exit_code_says_it_where_nothing_can_be_said(tmp_path: Path, redirected: str) -> None:
    assert run(tmp_path, "worker", redirected=redirected).returncode == 2


@pytest.mark.parametrize(
    "command",
    [[], ["worker"], ["bridge"], ["bridge", "http"], ["topics"], ["topics", "list"], ["demo"]],
)
def test_h_is_help(tmp_path: Path, command: list[str]) -> None:
    # Whatever OTEL_* holds: nobody has asked for it yet.
    short = run(tmp_path, *command, "-h", OTEL_PYTHON_CONTEXT="x", OTEL_BSP_SCHEDULE_DELAY="x")
    assert (short.returncode, short.stderr) == (0, "")
    assert short.stdout.startswith("Usage: ")
    assert short.stdout == run(tmp_path, *command, "--help").stdout
