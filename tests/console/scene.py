"""What the tests in the browser look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from streams.console.desk import Desk
from streams.console.index.store import Index
from tests.support.console_desk import Sent
from tests.support.planted import Case, Field

PAGES = (
    *("/", "/?span=week", "/search", "/search?q=nothing+like+it", "/search?since=yesterday"),
    *("/interactions/through-an-outage", "/interactions/never-sent-at-all", "/partitions"),
    "/stuck",
    *("/deferred", "/dead-letters?show=all", "/dead-letters/0/0", "/dead-letters/0/0/redrive"),
    "/sign-in",
)


@dataclass(frozen=True, slots=True)
class Scene:
    """``land``: what was planted, and into which more can be."""

    url: str
    cases: list[Case]
    land: Field
    index: Index
    desk: Desk
    sent: Sent


def sign_in(page: Any, url: str, key: str) -> None:
    page.goto(f"{url}/sign-in")
    page.fill("#key", key)
    page.press("#key", "Enter")
    page.wait_for_selector("#headline")
