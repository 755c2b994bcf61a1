"""Confluent's parallel-consumer in Java: jars from Maven Central, one source file of ours."""

from __future__ import annotations

import os
import shutil
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from benchmarks.contenders.contender import CACHE, run
from benchmarks.harness import ROOT

SOURCES = ROOT / "benchmarks" / "java"
POM, PROGRAM = SOURCES / "pom.xml", SOURCES / "CallEachInteraction.java"


@dataclass(frozen=True, slots=True)
class ParallelConsumer:
    """Needs a JDK of 17 or newer, and Maven for the download alone."""

    name: str = "parallel-consumer"

    def prepare(self) -> None:
        jars, classes = self._jars(), self._classes()
        for tool, there, package in (("mvn", jars, "maven"), ("javac", classes, "a JDK")):
            if not there.exists() and shutil.which(tool) is None:
                raise click.ClickException(
                    f"parallel-consumer needs {tool}, which is missing; install {package}, or "
                    "leave its scenarios out with --only"
                )
        if not jars.exists():
            maven = ["mvn", "-B", "-q", "-Dstyle.color=never", "-f", str(POM)]
            copy = ["dependency:copy-dependencies", "-DincludeScope=runtime"]
            _make(jars, *maven, *copy, "-DoutputDirectory={}")
        if not classes.exists():
            _make(classes, "javac", "-Werror", "-cp", f"{jars}/*", "-d", "{}", str(PROGRAM))

    def command(self) -> Sequence[str]:
        paths = os.pathsep.join((str(self._classes()), f"{self._jars()}/*"))
        quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
        return ("java", quiet, "-cp", paths, PROGRAM.stem)

    @staticmethod
    def _jars() -> Path:
        return CACHE / f"jars-{zlib.crc32(POM.read_bytes())}"

    def _classes(self) -> Path:
        return CACHE / f"classes-{zlib.crc32(POM.read_bytes() + PROGRAM.read_bytes())}"


def _make(directory: Path, *command: str) -> None:
    """Run a command that fills ``{}``; the directory is there whole afterwards or not at all."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as unfinished:
        into = Path(unfinished) / "made"
        run([each.format(into) for each in command], "parallel-consumer")
        into.rename(directory)


PARALLEL_CONSUMER = ParallelConsumer()
