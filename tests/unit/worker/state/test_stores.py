"""The stores on disk: damaged, outdated, ahead of their changelog, and on a disk that fails."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import faust
import pytest
from faust.stores.rocksdb import Store
from faust.types import TP

from streams.errors import StoreError
from streams.worker.partitions.offset_range import OffsetRange
from streams.worker.state.stores import InteractionStore, StoredTable
from tests.support.fetched import Fetched, in_one_run

A, B = TP("shop-interactions-changelog", 0), TP("shop-interactions-changelog", 1)

# More than one block of a table file, so that damage in the middle is nobody's header.
KEYS = 400


def opened(datadir: Path) -> InteractionStore:
    """The stores as the worker's next life finds them."""
    app = faust.App(
        "shop",
        broker="kafka://127.0.0.1:1",
        store="rocksdb://",
        datadir=str(datadir),
        autodiscover=False,
        Table=StoredTable,
    )
    table = app.Table("interactions", key_type=bytes, value_type=bytes, partitions=2)
    store = table.data
    assert isinstance(store, InteractionStore)
    store.path.mkdir(parents=True, exist_ok=True)
    return store


def run(tp: TP, *records: Fetched) -> Any:
    """The event that Faust makes of a run of the changelog."""
    message = in_one_run(tp, *records)
    return SimpleNamespace(message=message, value=message.value)


def closed(store: InteractionStore) -> None:
    for db in store._dbs.values():
        db.close()
    store._dbs.clear()


def filled(datadir: Path, *, upto: int = 40) -> Path:
    """A store at rest with KEYS records, applied up to that offset; where it is."""
    store = opened(datadir)
    with store.using(0) as db:
        for number in range(KEYS):
            db.put(b"i-%d" % number, b"v" * 100)
        db.flush()
    store.set_persisted_offset(A, upto)
    closed(store)
    return Path(store.partition_path(0))


def garble(path: Path) -> None:
    path.write_bytes(bytes(byte ^ 0x5A for byte in path.read_bytes()))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def spoil_the_index(path: Path) -> None:
    """One bad sector behind the data of a table file, where RocksDB looks when it opens the
    file."""
    content = bytearray(path.read_bytes())
    at = len(content) - 150
    content[at : at + 8] = bytes(byte ^ 0x5A for byte in content[at : at + 8])
    path.write_bytes(content)


# A process of its own, for a process never meets its own lock on a file.
LOCK_IT = """
import fcntl, sys
with open(sys.argv[1], "w") as file:
    fcntl.lockf(file, fcntl.LOCK_EX)
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def lock_elsewhere() -> Iterator[Callable[[Path], None]]:
    """Has another process lock a file until the test is over."""
    others: list[subprocess.Popen[bytes]] = []

    def lock(path: Path) -> None:
        other = subprocess.Popen(
            [sys.executable, "-c", LOCK_IT, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        others.append(other)
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"

    yield lock
    for other in others:
        other.communicate()


@pytest.mark.parametrize("damage", [garble, cut, Path.unlink])
@pytest.mark.parametrize("files", ["MANIFEST-*", "*.sst", "CURRENT"])
def test_a_damaged_store_is_thrown_away(
    files: str, damage: Callable[[Path], None], tmp_path: Path
) -> None:
    damaged = list(filled(tmp_path).glob(files))
    assert damaged
    for path in damaged:
        damage(path)

    store = opened(tmp_path)

    assert store.begin_restoration({A: OffsetRange(0, 41)}) == {A: -1}
    with store.using(0) as db:
        assert db.get(b"i-1") is None
    assert store.failure is None


@pytest.mark.parametrize(
    ("directory", "damage"), [("plain", spoil_the_index), ("block-volume", Path.unlink)]
)
def test_damage_whose_message_has_the_word_lock_in_it_is_damage(
    directory: str, damage: Callable[[Path], None], tmp_path: Path
) -> None:
    """RocksDB's checksums are of blocks, and its messages name the path. Faust would try again for
    half a minute, at every start."""
    datadir = tmp_path / directory
    datadir.mkdir()
    damage(max(filled(datadir).glob("*.sst"), key=lambda path: path.stat().st_size))
    store = opened(datadir)
    with pytest.raises(Exception, match=r"^Corruption: .*lock"):
        Store._open_for_partition(store, 0)

    store._db_for_partition(0)  # as Faust does at an assignment

    assert store.failure is None
    assert store.begin_restoration({A: OffsetRange(0, 41)}) == {A: -1}


def test_damage_that_can_not_be_removed_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not tried again for half a minute, whatever words RocksDB has for it."""
    spoil_the_index(max(filled(tmp_path).glob("*.sst"), key=lambda path: path.stat().st_size))
    monkeypatch.setattr("shutil.rmtree", lambda path, ignore_errors: None)
    store = opened(tmp_path)

    with pytest.raises(StoreError, match=r"cannot use .* Corruption"):
        store._db_for_partition(0)

    assert store.failure is not None


def test_damage_that_is_found_late_ends_this_life_and_not_the_next(tmp_path: Path) -> None:
    """One block of a table file: the store opens, and the block is read when it is asked for."""
    table = max(filled(tmp_path).glob("*.sst"), key=lambda path: path.stat().st_size)
    content = bytearray(table.read_bytes())
    content[100:110] = bytes(10)
    table.write_bytes(content)
    store = opened(tmp_path)
    assert store.begin_restoration({A: OffsetRange(0, 41)}) == {A: 40}

    with (
        pytest.raises(StoreError, match=r"DATA_DIR: cannot use .* Corruption"),
        store.using(0) as db,
    ):
        for number in range(KEYS):
            db.get(b"i-%d" % number)

    # Nothing that it would miss now may pass for unknown.
    with pytest.raises(StoreError), store.using(0):
        pass
    assert opened(tmp_path).begin_restoration({A: OffsetRange(0, 41)}) == {A: -1}


def test_a_disk_that_fails_keeps_the_store(tmp_path: Path) -> None:
    filled(tmp_path)
    store = opened(tmp_path)

    with pytest.raises(StoreError, match=r"No space left.*free space"), store.using(0):
        raise Exception("IO error: No space left on device: While appending to file")

    assert isinstance(store.failure, StoreError)
    closed(store)
    assert opened(tmp_path).begin_restoration({A: OffsetRange(0, 41)}) == {A: 40}


def test_a_store_that_can_not_be_opened_is_reported_and_kept(tmp_path: Path) -> None:
    """Whoever asks, Faust as well: the operator reads which directory it is."""
    path = filled(tmp_path)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to("/dev/full")
    store = opened(tmp_path)

    with pytest.raises(StoreError, match="cannot use"):
        store._db_for_partition(0)

    assert store.failure is not None
    assert str(path) in str(store.failure)


def test_a_store_still_locked_is_left_to_faust(tmp_path: Path) -> None:
    """It has let it go a moment ago, and opens it again once it is collected."""
    filled(tmp_path)
    first, second = opened(tmp_path), opened(tmp_path)
    with first.using(0):
        pass

    with pytest.raises(Exception, match="lock") as refused:
        second._db_for_partition(0)

    assert not isinstance(refused.value, StoreError)
    assert second.failure is None
    closed(first)
    assert second.begin_restoration({A: OffsetRange(0, 41)}) == {A: 40}


def test_a_store_locked_by_another_process_is_left_to_faust(
    tmp_path: Path, lock_elsewhere: Callable[[Path], None]
) -> None:
    lock_elsewhere(filled(tmp_path) / "LOCK")
    store = opened(tmp_path)

    with pytest.raises(Exception, match="While lock file") as refused:
        store._db_for_partition(0)

    assert not isinstance(refused.value, StoreError)
    assert store.failure is None


def test_a_lock_that_can_not_be_made_is_reported(tmp_path: Path) -> None:
    """Nobody has it, so nobody lets it go: to try again would be in vain."""
    lock = filled(tmp_path) / "LOCK"
    lock.unlink()
    lock.mkdir()
    store = opened(tmp_path)

    with pytest.raises(StoreError, match=r"cannot use .*/LOCK: Is a directory"):
        store._db_for_partition(0)

    assert store.failure is not None


def test_a_disk_that_fails_in_a_recovery_is_reported(tmp_path: Path) -> None:
    """Faust goes on as if the batch had been written; nobody else may."""
    store = opened(tmp_path)
    (Path(store.partition_path(0))).write_text("in the way")

    store.apply_changelog_batch([run(A, Fetched(3, b"v"))], bytes, bytes)

    assert isinstance(store.failure, StoreError)
    with pytest.raises(StoreError), store.using(1):
        pass


def test_a_restored_store_has_the_runs_and_the_last_offset_of_each(tmp_path: Path) -> None:
    store = opened(tmp_path)

    store.apply_changelog_batch(
        [
            run(A, Fetched(3, b"old", b"i-1"), Fetched(4, b"v", b"i-2"), Fetched(7, b"v", b"i-3")),
            run(B, Fetched(1, b"elsewhere", b"i-1")),
            run(A, Fetched(8, b"new", b"i-1"), Fetched(9, None, b"i-2")),
        ],
        bytes,
        bytes,
    )

    with store.using(0) as db:
        assert [db.get(key) for key in (b"i-1", b"i-2", b"i-3")] == [b"new", None, b"v"]
    with store.using(1) as db:
        assert db.get(b"i-1") == b"elsewhere"
    assert (store.persisted_offset(A), store.persisted_offset(B)) == (9, 1)
    assert store.failure is None


def test_a_record_of_the_changelog_without_a_key_is_nobodys(tmp_path: Path) -> None:
    """Another producer wrote it. Its offset counts, or it would be read again for ever."""
    store = opened(tmp_path)

    store.apply_changelog_batch(
        [run(A, Fetched(0, b"v", b"i-1"), Fetched(1, b"v", None))], bytes, bytes
    )

    assert store.persisted_offset(A) == 1
    with store.using(0) as db:
        assert db.get(b"i-1") == b"v"


def test_what_a_disk_does_not_take_moves_no_offset(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.apply_changelog_batch([run(A, Fetched(0, b"v"))], bytes, bytes)
    closed(store)
    path = Path(store.partition_path(0))
    path.rename(tmp_path / "elsewhere")
    path.write_text("in the way")

    store.apply_changelog_batch([run(A, Fetched(1, b"v"))], bytes, bytes)

    assert isinstance(store.failure, StoreError)
    path.unlink()
    (tmp_path / "elsewhere").rename(path)
    assert opened(tmp_path).persisted_offset(A) == 0


def test_what_is_applied_is_not_read_again(tmp_path: Path) -> None:
    filled(tmp_path, upto=40)

    assert opened(tmp_path).begin_restoration({A: OffsetRange(41, 90), B: OffsetRange(0, 12)}) == {
        A: 40,
        B: -1,
    }


def test_a_store_that_the_changelog_has_forgotten_is_thrown_away(tmp_path: Path) -> None:
    filled(tmp_path, upto=40)
    store = opened(tmp_path)

    assert store.begin_restoration({A: OffsetRange(42, 90)}) == {A: 41}

    assert store.persisted_offset(A) == 41
    with store.using(0) as db:
        assert db.get(b"i-1") is None


def test_an_empty_store_begins_where_the_changelog_does(tmp_path: Path) -> None:
    """All of it gone by retention: there is nothing to wait for, and what comes is contiguous."""
    store = opened(tmp_path)

    assert store.begin_restoration({A: OffsetRange(90, 90)}) == {A: 89}
    assert store.persisted_offset(A) == 89


@pytest.mark.parametrize("end", [0, 1, 40])
def test_a_changelog_that_lost_what_the_store_has_stops_the_worker(
    end: int, tmp_path: Path
) -> None:
    path = filled(tmp_path, upto=40)
    store = opened(tmp_path)

    with pytest.raises(StoreError) as refused:
        store.begin_restoration({A: OffsetRange(0, end), B: OffsetRange(0, 0)})

    said = str(refused.value)
    assert f"{A.topic}/0 ends at offset {end} and has been applied up to 40" in said
    assert said.endswith(f"rm -r {path}")
    assert store.failure is refused.value
    assert f"{B.topic}/1" not in said


def test_it_says_which_changelogs_it_does_not_have_to_their_ends(tmp_path: Path) -> None:
    filled(tmp_path)  # up to offset 40
    store = opened(tmp_path)
    assert store.unrestored({A: 41}) == {}
    assert store.unrestored({A: 42}) == {A: 40}
    another = TP(A.topic, 1)
    assert store.unrestored({A: 41, another: 0}) == {}
    assert store.unrestored({A: 45, another: 1}) == {A: 40, another: -1}


def test_a_store_that_has_failed_does_not_pass_for_restored(tmp_path: Path) -> None:
    filled(tmp_path)
    store = opened(tmp_path)
    with pytest.raises(StoreError), store.using(0):
        raise Exception("IO error: No space left on device: While appending to file")
    with pytest.raises(StoreError):
        store.unrestored({A: 41})
