"""A program that can be measured beside others."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import click

from benchmarks.harness import ROOT

# What contenders need beside this project: environments, jars, classes.
CACHE = ROOT / ".cache" / "benchmarks"


class Contender(Protocol):
    """Takes the events and tells an outcome of each, as JSON with the event's ``source``. It reads
    the settings of the real worker from its environment; its consumer group is APP_ID."""

    @property
    def name(self) -> str:
        """As in tables and plots."""

    def prepare(self) -> None:
        """Make or fetch what it needs, once, before anything is measured. Raises ClickException."""

    def command(self) -> Sequence[str]:
        """The program and its arguments."""


def run(command: Sequence[str], purpose: str, cwd: Path = ROOT) -> None:
    """A step of a preparation, to its end. Raises ClickException with what it wrote."""
    done = subprocess.run(
        command,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        told = f"{done.stdout}\n{done.stderr}".strip()[-4000:]
        raise click.ClickException(f"{purpose}: `{' '.join(command)}` failed:\n{told}")
