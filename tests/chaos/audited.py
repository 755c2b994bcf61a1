"""The program's own judge on the storm's cluster, as an operator runs it.

It stands beside the storm's judge and not in its place: on a storm that kept every promise both
must find nothing.
"""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from pathlib import Path

from streams.settings import Settings
from tests.support.workers import environment

log = logging.getLogger(__name__)

# It reads a storm of half an hour in a minute, on two cores that the workers still share.
AUDIT_SECONDS = 600.0

# Interactions that the simulated API is asked about; its faults go on, so some give no answer.
SAMPLE = 20


async def audited(settings: Settings, home: Path, seed: int) -> list[str]:
    """What ``genesys-streams audit`` finds, one line each. Its result lies in ``home``."""
    out = home / "audit.json"
    command = ("audit", "--json", "--out", str(out), "--sample", str(SAMPLE), "--seed", str(seed))
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "streams", *command],
        env=environment(settings),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=AUDIT_SECONDS,
        check=False,
    )
    log.info("audit: exit %d\n%s", done.returncode, done.stderr)
    if not out.exists():
        return [f"it came to no result: exit {done.returncode}: {done.stderr[-500:]}"]
    return [shown(line) for line in done.stdout.splitlines()]


def shown(line: str) -> str:
    """One violation out of its JSON line."""
    each = json.loads(line)
    place = "/".join(str(each["record"][name]) for name in ("topic", "partition", "offset"))
    return f"{each['kind']} {place}: expected {each['expected']}; found {each['found']}"
