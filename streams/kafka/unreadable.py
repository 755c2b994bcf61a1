"""The message to an operator about records that can not be read: one line that names the cure."""

from __future__ import annotations

from collections.abc import Sequence

from streams.core.foreign_text import foreign_text
from streams.kafka.decoding import Unreadable

PAGE = "docs/unreadable-records.md"

# Up to this many offsets are listed one by one; for more, the line has a shell command that lists
# them.
MOST_NAMED = 8

# Characters of the reason, which may quote a library's error message.
REASON_LENGTH = 200


def unreadable_source(topic: str, partition: int, lost: Unreadable, unnamed: Sequence[int]) -> str:
    """The message for a topic whose records are decided. ``unnamed``: the unreadable offsets that
    SKIP_RECORDS does not name."""
    return (
        f"{_place(topic, partition, lost)}. Nothing behind them is worked on. If another replica "
        f"has them whole, let it lead the partition; else add to SKIP_RECORDS "
        f"{_named(topic, partition, unnamed)} and start again: each ends as failed, skipped, with "
        f"a dead letter ({PAGE})"
    )


def unreadable_changelog(topic: str, partition: int, lost: Unreadable) -> str:
    """The message for the table's changelog. No record of it can be skipped, because the table is
    restored from it."""
    return (
        f"{_place(topic, partition, lost)}. The table can not be restored without them. If another "
        f"replica has them whole, let it lead the partition; else stop all workers, delete the "
        f"topic {topic} and what is in DATA_DIR, and start again: what was remembered of each "
        f"interaction is lost, so its next event asks the API ({PAGE})"
    )


def _place(topic: str, partition: int, lost: Unreadable) -> str:
    offsets = (
        f"offset {lost.first}"
        if lost.first == lost.last
        else f"offsets {lost.first} to {lost.last}"
    )
    why = foreign_text(lost.why, REASON_LENGTH)
    return f"{topic}/{partition}: {offsets} can not be read: {why}"


def _named(topic: str, partition: int, offsets: Sequence[int]) -> str:
    if len(offsets) <= MOST_NAMED:
        return ",".join(f"{topic}/{partition}/{offset}" for offset in offsets)
    runs: list[tuple[int, int]] = []
    for offset in offsets:
        if runs and runs[-1][1] == offset - 1:
            runs[-1] = runs[-1][0], offset
        else:
            runs.append((offset, offset))
    return ",".join(
        f'$(seq -s, -f "{topic}/{partition}/%.0f" {first} {last})' for first, last in runs
    )
