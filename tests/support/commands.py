"""``genesys-streams`` as an operator runs it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from streams.settings import Settings
from tests.support.workers import environment


async def printed(settings: Settings, cwd: Path, *words: str) -> str:
    """What the command with these words prints; it ends with exit code 0."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "streams", *words],
        env=environment(settings),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
