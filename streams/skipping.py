"""Reads ``SKIP_RECORDS``: the records to skip unread, because no program can read them."""

from __future__ import annotations

import re

from streams.errors import SettingsError

Place = tuple[str, int, int]

_ENTRY = re.compile(r"(?P<topic>[^/]*)/\s*(?P<partition>[0-9]{1,10})\s*/\s*(?P<offset>[0-9]{1,19})")

# Kafka numbers partitions with 32 bits and offsets with 64.
_MOST_PARTITION, _MOST_OFFSET = 2**31 - 1, 2**63 - 1


def skipped_records(text: str, *, events: str, retries: str) -> frozenset[Place]:
    """The records in the text: ``TOPIC/PARTITION/OFFSET``, separated by commas; blanks may surround
    an entry.

    Raises SettingsError for an entry that does not name a record of these two topics: it would skip
    nothing, and nobody would notice.
    """
    entries = filter(None, (entry.strip() for entry in text.split(",")))
    return frozenset(
        _record(number, entry, (events, retries)) for number, entry in enumerate(entries, 1)
    )


def _record(number: int, entry: str, topics: tuple[str, str]) -> Place:
    match = _ENTRY.fullmatch(entry)
    if match is None or match["topic"].strip() not in topics:
        raise SettingsError(
            f"SKIP_RECORDS: entry {number} must be TOPIC/PARTITION/OFFSET, such as "
            f"{topics[0]}/0/42, and TOPIC {' or '.join(topics)}; correct it, or remove it"
        )
    partition, offset = int(match["partition"]), int(match["offset"])
    if partition > _MOST_PARTITION or offset > _MOST_OFFSET:
        raise SettingsError(
            f"SKIP_RECORDS: entry {number} names a partition or an offset that Kafka can not have; "
            "correct it, or remove it"
        )
    return match["topic"].strip(), partition, offset
