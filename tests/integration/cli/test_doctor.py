"""``genesys-streams doctor`` as a user runs it, beside a simulated org."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from streams.cli.main import run
from streams.local.conversations.history import Work
from streams.local.simulator.api import Simulator
from streams.local.simulator.conversations import Org
from streams.local.simulator.server import serving
from streams.settings import Settings
from tests.support.scenarios import CODE, START_MS, call, told

Output = pytest.CaptureFixture[str]

SECRET = "hush-0f7a"
HISTORY = call(Work(START_MS + 61_000, START_MS + 181_000, "ININ-WRAP-UP-TIMEOUT"))


@contextmanager
def served(simulator: Simulator) -> Iterator[str]:
    """The org in a loop and a thread of its own, for the command has a loop too."""
    started, url = threading.Event(), ""
    loop, stop = asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        nonlocal url
        async with serving(simulator) as url:
            started.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert started.wait(10)
        yield url
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


@pytest.fixture
def simulator() -> Simulator:
    one = Simulator()
    one.conversations.store.load([told(HISTORY)])
    one.conversations.org = Org(wrap_up_codes={CODE: "Not coded"})
    return one


@pytest.fixture
def org(
    environment: Settings, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Settings]:
    """An org that the environment leads to, and a broker without topics."""
    with served(simulator) as url:
        for name, value in {
            "GENESYS_API": "conversations",
            "GENESYS_CLOUD_BASE_URL": url,
            "GENESYS_CLOUD_CLIENT_ID": "client",
            "GENESYS_CLOUD_CLIENT_SECRET": SECRET,
            "DISPOSITION_CODE_ID": CODE,
        }.items():
            monkeypatch.setenv(name, value)
        yield environment


def lines(capsys: Output) -> dict[str, str]:
    """The result of each check, of JSON lines."""
    out, err = capsys.readouterr()
    assert err == ""
    assert SECRET not in out
    checks = [json.loads(line) for line in out.splitlines()]
    assert all(each.keys() == {"check", "result", "found", "todo"} for each in checks)
    assert all(each["todo"] or each["result"] != "warning" for each in checks)
    return {each["check"]: each["result"] for each in checks}


def test_all_is_there(settings: Settings, org: Settings, capsys: Output) -> None:
    assert run(["doctor", "--json"]) == 0
    told = lines(capsys)
    assert "failed" not in told.values()
    assert list(told) == [
        *("settings", "disk", "kafka", "topics", "rights", "region", "token", "org", "read"),
        *("write", "code", "queues", "events", "rate", "clock"),
    ]
    warned = {name for name, result in told.items() if result == "warning"}
    assert warned <= {"kafka", "region", "disk"}


def test_one_line_for_each_and_what_to_do(org: Settings, capsys: Output) -> None:
    assert run(["doctor"]) == 1
    out, err = capsys.readouterr()
    assert err == ""
    (missing,) = (line for line in out.splitlines() if line.startswith("failed"))
    assert missing.startswith("failed   topics: missing: ")
    assert missing.endswith("run `genesys-streams topics apply`")


def test_the_other_dialect(
    settings: Settings, org: Settings, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENESYS_API", "interactions")
    assert run(["doctor", "--json"]) == 0
    told = lines(capsys)
    assert list(told)[-4:] == ["token", "read", "rate", "clock"]


def test_a_missing_setting_fails_and_the_rest_is_looked_at(
    settings: Settings, org: Settings, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GENESYS_CLOUD_CLIENT_SECRET")
    assert run(["doctor", "--json"]) == 1
    told = lines(capsys)
    assert (told["settings"], told["topics"]) == ("failed", "ok")
    assert "token" not in told


def test_what_can_not_be_read_is_one_line_and_wrong_settings(
    org: Settings, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WRAP_UP_LEGS", "some")
    assert run(["doctor"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("genesys-streams: WRAP_UP_LEGS: ")


@pytest.mark.parametrize(
    "arguments",
    [["--really"], ["--conversation", "../x"], ["--conversation", ""], ["--conversation"]],
)
def test_wrong_usage(org: Settings, capsys: Output, arguments: list[str]) -> None:
    assert run(["doctor", *arguments]) == 2
    assert capsys.readouterr().out == ""


def test_one_conversation_is_shown_and_left(
    org: Settings, simulator: Simulator, capsys: Output
) -> None:
    assert run(["doctor", "--json", "--conversation", HISTORY.id]) == 0
    leg = f"leg {HISTORY.agents[0].id}"
    assert lines(capsys) == {"conversation": "ok", leg: "ok", f"{leg}, code": "ok"}
    assert simulator.conversations.store.writes == []


def test_one_conversation_is_coded_if_asked_to(
    org: Settings, simulator: Simulator, capsys: Output
) -> None:
    assert run(["doctor", "--json", "--conversation", HISTORY.id, "--really"]) == 0
    assert set(lines(capsys).values()) == {"ok"}
    (write,) = simulator.conversations.store.writes
    assert (write.code, write.status) == (CODE, 202)
    assert run(["doctor", "--conversation", HISTORY.id, "--really"]) == 0
    assert "wrap-up-already-set" in capsys.readouterr().out
    assert len(simulator.conversations.store.writes) == 1


def test_a_dry_run_never_sets_a_code(
    org: Settings, simulator: Simulator, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRY_RUN", "true")
    assert run(["doctor", "--conversation", HISTORY.id, "--really"]) == 2
    assert capsys.readouterr().err.startswith("genesys-streams: DRY_RUN: ")
    assert run(["doctor", "--conversation", HISTORY.id]) == 0
    assert "were it not for DRY_RUN" in capsys.readouterr().out
    assert simulator.conversations.store.writes == []


def test_one_that_there_is_not_fails(org: Settings, capsys: Output) -> None:
    assert run(["doctor", "--conversation", "c-2"]) == 1
    assert capsys.readouterr().out.startswith("failed   conversation: ")
