"""A first look at a trace is one command: the demo, told where its traces go."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.traces.span import text_of
from tests.traces.store import TraceStore

pytestmark = pytest.mark.timeout(300)

PREFIX = "genesys.interaction."

# How each trace begins, and that of one event all is in one.
EVENT = re.compile(r"bridge: publish events\n  worker: process events(\n    .*)+")


async def test_a_trace_store_has_each_event_of_the_demo(store: TraceStore, tmp_path: Path) -> None:
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "streams", "demo", "--interactions", "60", "--seed", "1"],
        env=os.environ | {"OTEL_EXPORTER_OTLP_ENDPOINT": store.otlp, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr

    traces = [text_of(spans, PREFIX) for spans in store.traces().values()]
    assert len(traces) == number(r"events +([\d,]+) sent", done.stdout) > 150
    assert [text for text in traces if not EVENT.fullmatch(text)] == []
    lines = Counter(line.strip() for text in traces for line in text.splitlines())
    # Nothing fails, so all that was looked at again did not show yet.
    assert lines["worker: PATCH 200"] == number(r"60: (\d+) eligible", done.stdout) > 5
    assert lines["worker: publish outcomes"] == len(traces) + lines["worker: process retries"]
    assert lines["worker: process retries"] > 0
    assert not any("failed" in line for line in lines)


def number(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    assert found, f"{pattern} is not in\n{text}"
    return int(found[1].replace(",", ""))
