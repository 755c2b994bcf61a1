"""Runs the tools that a release is made with."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path


class Failed(Exception):
    """A release cannot be made; the message says why and what to do."""


def run(
    *command: str | Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
) -> bytes:
    """What the command wrote to stdout. Raises Failed, with all it wrote, unless it ends with 0."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=env,
        input=stdin,
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        said = (done.stdout + done.stderr).decode(errors="replace").strip()
        shown = " ".join(str(word) for word in command)
        raise Failed(f"{shown} ended with exit code {done.returncode}:\n{said}")
    return done.stdout
