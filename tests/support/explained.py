"""What ``genesys-streams explain --json`` says."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from streams.settings import Settings
from tests.support.workers import environment


async def explained(settings: Settings, cwd: Path, *words: str) -> list[dict[str, Any]]:
    """Its lines; ``words``: the id, and options."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "streams", "explain", *words, "--json"],
        env=environment(settings),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]
