"""The demo as a user runs it: four processes of its own, a verdict, and nothing left behind."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
from rich.console import Console

from streams.local.demo import pipeline
from streams.local.demo.pipeline import Org
from streams.local.demo.run import run_demo

T = TypeVar("T")

# A busy machine with two cores, and five interpreters to start on it.
PATIENCE = 60.0

# In the caller's environment, and of no concern to the demo.
FOREIGN = {
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "GENESYS_CLOUD_BASE_URL": "http://127.0.0.1:1",
    "TOPIC_PREFIX": "foreign.",
    "DRY_RUN": "true",
}

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/cwd").exists(), reason="finds the demo's processes in /proc"
)


@contextmanager
def demo(directory: Path, *args: str) -> Iterator[subprocess.Popen[str]]:
    """The demo, with ``directory`` for its temporary files."""
    process = subprocess.Popen(
        [sys.executable, "-m", "streams", "demo", *args],
        env=os.environ | FOREIGN | {"TMPDIR": str(directory)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)


def parts(directory: Path) -> dict[int, str]:
    """Command lines of the processes that run in the demo's directory, by id."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str((process / "cwd").readlink()).startswith(str(directory)):
                words = (process / "cmdline").read_bytes().split(b"\0")
                found[int(process.name)] = b" ".join(words).decode().strip()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it has just ended, or is somebody else's
    return found


def eventually(condition: Callable[[], T | None]) -> T:
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return value


def pid_of(directory: Path, command: str) -> int:
    """The id of the part that runs ``command``, once it is there."""
    return eventually(
        lambda: next((pid for pid, line in parts(directory).items() if command in line), None)
    )


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """What it prints up to the line that has ``text``."""
    assert process.stdout is not None
    shown = ""
    for line in process.stdout:
        shown += line
        if text in line:
            return shown
    raise AssertionError(f"it ended before it said {text!r}:\n{shown}")


def first_number(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    assert found, f"{pattern} is not in\n{text}"
    return int(found[1].replace(",", ""))


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param([], id="well"),
        # A long way to go: not for every `make test`.
        pytest.param(["--chaos"], id="chaos", marks=pytest.mark.kafka),
    ],
)
def test_every_event_is_accounted_for(tmp_path: Path, faults: list[str]) -> None:
    with demo(tmp_path, "--interactions", "25", "--seed", "1", *faults) as process:
        out, err = process.communicate(timeout=110)
    assert process.returncode == 0, out + err
    assert err == ""
    assert "\x1b" not in out
    sent = first_number(r"events +([\d,]+) sent", out)
    assert sent > 150
    assert f"{sent:,} accepted" in out
    assert f"{sent:,} in Kafka" in out
    assert f"{sent:,} events have one, 0 have none, 0 more than one" in out
    assert f"{sent:,} as the reference model's, 0 not" in out
    eligible = first_number(r"25: (\d+) eligible", out)
    assert eligible > 5
    assert f"{eligible} of them PATCHed once; 0 PATCHed twice, 0 wrongly" in out
    assert first_number(r"patched +eligible +(\d+)", out) == eligible
    assert first_number(r"duplicate +duplicate-sequence +(\d+)", out) > 0
    assert first_number(r"stale +stale-sequence +(\d+)", out) > 0
    if not faults:
        assert "2.00 per eligible interaction" in out
    assert out.splitlines()[-1].startswith("PASS: ")
    assert list(tmp_path.iterdir()) == []


# Calls of minutes and fifteen minutes of patience, sixty times as fast: not for every `make test`.
@pytest.mark.kafka
@pytest.mark.parametrize("faults", [[], ["--chaos"]], ids=["well", "chaos"])
def test_every_leg_is_accounted_for(tmp_path: Path, faults: list[str]) -> None:
    chosen = ("--api", "conversations", "--interactions", "40", "--seed", "1")
    with demo(tmp_path, *chosen, *faults) as process:
        out, err = process.communicate(timeout=170)
    assert process.returncode == 0, out + err
    assert err == ""
    accepted = first_number(r"([\d,]+) accepted", out)
    assert f"{accepted:,} in Kafka, {accepted:,} of them with an outcome" in out
    due = first_number(r"(\d+) due", out)
    assert due > 5
    assert f"{due} due, {due} of them coded once" in out
    assert first_number(r"patched +eligible +(\d+)", out) == due
    assert first_number(r"refused +wrap-up-closed +(\d+)", out) > 0
    assert out.splitlines()[-1].startswith("PASS: ")
    assert list(tmp_path.iterdir()) == []


@needs_proc
@pytest.mark.parametrize(
    ("name", "command", "streaming"),
    [
        ("simulator", "streams simulator", False),
        ("bridge", "streams bridge http", False),
        ("worker", "streams worker", True),
    ],
)
def test_a_part_that_dies_ends_the_demo_and_is_named(
    tmp_path: Path, name: str, command: str, streaming: bool
) -> None:
    with demo(tmp_path) as process:
        if streaming:
            read_until(process, "events sent")
        os.kill(pid_of(tmp_path, command), signal.SIGKILL)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 1, out
    assert f"the {name}'s last lines:" in err
    assert err.splitlines()[-1] == (
        f"genesys-streams: the {name} ended in the middle of the demo (killed by SIGKILL)"
    )
    kept = re.search(r"the logs of its parts are in (.*)", err)
    assert kept
    assert (Path(kept[1]) / f"{name}.err").exists()
    assert [each.name for each in Path(kept[1]).parent.iterdir()] == ["logs"]
    assert parts(tmp_path) == {}


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_stopped_before_the_verdict_it_leaves_nothing_and_claims_nothing(
    tmp_path: Path, number: signal.Signals
) -> None:
    with demo(tmp_path) as process:
        pid_of(tmp_path, "streams worker")
        process.send_signal(number)
        out, err = process.communicate(timeout=10)
    assert process.returncode == 1
    assert "PASS" not in out
    assert err == "stopped before the end, so nothing was checked\n"
    assert parts(tmp_path) == {}
    assert list(tmp_path.iterdir()) == []


@needs_proc
@pytest.mark.kafka  # a long way to go: not for every `make test`
def test_it_keeps_running_until_it_is_stopped(tmp_path: Path) -> None:
    with demo(tmp_path, "--interactions", "5", "--keep-running") as process:
        shown = read_until(process, "/logs\n")
        assert "PASS: " in shown
        assert len(parts(tmp_path)) == 4
        command = re.search(r"curl (http://\S+/interactions/\S+)", shown)
        assert command
        with urllib.request.urlopen(command[1], timeout=10) as answer:
            assert json.load(answer)["settled"]["decision"] == "patched"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (0, "")
    assert parts(tmp_path) == {}
    assert list(tmp_path.iterdir()) == []


async def test_a_deviation_fails_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Genesys Cloud that knows none of the interactions: the worker is right to find nothing,
    and the model says that it should have."""
    command = pipeline._simulator_command
    monkeypatch.setattr(
        pipeline, "_simulator_command", lambda org: command(replace(org, seed=org.seed + 1))
    )
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    out, err = io.StringIO(), io.StringIO()
    code = await run_demo(
        Org(interactions=5, seed=1, chaos=False),
        keep_running=False,
        console=Console(file=out, width=120),
        errors=Console(file=err),
    )
    assert code == 1
    said = out.getvalue()
    assert "is not-found/interaction-not-found/api instead of patched/eligible/api" in said
    assert "eligible interactions without a PATCH: " in said
    assert said.splitlines()[-1].startswith("FAIL: ")
    kept = re.search(r"the logs of its parts are in (.*)", err.getvalue())
    assert kept
    assert (Path(kept[1]) / "worker.err").exists()


def test_more_than_the_embedded_broker_can_keep_is_refused(tmp_path: Path) -> None:
    with demo(tmp_path, "--interactions", "2001") as process:
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (2, "")
    assert "--interactions" in err
    assert "at most 2,000: the embedded broker would drop" in err
