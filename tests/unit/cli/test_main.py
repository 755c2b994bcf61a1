from __future__ import annotations

import subprocess
import sys
import types

import click
import pytest

import streams
from streams.cli import main as cli
from streams.errors import PublishError, SettingsError


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A command ``sample`` whose module's ``work`` a test sets."""
    module = types.ModuleType("sample_command")

    @click.command()
    @click.option("--times", type=int)
    def sample(times: int | None) -> object:
        return module.work()

    vars(module)["sample"] = sample
    monkeypatch.setitem(sys.modules, "sample_command", module)
    monkeypatch.setitem(cli.COMMANDS, "sample", cli.Target("sample_command:sample", "A sample."))
    return module


def outcome_of(error: BaseException | None, command: types.ModuleType) -> int:
    def work() -> None:
        if error is not None:
            raise error

    vars(command)["work"] = work
    return cli.run(["sample"])


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (None, 0, ""),
        (SettingsError("BRIDGE_PORT: wrong"), 2, "genesys-streams: BRIDGE_PORT: wrong\n"),
        (PublishError("Kafka is\naway"), 1, "genesys-streams: Kafka is away\n"),
        (click.ClickException("no such file"), 1, "genesys-streams: no such file\n"),
        (KeyboardInterrupt(), 0, "\n"),
    ],
)
def test_errors_are_one_line_and_an_exit_code(
    error: BaseException | None,
    code: int,
    said: str,
    command: types.ModuleType,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert outcome_of(error, command) == code
    out, err = capsys.readouterr()
    assert (out, err) == ("", said)


def test_a_bug_is_not_dressed_up_as_an_error(command: types.ModuleType) -> None:
    with pytest.raises(ZeroDivisionError):
        outcome_of(ZeroDivisionError(), command)


def test_a_command_may_return_its_exit_code(command: types.ModuleType) -> None:
    vars(command)["work"] = lambda: 1
    assert cli.run(["sample"]) == 1


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["nope"], "No such command 'nope'. See genesys-streams --help."),
        (["--nope"], "No such option: --nope"),
        (["sample", "--times", "x"], "See genesys-streams sample --help."),
        (["sample", "extra"], "See genesys-streams sample --help."),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(
    args: list[str], said: str, command: types.ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(args) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("genesys-streams: ")
    assert err.count("\n") == 1
    assert said in err


def test_no_arguments_show_the_help_as_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Commands:" in err


def test_help_lists_every_command_with_its_summary(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--help"]) == 0
    listed = capsys.readouterr().out
    for name, target in cli.COMMANDS.items():
        assert f"  {name} " in listed
        assert target.summary in listed


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out == f"genesys-streams, version {streams.__version__}\n"


def test_help_imports_no_command() -> None:
    program = (
        "import sys; from streams.cli.main import run; run(['--help']); "
        "print([m for m in ('aiohttp', 'aiokafka', 'faust', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
