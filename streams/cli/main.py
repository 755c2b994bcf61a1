"""The root of the command line. Turns every error of a command into one line and an exit code."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn

import click

import streams
from streams.cli.signals import nothing_begun, unwind
from streams.cli.stdout import guard_stdout
from streams.core.foreign_text import foreign_text
from streams.errors import SettingsError, StreamsError
from streams.telemetry.otel import drop_plug_ins

PROGRAM = "genesys-streams"

# Limit of an error's text: a problem with every setting fits in.
MOST_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True)
class Target:
    """Where a command is defined, as ``module:attribute``, and its line in ``--help``."""

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
    "doctor": Target("streams.cli.doctor:doctor", "Whether all is there that the work needs."),
    "outcomes": Target("streams.cli.outcomes:outcomes", "What was decided, and why."),
    "explain": Target("streams.cli.explain:explain", "All that happened to one interaction."),
    "audit": Target("streams.cli.audit:audit", "The promises held against the topics."),
    "stuck": Target("streams.cli.stuck:stuck", "What waits longest, why, and until when."),
    "support": Target("streams.cli.support:support", "One file for whoever helps you."),
    "console": Target("streams.cli.console:console", "The operator's page."),
    "dead-letters": Target(
        "streams.cli.dead_letters:dead_letters", "What could not be handled; send it back."
    ),
    "replay": Target("streams.cli.replay:replay", "Past events through today's rules."),
}


class LazyGroup(click.Group):
    """Imports a command only when it is run, so that no command waits for what others import."""

    def __init__(self, *, targets: Mapping[str, Target], help: str) -> None:
        # Sub-commands inherit these names of the help option.
        super().__init__(help=help, context_settings={"help_option_names": ["-h", "--help"]})
        self._targets = targets

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._targets)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        target = self._targets.get(cmd_name)
        if target is None:
            return None
        module, _, attribute = target.path.partition(":")
        with nothing_begun():
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
    # In force until a command drains by itself (see serving).
    unwind()
    _open_standard_files()
    guard_stdout()
    code = run(sys.argv[1:])
    _flush_stderr()
    sys.exit(code)


def run(args: list[str]) -> int:
    """Run one command; returns its exit code: 0 done, 1 failed, 2 wrong usage or settings."""
    drop_plug_ins(os.environ)
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
    with suppress(OSError):  # without a reader the exit code still says it
        click.echo(f"{PROGRAM}: {foreign_text(message, MOST_CHARACTERS)}", err=True)
    return code


def _open_standard_files() -> None:
    """Opens /dev/null for each standard file that is closed. In a process that was started without
    stderr the next file opened, a socket or a store, would get its number, and the last error
    message would be written into it."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _flush_stderr() -> None:
    """Python exits with 120 when it can not write the rest of stderr, whatever the command's exit
    code. This prevents it."""
    try:
        if sys.stderr is not None:
            sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
