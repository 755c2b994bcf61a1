"""What ``genesys-streams explain --json`` says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from streams.settings import Settings
from tests.support.commands import printed


async def explained(settings: Settings, cwd: Path, *words: str) -> list[dict[str, Any]]:
    """Its lines; ``words``: the id, and options."""
    said = await printed(settings, cwd, "explain", *words, "--json")
    return [json.loads(line) for line in said.splitlines()]
