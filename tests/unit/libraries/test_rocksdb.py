"""Why interactions are not forgotten by RocksDB's own TTL."""

from __future__ import annotations

from pathlib import Path

from faust.stores.rocksdb import RocksDBOptions, Store

from tests.support.workers import eventually


def test_switched_on_for_an_existing_store_it_cuts_the_values(tmp_path: Path) -> None:
    store = RocksDBOptions().open(tmp_path)
    store[b"i-1"] = b"a value"
    store.close()
    store = RocksDBOptions(ttl=3600).open(tmp_path)
    assert store[b"i-1"] == b"a v"
    store.close()


async def test_it_forgets_fausts_offset_too(tmp_path: Path) -> None:
    store = RocksDBOptions(ttl=1).open(tmp_path)
    store[Store.offset_key] = b"7"

    def is_gone() -> bool:
        store.flush()
        store.compact_range(None, None)
        return Store.offset_key not in store

    await eventually(is_gone, 20, "the offset of a store that idles is gone")
    store.close()
