"""Contenders that run in this project's own environment: the worker and two textbook agents."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Module:
    """A module of this checkout as a contender. ``module``: with its arguments."""

    name: str
    module: tuple[str, ...]

    def prepare(self) -> None:
        """The environment that measures has all it needs."""

    def command(self) -> Sequence[str]:
        return (sys.executable, "-m", *self.module)


_AS_AGENT = ("worker", "--without-web", "-l", "error")

WORKER = Module("worker", ("streams", "worker"))
TEXTBOOK = Module("textbook Faust agent", ("benchmarks.programs.faust_table", *_AS_AGENT))
TEXTBOOK_WITH_CALLS = Module("textbook Faust agent", ("benchmarks.textbook", *_AS_AGENT))
