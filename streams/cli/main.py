"""The root of the command line, and what every error of a command comes out as."""

from __future__ import annotations

import importlib
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

import click

import streams
from streams.cli.stdout import guard_stdout
from streams.errors import SettingsError, StreamsError

PROGRAM = "genesys-streams"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a command is, as ``module:attribute``, and its line in ``--help``."""

    path: str
    summary: str


COMMANDS = {
    "demo": Target("streams.cli.demo:demo", "The whole pipeline on this machine, no set-up."),
    "broker": Target("streams.cli.broker:broker", "The embedded Kafka broker."),
    "simulator": Target("streams.cli.simulator:simulator", "A simulated Genesys Cloud."),
    "generate": Target("streams.cli.generate:generate", "Realistic events, to stdout or a bridge."),
    "bridge": Target("streams.cli.bridge:bridge", "EventBridge into Kafka."),
    "worker": Target("streams.cli.worker:worker", "The Faust worker: events to dispositions."),
    "topics": Target("streams.cli.topics:topics", "Create and check the Kafka topics."),
    "outcomes": Target("streams.cli.outcomes:outcomes", "What was decided, and why."),
    "dead-letters": Target(
        "streams.cli.dead_letters:dead_letters", "What could not be handled; send it back."
    ),
    "replay": Target("streams.cli.replay:replay", "Past events through today's rules."),
}


class LazyGroup(click.Group):
    """Imports a command when it is run, so that none pays for what the others need."""

    def __init__(self, *, targets: Mapping[str, Target], help: str) -> None:
        super().__init__(help=help)
        self._targets = targets

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._targets)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        target = self._targets.get(cmd_name)
        if target is None:
            return None
        module, _, attribute = target.path.partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command), f"{target.path} is no command"
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, target.summary) for name, target in self._targets.items()])


root = LazyGroup(
    targets=COMMANDS,
    help="Gives every finished Genesys Cloud call its disposition code. "
    "Settings come from the environment and .env.",
)
click.version_option(streams.__version__, prog_name=PROGRAM)(root)


def main() -> NoReturn:
    """The console script."""
    # Until a command drains by itself (see serving), SIGTERM unwinds it as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    guard_stdout()
    sys.exit(run(sys.argv[1:]))


def run(args: list[str]) -> int:
    """Run one command; returns its exit code: 0 done, 1 failed, 2 wrong usage or settings."""
    try:
        result = root.main(args, prog_name=PROGRAM, standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as exc:
        exc.show()
        return 2
    except click.UsageError as exc:
        command = exc.ctx.command_path if exc.ctx else PROGRAM
        return _failed(f"{exc.format_message()} See {command} --help.", 2)
    except click.ClickException as exc:
        return _failed(exc.format_message(), exc.exit_code)
    except click.Abort:
        return 0  # Ctrl-C is how a user says "enough", not a failure
    except SettingsError as exc:
        return _failed(str(exc), 2)
    except StreamsError as exc:
        return _failed(str(exc), 1)
    return result if isinstance(result, int) else 0


def _failed(message: str, code: int) -> int:
    click.echo(f"{PROGRAM}: {' '.join(message.split())}", err=True)
    return code
