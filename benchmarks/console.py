"""The operator's page at a million outcomes: how quickly its index is built, how large it is, and
how long a person waits for the first view and for a search, in Chromium.

python -m benchmarks.console [--outcomes 1000000]
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from streams.clock import rfc3339
from streams.console.index.keys import Topic
from streams.console.index.raw import RawRecord
from streams.core.records import Basis, Call, Decision, Fault, Reason, Source
from streams.kafka.partitioner import partition_of
from streams.wire.outcomes import Outcome, encode_outcome, outcome_id
from tests.support.chromium import chromium
from tests.support.console_desk import desk_over, opened, serving_beside
from tests.support.planted import CODE, Field

PARTITIONS, AT_ONCE, ROUNDS = 12, 500, 7

# As a contact centre has them: most events come before the end of a call.
SHARES = (
    (0.52, Decision.INELIGIBLE, Reason.NOT_COMPLETED),
    (0.20, Decision.INELIGIBLE, Reason.NON_VOICE),
    (0.10, Decision.PATCHED, Reason.ELIGIBLE),
    (0.08, Decision.DUPLICATE, Reason.DUPLICATE_SEQUENCE),
    (0.05, Decision.INELIGIBLE, Reason.DISPOSITION_SET),
    (0.03, Decision.INELIGIBLE, Reason.TOO_SHORT),
    (0.0199, Decision.STALE, Reason.STALE_SEQUENCE),
    (0.0001, Decision.FAILED, Reason.FORBIDDEN),
)


def outcomes(number: int, now: float) -> Iterator[RawRecord]:
    """Of a day, nine to an interaction."""
    choice, ends = random.Random(7), [0] * PARTITIONS
    weights = [share for share, _, _ in SHARES]
    for nth in range(number):
        _, decision, reason = choice.choices(SHARES, weights)[0]
        name = f"{nth // 9:08x}-5b1c-4a44-9a3e-0c6f2b1e7d55"
        partition = partition_of(name.encode(), PARTITIONS)
        at = now - 86_400 * (1 - nth / number)
        source = Source("genesys.interaction.events", partition, ends[partition])
        asked = decision in (Decision.PATCHED, Decision.FAILED)
        call = Call(
            rfc3339(at), "GET", 200, None, 4.0, 61.0, "7f0b2c10-1111-4222-8333-000000000000"
        )
        outcome = Outcome(
            outcome_id(source),
            True,
            name,
            nth % 9,
            None,
            decision,
            reason,
            Basis.API if asked else Basis.EVENT,
            False,
            CODE if decision is Decision.PATCHED else None,
            200 if decision is Decision.PATCHED else None,
            False,
            2 if asked else 0,
            1 if asked else 0,
            None,
            rfc3339(at - 0.3),
            rfc3339(at),
            choice.lognormvariate(1, 2),
            choice.lognormvariate(6, 1),
            source,
            f"{nth:032x}",
            Fault("forbidden", "403", 403) if decision is Decision.FAILED else None,
            calls=(call, call) if asked else (),
        )
        value = encode_outcome(outcome)
        key, at_ms = name.encode(), round(at * 1000)
        topic = "genesys.interaction.outcomes"
        yield RawRecord(topic, partition, ends[partition], at_ms, key, value, ())
        ends[partition] += 1


def built(number: int, path: Path) -> tuple[Any, float]:
    """The index, and the seconds that it took, without those of making the outcomes."""
    index, seconds = opened(path), 0.0
    waiting: list[list[RawRecord]] = [[] for _ in range(PARTITIONS)]
    for record in outcomes(number, time.time()):
        batch = waiting[record.partition]
        batch.append(record)
        if len(batch) == AT_ONCE:
            seconds += applied(index, batch)
    return index, seconds + sum(applied(index, batch) for batch in waiting if batch)


def applied(index: Any, batch: list[RawRecord]) -> float:
    began = time.perf_counter()
    last = batch[-1]
    index.apply(batch, Topic.OUTCOMES, last.partition, last.offset + 1)
    batch.clear()
    return time.perf_counter() - began


def shown(page: Any, url: str) -> float:
    """Milliseconds from the click to the page as it stands there, its style and script with it."""
    page.goto(url, wait_until="load")
    timing = "performance.getEntriesByType('navigation')[0].loadEventEnd"
    while not (milliseconds := float(page.evaluate(timing))):
        page.wait_for_timeout(1)  # the event has begun and not ended
    return milliseconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--outcomes", type=int, default=1_000_000)
    number: int = parser.parse_args().outcomes
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "index"
        index, seconds = built(number, path)
        size = sum(each.stat().st_size for each in path.rglob("*") if each.is_file())
        print(f"{number:,} outcomes: {number / seconds:,.0f}/s, {size / 2**20:,.0f} MiB on disk")
        last = f"{number // 9 - 1:08x}-5b1c-4a44-9a3e-0c6f2b1e7d55"
        views = {
            "overview, the last hour": "/",
            "overview, the last day": "/?span=day",
            "search by id": f"/search?q={last}",
            "search by the beginning of an id": f"/search?q={last[:6]}",
            "search by reason: one in 10,000": "/search?reason=forbidden",
            "search by decision and an hour": f"/search?decision=patched&until={an_hour_ago()}",
        }
        desk = desk_over(index, Field(round(time.time() * 1000), partitions=PARTITIONS))
        with serving_beside(desk) as url, chromium() as browser:
            for name, view in views.items():
                page = browser.new_page()
                first = shown(page, url + view)
                again = [shown(page, url + view) for _ in range(ROUNDS)]
                median = statistics.median(again)
                print(f"{name:36} first {first:6.0f} ms, then {median:6.0f} ms (median)")
                page.close()
        index.close()


def an_hour_ago() -> str:
    return rfc3339(time.time() - 3_600)


if __name__ == "__main__":
    main()
