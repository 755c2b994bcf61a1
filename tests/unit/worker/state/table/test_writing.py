"""What is in the table's store, and when, beside what its changelog has."""

from __future__ import annotations

import asyncio

import pytest

from streams.core.records import Intent, decode_record
from streams.errors import OwnershipLost, PublishError, StoreError
from streams.worker.state.table import BLOCK_CACHE_BYTES, TABLE_NAME, WRITE_BUFFER_BYTES, changelog
from tests.support.event_loop import until_idle
from tests.support.interaction_stores import PARTITION, Shop


async def test_what_is_put_can_be_got(shop: Shop) -> None:
    record = shop.record("i-1", intent=Intent(4, "code"))
    await shop.put(record)

    assert shop.get("i-1") == record
    assert shop.get("i-2") is None
    assert shop.table.get(PARTITION + 1, "i-1") is None
    (queued,) = shop.changelog.queued
    (message,) = queued.messages
    assert (message.key, message.partition) == (b"i-1", PARTITION)
    assert message.headers == (("worker.generation", b"1"),)
    assert message.value is not None
    assert decode_record(message.value) == record
    assert message.topic == shop.table.changelog == f"shop-{TABLE_NAME}-changelog"


async def test_nothing_is_in_the_store_before_the_changelog_has_it(shop: Shop) -> None:
    shop.changelog.at_once = False
    putting = asyncio.create_task(shop.put(shop.record("i-1")))
    await until_idle()
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
    await until_idle()

    for number in range(4):
        shop.changelog.acknowledge(number)
        await until_idle()
        assert shop.persisted == number
        there = [shop.get(f"i-{other}") is not None for other in range(4)]
        assert there == [other <= number for other in range(4)]
    await asyncio.gather(*puts)


async def test_those_put_together_are_in_the_store_run_by_run(shop: Shop) -> None:
    """Wherever the worker is killed, the store claims no offset whose value it lacks."""
    shop.changelog.at_once, shop.changelog.longest = False, 2
    putting = asyncio.create_task(
        shop.put_all(*(shop.record(f"i-{number}") for number in range(3)))
    )
    await until_idle()
    assert [len(queued.messages) for queued in shop.changelog.queued] == [2, 1]

    shop.changelog.acknowledge(0)
    await until_idle()
    assert [shop.get(f"i-{number}") is not None for number in range(3)] == [True, True, False]
    assert (shop.persisted, putting.done()) == (1, False)

    shop.changelog.acknowledge(1)
    await putting
    assert shop.get("i-2") is not None
    assert (shop.persisted, shop.table.size) == (2, 3)


async def test_of_those_put_together_what_was_acknowledged_is_kept(shop: Shop) -> None:
    """One run is refused, and the worker ends; the store agrees with the changelog all the same."""
    shop.changelog.at_once, shop.changelog.longest = False, 1
    putting = asyncio.create_task(shop.put_all(shop.record("i-1"), shop.record("i-2")))
    await until_idle()

    shop.changelog.refuse(1)
    with pytest.raises(PublishError, match="no in-sync replicas"):
        await putting
    shop.changelog.acknowledge(0)
    await until_idle()

    assert shop.get("i-1") is not None
    assert shop.get("i-2") is None
    assert shop.persisted == 0


async def test_what_the_changelog_refused_is_not_in_the_store(shop: Shop) -> None:
    shop.changelog.at_once = False
    putting = asyncio.create_task(shop.put(shop.record("i-1")))
    await until_idle()

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
    await until_idle()
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
    await until_idle()

    abandoned.cancel()
    await until_idle()
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


def test_many_small_stores(shop: Shop) -> None:
    """Faust's defaults would take gigabytes for a dozen partitions."""
    assert shop.store.rocksdb_options.block_cache_size == BLOCK_CACHE_BYTES
    assert shop.store.rocksdb_options.write_buffer_size == WRITE_BUFFER_BYTES
    assert shop.store.rocksdb_options.ttl is None


def test_the_changelog_is_where_faust_keeps_it(shop: Shop) -> None:
    assert shop.table.changelog == changelog("shop")
