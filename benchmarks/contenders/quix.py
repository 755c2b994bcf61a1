"""quixstreams, in an environment of its own: its dependencies may contradict this project's."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.contenders.contender import CACHE, run

REQUIREMENT = "quixstreams==3.28.1"


@dataclass(frozen=True, slots=True)
class Quix:
    """benchmarks/programs/quix_table.py."""

    name: str = "quixstreams"

    def prepare(self) -> None:
        if self._ready.exists():
            return
        shutil.rmtree(self._home, ignore_errors=True)  # of a preparation that was broken off
        run([sys.executable, "-m", "venv", str(self._home)], "an environment for quixstreams")
        pip = [self._python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        run([*pip, REQUIREMENT], "quixstreams from the package index")
        self._ready.touch()

    def command(self) -> Sequence[str]:
        return (self._python, "-m", "benchmarks.programs.quix_table")

    _home = CACHE / f"{REQUIREMENT}-python{sys.version_info.major}.{sys.version_info.minor}"
    _ready = _home / ".ready"
    _python = str(_home / "bin" / "python")


QUIX = Quix()
