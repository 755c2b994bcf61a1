"""Turns of the event loop, for tests that move on step by step."""

from __future__ import annotations

import asyncio


async def until_idle() -> None:
    """Let everything that can run do so."""
    for _ in range(50):
        await asyncio.sleep(0)
