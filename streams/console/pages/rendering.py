"""Makes HTML of templates and values. Everything that a template is given is escaped."""

from __future__ import annotations

from pathlib import Path

import jinja2
import msgspec

from streams.clock import rfc3339
from streams.lengths import length

PAGES = Path(__file__).parent
STATIC = PAGES / "static"

# Of a record's own bytes on a page: enough for any event, and no megabyte in a browser.
RAW_LENGTH = 20_000


def environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PAGES / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "lasting": lasting,
        "stamp": stamp,
        "day": lambda ms: stamp(ms)[:10],
        "clock": lambda ms: stamp(ms)[11:23],
        "ago": ago,
        "number": lambda number: f"{number:,.0f}",
        "json": as_json,
        "share": lambda share: f"{share:.0%}" if share >= 0.01 or not share else "<1%",
    }
    return made


def stamp(ms: float) -> str:
    """RFC 3339."""
    return rfc3339(ms / 1000)


def ago(ms: float, now_ms: float) -> str:
    """``3 s ago``, ``in 4 min``; one unit, for it is read at a glance."""
    apart = now_ms - ms
    if abs(apart) < 1_000:
        return "now"
    said = " ".join(length(abs(apart) // 1_000 * 1_000).split(" ")[:2])
    return f"{said} ago" if apart > 0 else f"in {said}"


def lasting(ms: float | None) -> str:
    """A length of time. Most decisions take less than a millisecond, which is not nothing."""
    return "<1 ms" if ms is not None and 0 < ms < 1 else length(ms)


def as_json(value: object) -> str:
    """Indented, for people."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    return text if len(text) <= RAW_LENGTH else text[:RAW_LENGTH] + "\n…"
