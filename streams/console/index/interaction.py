"""What the index has of one interaction, as ``explain`` finds it in Kafka."""

from __future__ import annotations

from itertools import islice

from streams.console.index.keys import (
    Topic,
    event_prefix,
    id_prefix,
    log_prefix,
    place_of,
)
from streams.console.index.raw import RawRecord
from streams.console.index.store import Index
from streams.kafka.partitioner import partition_of
from streams.operator.explain.found import Found, Kept
from streams.operator.explain.records import (
    event_record,
    letter_record,
    outcome_record,
    return_record,
)

# Records of one interaction that a page shows: a call has some twenty, and only what another
# program puts there without end has more.
MOST_RECORDS = 5_000


def found_in(index: Index, interaction_id: str, partitions: int) -> Found:
    """``partitions``: how many ``events`` has. Raises IndexDamaged, ConsoleError."""
    own = {place_of(key) for key, _ in islice(index.scan(id_prefix(interaction_id)), MOST_RECORDS)}
    for event in [each for each in own if each.topic is Topic.EVENTS]:
        about = index.scan(event_prefix(event.partition, event.offset))
        own |= {place_of(key) for key, _ in islice(about, MOST_RECORDS)}
    records: dict[Topic, list[RawRecord]] = {topic: [] for topic in Topic}
    for place in sorted(own):
        if (record := index.record(place)) is not None:
            records[place.topic].append(record)
    return Found(
        interaction_id,
        [event_record(each) for each in records[Topic.EVENTS]],
        [outcome_record(each) for each in records[Topic.OUTCOMES]],
        [return_record(each) for each in records[Topic.RETRIES]],
        [letter_record(each) for each in records[Topic.LETTERS]],
        _kept(index, partition_of(interaction_id.encode(), partitions)),
    )


def _kept(index: Index, partition: int) -> Kept:
    topic = index.name_of(Topic.EVENTS)
    first = next(index.scan(log_prefix(Topic.EVENTS, partition)), None)
    if first is None:
        return Kept(topic, partition, None, None)
    record = index.unpacked(*first)
    return Kept(topic, partition, record.offset, record.timestamp)
