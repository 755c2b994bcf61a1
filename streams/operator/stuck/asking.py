"""Asks Kafka and the workers, and puts together what they say."""

from __future__ import annotations

from collections.abc import Sequence

from aiokafka import ConsumerRecord

from streams.clock import rfc3339
from streams.core.event import Event, parse_any
from streams.errors import KafkaError
from streams.kafka.positions import GroupView, first_records, look_at_group
from streams.kafka.reader import partitions_of, require_rights, time_of
from streams.operator.stuck.account import (
    Account,
    FirstRecord,
    account,
    advertised,
    positions_of,
    untaken,
)
from streams.operator.stuck.workers import Asked, ask_workers
from streams.settings import Settings
from streams.wire.reading import Unreadable, read_event


async def look(settings: Settings) -> Account:
    """What waits now. A Kafka that can not be asked is a gap, for then it is what the workers wait
    for. Raises SettingsError."""
    topics, kafka_error = settings.topics, None
    view: GroupView | None = None
    firsts: dict[tuple[str, int], FirstRecord] = {}
    try:
        await require_rights(settings.kafka, "stuck")
        names = (topics.events, topics.retries)
        partitions = {name: await partitions_of(settings.kafka, name) for name in names}
        view = await look_at_group(settings.kafka, partitions)
    except KafkaError as failure:
        kafka_error = str(failure)
    tls = settings.peers_tls()
    asked = await ask_workers(worker_urls(settings, view), settings.look_up_keys(), tls)
    if view is not None:
        try:
            firsts = await _firsts(settings, view, asked)
        except KafkaError as failure:
            kafka_error = str(failure)
    return account(asked, view, firsts, events=topics.events, kafka_error=kafka_error)


def worker_urls(settings: Settings, view: GroupView | None) -> Sequence[str]:
    """Where to ask: what is set, or else what the members of the group tell one another, or else
    this machine."""
    if (given := settings.worker_addresses()) is not None:
        return given
    if view is None or view.members is None:
        return [settings.own_worker()]
    return [url for url in map(advertised, view.members) if url is not None]


async def _firsts(
    settings: Settings, view: GroupView, asked: Sequence[Asked]
) -> dict[tuple[str, int], FirstRecord]:
    offsets = untaken(view, positions_of(asked))
    if not offsets:
        return {}
    found = await first_records(settings.kafka, offsets)
    return {place: _first(record) for place, record in found.items()}


def _first(record: ConsumerRecord) -> FirstRecord:
    event: Event | Unreadable | None = read_event(record.value, parse_any)
    if event is None or isinstance(event, Unreadable):
        return FirstRecord(None, rfc3339(time_of(record) / 1000))
    at = time_of(record) if event.occurred_ms is None else event.occurred_ms
    return FirstRecord(event.interaction_id, rfc3339(at / 1000))
