"""Headless Chromium, driven by Playwright: neither is part of the development's dependencies, for
together they take half a gigabyte. ``make test-console`` fetches Playwright and axe."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

# As the Makefile has it.
PLAYWRIGHT = ROOT / ".cache/browser/playwright-1.65.2"

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def missing() -> str | None:
    """What there is not, and how to get it; None when all is there."""
    if not PLAYWRIGHT.is_dir():
        return "Playwright is not here: make test-console"
    if found() is None:
        return "Chromium is not here (Debian: chromium)"
    return None


def found() -> str | None:
    return next((path for path in map(shutil.which, NAMES) if path), None)


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser."""
    sys.path.insert(0, str(PLAYWRIGHT))
    try:
        from playwright.sync_api import sync_playwright
    finally:
        sys.path.remove(str(PLAYWRIGHT))
    # As root, as in a container, Chromium has no sandbox of its own.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found(), args=options)
        try:
            yield browser
        finally:
            browser.close()
