"""How a demo says what is not as it must be."""

from __future__ import annotations

from collections.abc import Iterable

# How many examples are named for each deviation: enough to start looking, not a page of ids.
EXAMPLES = 3


def deviation(what: str, examples: Iterable[str], count: int | None = None) -> list[str]:
    """``events that are not in Kafka: 4 (ID, ID, ID, …)``; nothing when there are none."""
    examples = list(examples)
    count = len(examples) if count is None else count
    if not count:
        return []
    shown = ", ".join([*examples[:EXAMPLES], *(["…"] if count > EXAMPLES else [])])
    return [f"{what}: {count:,} ({shown})" if shown else f"{what}: {count:,}"]
