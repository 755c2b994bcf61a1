"""The interactions table on Faust's real RocksDB store; the test acknowledges the changelog."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import faust
import msgspec
import pytest
from faust.stores.rocksdb import Store
from faust.types import TP

from streams.core.records import (
    Basis,
    Decision,
    Deferred,
    Intent,
    InteractionRecord,
    PutOff,
    Reason,
    Verdict,
    decode_record,
)
from streams.errors import OwnershipLost, PublishError, StoreError
from streams.kafka.message import Message
from streams.kafka.publisher import Acknowledged
from streams.worker.partitions.assignment import Assignment
from streams.worker.state.stores import StoredTable
from streams.worker.state.table import (
    BLOCK_CACHE_BYTES,
    SCAN_CHUNK,
    TABLE_NAME,
    WRITE_BUFFER_BYTES,
    InteractionTable,
    changelog,
    declare,
)
from tests.support.scripted import LeapingClock

TTL_SECONDS = 1000.0
PARTITION = 1


@dataclass
class Queued:
    """A changelog record on its way."""

    message: Message
    acknowledged: asyncio.Future[Acknowledged]


class Changelog:
    """Publisher whose acknowledgements come when the test says so, or at once."""

    def __init__(self) -> None:
        self.queued: list[Queued] = []
        self.at_once = True
        self.foreign = 0
        """Records that somebody else has written before the next one."""

    async def enqueue(self, message: Message) -> asyncio.Future[Acknowledged]:
        future: asyncio.Future[Acknowledged] = asyncio.get_running_loop().create_future()
        self.queued.append(Queued(message, future))
        if self.at_once:
            self.acknowledge(len(self.queued) - 1)
        return future

    async def publish(self, message: Message) -> Acknowledged:
        return await (await self.enqueue(message))

    def acknowledge(self, number: int) -> None:
        """Offsets are the order of queueing."""
        queued = self.queued[number]
        if not queued.acknowledged.done():
            message = queued.message
            partition = message.partition if message.partition is not None else -1
            queued.acknowledged.set_result(
                Acknowledged(message.topic, partition, number + self.foreign)
            )

    def refuse(self, number: int) -> None:
        self.queued[number].acknowledged.set_exception(PublishError("no in-sync replicas"))


class Shop:
    """A table, its store and its changelog."""

    def __init__(self, datadir: Path) -> None:
        self.app = faust.App(
            "shop",
            broker="kafka://127.0.0.1:1",
            store="rocksdb://",
            datadir=str(datadir),
            autodiscover=False,
            Table=StoredTable,
        )
        declared = declare(self.app, 4)
        self.changelog = Changelog()
        self.clock = LeapingClock()
        self.table = InteractionTable(declared, self.changelog, self.clock, ttl_seconds=TTL_SECONDS)
        store = declared.data
        assert isinstance(store, Store)
        self.store = store
        self.assignment = Assignment(1, {})

    def record(
        self,
        name: str,
        *,
        age: float = 0,
        intent: Intent | None = None,
        deferred: tuple[Deferred, ...] = (),
        last_offset: int | None = None,
    ) -> InteractionRecord:
        return InteractionRecord(
            name,
            updated_at=round((self.clock.time() - age) * 1000),
            intent=intent,
            deferred=deferred,
            last_offset=last_offset,
        )

    async def put(self, *records: InteractionRecord) -> None:
        for record in records:
            await self.table.put(self.assignment, PARTITION, record)

    def get(self, name: str) -> InteractionRecord | None:
        return self.table.get(PARTITION, name)

    @property
    def persisted(self) -> int | None:
        return self.store.persisted_offset(TP(self.table.changelog, PARTITION))


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


# Writing


async def test_what_is_put_can_be_got(shop: Shop) -> None:
    record = shop.record("i-1", intent=Intent(4, "code"))
    await shop.put(record)

    assert shop.get("i-1") == record
    assert shop.get("i-2") is None
    assert shop.table.get(PARTITION + 1, "i-1") is None
    (queued,) = shop.changelog.queued
    message = queued.message
    assert (message.key, message.partition) == (b"i-1", PARTITION)
    assert message.headers == (("worker.generation", b"1"),)
    assert message.value is not None
    assert decode_record(message.value) == record
    assert message.topic == shop.table.changelog == f"shop-{TABLE_NAME}-changelog"


async def test_nothing_is_in_the_store_before_the_changelog_has_it(shop: Shop) -> None:
    shop.changelog.at_once = False
    putting = asyncio.create_task(shop.put(shop.record("i-1")))
    await settle()
    assert not putting.done()
    assert shop.get("i-1") is None
    assert shop.persisted is None

    shop.changelog.acknowledge(0)
    await putting

    assert shop.get("i-1") is not None
    assert shop.persisted == 0


async def test_store_and_its_offset_move_together_and_in_order(shop: Shop) -> None:
    """Whenever the worker is killed, the store holds all up to the offset that it claims."""
    shop.changelog.at_once = False
    puts = [asyncio.create_task(shop.put(shop.record(f"i-{number}"))) for number in range(4)]
    await settle()

    for number in range(4):
        shop.changelog.acknowledge(number)
        await settle()
        assert shop.persisted == number
        there = [shop.get(f"i-{other}") is not None for other in range(4)]
        assert there == [other <= number for other in range(4)]
    await asyncio.gather(*puts)


async def test_what_the_changelog_refused_is_not_in_the_store(shop: Shop) -> None:
    shop.changelog.at_once = False
    putting = asyncio.create_task(shop.put(shop.record("i-1")))
    await settle()

    shop.changelog.refuse(0)

    with pytest.raises(PublishError, match="no in-sync replicas"):
        await putting
    assert shop.get("i-1") is None
    assert shop.persisted is None


async def test_revoked_partition_is_not_written(shop: Shop) -> None:
    shop.assignment.revoke()

    with pytest.raises(OwnershipLost):
        await shop.put(shop.record("i-1"))
    assert shop.changelog.queued == []


async def test_acknowledgement_after_the_revocation_leaves_the_store_alone(shop: Shop) -> None:
    """Another worker on this machine may have opened it."""
    shop.changelog.at_once = False
    putting = asyncio.create_task(shop.put(shop.record("i-1")))
    await settle()
    shop.assignment.revoke()

    shop.changelog.acknowledge(0)
    await putting

    assert shop.get("i-1") is None
    assert shop.persisted is None


async def test_a_lane_cancelled_while_it_waits_leaves_no_gap_behind_the_offset(shop: Shop) -> None:
    """A later write's offset would claim the value that the cancelled one did not store."""
    shop.changelog.at_once = False
    abandoned = asyncio.create_task(shop.put(shop.record("i-1")))
    later = asyncio.create_task(shop.put(shop.record("i-2")))
    await settle()

    abandoned.cancel()
    await settle()
    assert abandoned.cancelled()
    shop.changelog.acknowledge(0)
    shop.changelog.acknowledge(1)
    await later

    assert shop.persisted == 1
    assert shop.get("i-1") is not None


async def test_the_store_claims_no_offset_behind_records_of_another_worker(shop: Shop) -> None:
    """Frozen, taken over, thawed: what was written meanwhile is in the changelog alone. A restore
    that began behind it would never read it, and an intent among it would be forgotten."""
    await shop.put(shop.record("i-1"))
    shop.changelog.foreign = 3

    await shop.put(shop.record("i-2"), shop.record("i-3"))

    assert shop.persisted == 0
    assert shop.get("i-3") is not None


async def test_the_store_of_an_empty_disk_claims_nothing_it_has_not_read(shop: Shop) -> None:
    shop.changelog.foreign = 3

    await shop.put(shop.record("i-1"))

    assert shop.persisted is None


async def test_a_store_that_can_not_be_written_is_an_error(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk: going on would decide the next event on a record that is out of date."""

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(shop.store, "persisted_offset", full)

    with pytest.raises(StoreError, match="No space left"):
        await shop.put(shop.record("i-1"))
    assert shop.table.failure is not None


# Forgetting


async def test_sweep_forgets_what_is_past_its_ttl(shop: Shop) -> None:
    await shop.put(
        shop.record("old", age=TTL_SECONDS + 1), shop.record("young", age=TTL_SECONDS - 1)
    )

    assert await shop.table.sweep(shop.assignment, PARTITION) == 1

    assert shop.get("old") is None
    assert shop.get("young") is not None


async def test_sweep_leaves_the_changelog_and_its_offset_alone(shop: Shop) -> None:
    """A tombstone might come behind a write of the same interaction and take it along."""
    await shop.put(shop.record("old", age=TTL_SECONDS + 1))

    await shop.table.sweep(shop.assignment, PARTITION)

    assert len(shop.changelog.queued) == 1
    assert shop.persisted == 0


async def test_sweep_keeps_to_its_partition(shop: Shop) -> None:
    await shop.put(shop.record("old", age=TTL_SECONDS + 1))

    assert await shop.table.sweep(shop.assignment, PARTITION + 1) == 0
    assert shop.get("old") is not None


async def test_open_intent_is_not_forgotten(shop: Shop) -> None:
    await shop.put(shop.record("i-1", age=10 * TTL_SECONDS, intent=Intent(4, "code")))

    assert await shop.table.sweep(shop.assignment, PARTITION) == 0
    assert shop.get("i-1") is not None


async def test_sweep_of_more_than_a_chunk(shop: Shop) -> None:
    old = [shop.record(f"old-{number}", age=TTL_SECONDS + 1) for number in range(SCAN_CHUNK + 7)]
    young = [shop.record(f"young-{number}") for number in range(SCAN_CHUNK + 7)]
    await shop.put(*old, *young)

    assert await shop.table.sweep(shop.assignment, PARTITION) == len(old)

    assert shop.table.size == len(young)
    assert all(shop.get(record.interaction_id) == record for record in young)
    assert not any(shop.get(record.interaction_id) for record in old)


async def test_sweep_of_exactly_a_chunk(shop: Shop) -> None:
    await shop.put(*(shop.record(f"{number}", age=TTL_SECONDS + 1) for number in range(SCAN_CHUNK)))

    assert await shop.table.sweep(shop.assignment, PARTITION) == SCAN_CHUNK
    assert await shop.table.sweep(shop.assignment, PARTITION) == 0


async def test_sweep_stops_with_the_assignment(shop: Shop) -> None:
    await shop.put(shop.record("old", age=TTL_SECONDS + 1))
    shop.assignment.revoke()

    with pytest.raises(OwnershipLost):
        await shop.table.sweep(shop.assignment, PARTITION)
    assert shop.get("old") is not None


async def test_sweep_revoked_between_two_chunks_deletes_nothing_more(shop: Shop) -> None:
    """The loop runs others in between; one of them may give the partition up."""
    old = [shop.record(f"{number:04}", age=TTL_SECONDS + 1) for number in range(2 * SCAN_CHUNK)]
    await shop.put(*old)
    asyncio.get_running_loop().call_soon(shop.assignment.revoke)

    with pytest.raises(OwnershipLost):
        await shop.table.sweep(shop.assignment, PARTITION)

    assert sum(shop.get(record.interaction_id) is None for record in old) == SCAN_CHUNK


async def test_sweep_leaves_alone_what_is_being_written(shop: Shop) -> None:
    await shop.put(shop.record("i-1", age=TTL_SECONDS + 1))
    shop.changelog.at_once = False
    renewed = shop.record("i-1", intent=Intent(9, "code"))
    putting = asyncio.create_task(shop.put(renewed))
    await settle()

    await shop.table.sweep(shop.assignment, PARTITION)
    shop.changelog.acknowledge(1)
    await putting

    assert shop.get("i-1") == renewed


async def test_what_was_swept_stays_forgotten_in_a_store_opened_again(
    shop: Shop, tmp_path: Path
) -> None:
    await shop.put(shop.record("old", age=TTL_SECONDS + 1), shop.record("young"))
    await shop.table.sweep(shop.assignment, PARTITION)
    shop.store._dbs.pop(PARTITION).close()

    again = Shop(tmp_path)

    assert again.get("old") is None
    assert again.get("young") is not None
    assert again.persisted == 1


# Counting


async def test_size_counts_interactions_once(shop: Shop) -> None:
    await shop.put(shop.record("i-1"), shop.record("i-2"), shop.record("i-1"))
    await shop.table.put(shop.assignment, PARTITION + 1, shop.record("i-3"))

    assert shop.table.size == 3


async def test_size_is_corrected_by_a_sweep(shop: Shop) -> None:
    await shop.put(shop.record("old", age=TTL_SECONDS + 1), shop.record("young"))
    assert shop.table.size == 2

    await shop.table.sweep(shop.assignment, PARTITION)

    assert shop.table.size == 1


async def test_partitions_given_up_do_not_count(shop: Shop) -> None:
    await shop.put(shop.record("i-1"))

    shop.table.disown()

    assert shop.table.size == 0


def test_ttl(shop: Shop) -> None:
    assert not shop.table.expired(shop.record("i-1", age=TTL_SECONDS - 0.01))
    assert shop.table.expired(shop.record("i-1", age=TTL_SECONDS + 0.01))
    intent = Intent(1, "code")
    assert not shop.table.expired(shop.record("i-1", age=TTL_SECONDS * 9, intent=intent))
    dead = shop.record("i-1", age=TTL_SECONDS * 9, intent=intent, last_offset=1)
    assert shop.table.expired(dead)


def test_ttl_waits_for_what_was_put_off(shop: Shop) -> None:
    put_off = Verdict(
        Decision.DEFERRED, Reason.TIMEOUT, Basis.API, put_off=PutOff(1, 1_765_552_507_657)
    )
    over = msgspec.structs.replace(put_off, decision=Decision.PATCHED, put_off=None)
    aged = TTL_SECONDS * 9
    assert not shop.table.expired(shop.record("i-1", age=aged, deferred=(Deferred(4, put_off),)))
    assert shop.table.expired(shop.record("i-1", age=aged, deferred=(Deferred(4, over),)))


def test_many_small_stores(shop: Shop) -> None:
    """Faust's defaults would take gigabytes for a dozen partitions."""
    assert shop.store.rocksdb_options.block_cache_size == BLOCK_CACHE_BYTES
    assert shop.store.rocksdb_options.write_buffer_size == WRITE_BUFFER_BYTES
    assert shop.store.rocksdb_options.ttl is None


def test_the_changelog_is_where_faust_keeps_it(shop: Shop) -> None:
    assert shop.table.changelog == changelog("shop")
