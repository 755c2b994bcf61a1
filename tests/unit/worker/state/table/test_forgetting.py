"""What the table forgets, and how many interactions it has."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from streams.core.records import Basis, Decision, Deferred, Intent, PutOff, Reason, Verdict
from streams.errors import OwnershipLost
from streams.worker.state.table import SCAN_CHUNK
from tests.support.event_loop import until_idle
from tests.support.interaction_stores import PARTITION, TTL_SECONDS, Shop

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
    await until_idle()

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
