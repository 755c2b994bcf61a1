"""The local stores and the changelog agree, or are made to: whatever becomes of disk and topic."""

from __future__ import annotations

import asyncio
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import rocksdict
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from faust.stores.rocksdb import Store

from streams.kafka.connection import librdkafka_options
from streams.kafka.publisher import KafkaPublisher
from streams.kafka.topics import apply_topics
from streams.settings import Settings
from tests.clusters import RunningKafka
from tests.journey import journey
from tests.oracle import Record, read_all
from tests.workers import WorkerProcess, eventually, free_port, workers

SESSION_SECONDS = 6.0

# What the operator is promised of a worker that can not go on.
END_SECONDS = 30.0

# The file size at which the disk of a test is full. Small enough for a store to get there, large
# enough for the worker's own log.
FULL_BYTES = 48 * 1024


@pytest.fixture
def settings(kafka: RunningKafka, make_settings: Callable[..., Settings]) -> Settings:
    return make_settings(
        kafka_bootstrap_servers=kafka.bootstrap_servers,
        kafka_session_timeout_seconds=SESSION_SECONDS,
        worker_port=free_port(),
        # Its log is a file too, and not to be the one that hits the limit.
        log_level="warning",
    )


def changelog(settings: Settings) -> str:
    return f"{settings.app_id}-interactions-changelog"


def stores(settings: Settings) -> dict[int, Path]:
    """The store of each partition that this worker has ever owned."""
    tables = settings.data_dir / settings.app_id / "stores" / "v1" / "tables"
    return {
        int(path.stem.rpartition("-")[2]): path for path in sorted(tables.glob("interactions-*.db"))
    }


async def assert_stores_agree(settings: Settings) -> int:
    """Each store at rest holds exactly what the changelog says up to the store's own offset.

    Returns how many rows that are.
    """
    history = await read_all(settings, changelog(settings))
    rows = 0
    for partition, path in stores(settings).items():
        options = rocksdict.Options(raw_mode=True)
        options.create_if_missing(False)
        db = rocksdict.Rdict(
            str(path), options=options, access_type=rocksdict.AccessType.read_only()
        )
        held = {bytes(key): bytes(value) for key, value in db.items()}  # type: ignore[arg-type]
        db.close()
        upto = int(held.pop(Store.offset_key, b"-1"))
        told = [at for at in history if at.partition == partition and at.offset <= upto]
        assert held == {at.key: at.value for at in told}, f"partition {partition} at {upto}"
        rows += len(held)
    return rows


async def recreate_changelog(settings: Settings, keep: Callable[[Record], bool]) -> None:
    """Delete it and make it anew with the records to be kept, as a lost tail would leave it."""
    history = await read_all(settings, changelog(settings))
    admin = AdminClient(librdkafka_options(settings))
    for deleted in admin.delete_topics([changelog(settings)]).values():
        deleted.result(20)
    await eventually(
        lambda: changelog(settings) not in admin.list_topics(timeout=10).topics, 20, "it is gone"
    )
    apply_topics(settings)
    publisher = KafkaPublisher(settings, client_id="recreate")
    await publisher.start()
    try:
        for at in filter(keep, history):
            await publisher.publish(
                changelog(settings), key=at.key, value=at.value, partition=at.partition
            )
    finally:
        await publisher.stop()


def the_first(record: Record) -> bool:
    """Faust's own check is blind for a changelog of one record."""
    return record.offset == 0


@contextmanager
def full_disk() -> Iterator[None]:
    """A process started within can write no file beyond a small size, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (FULL_BYTES, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def last_words(worker: WorkerProcess) -> str:
    """The line in which it says why it ended. No traceback may stand above it."""
    assert "Traceback" not in worker.output, worker.output[-6000:]
    last = worker.output.splitlines()[-1]
    assert last.startswith("genesys-streams: ")
    return last


async def test_kill_9(settings: Settings, tmp_path: Path) -> None:
    async with journey(settings, interactions=300, seed=11) as (centre, events):
        with workers({"alone": centre.settings}, tmp_path) as started:
            worker = started["alone"]
            for share in (0, 1, 2):
                worker.start()
                await worker.ready()
                sending = asyncio.create_task(centre.send(events[share::3]))
                applied = centre.simulator.store.patches_applied
                await eventually(
                    lambda before=applied: centre.simulator.store.patches_applied > before + 10,  # type: ignore[misc]
                    30,
                    "busy",
                )
                worker.kill()
                await sending
                assert await assert_stores_agree(centre.settings) > 0


async def test_everything_local_is_deleted_at_rest(settings: Settings, tmp_path: Path) -> None:
    async with journey(settings, interactions=100, seed=12) as (centre, events):
        half = len(events) // 2
        with workers({"alone": centre.settings}, tmp_path) as started:
            worker = started["alone"]
            worker.start()
            await worker.ready()
            await centre.send(events[:half])
            await centre.all_told(60)
            worker.kill()
            shutil.rmtree(settings.data_dir)
            worker.start()
            await worker.ready()
            await centre.send(events[half:])
            await centre.all_told(60)
            await centre.judge()
            assert worker.terminate() == 0
            assert await assert_stores_agree(centre.settings) > 0


async def test_everything_local_is_deleted_under_a_running_worker(
    settings: Settings, tmp_path: Path
) -> None:
    """It works on, or ends for its supervisor to start it again: nothing is lost in either case."""
    async with journey(settings, interactions=100, seed=13) as (centre, events):
        half = len(events) // 2
        with workers({"alone": centre.settings}, tmp_path) as started:
            worker = started["alone"]
            worker.start()
            await worker.ready()
            await centre.send(events[:half])
            await centre.all_told(60)
            shutil.rmtree(settings.data_dir)
            await centre.send(events[half:])
            await centre.all_told(60)
            if worker.exit_code is None:
                worker.terminate()
            assert "Traceback" not in worker.output, worker.output[-6000:]
            worker.start()
            await worker.ready()
            await centre.all_committed(10)
            await centre.judge()
            assert worker.terminate() == 0
            assert await assert_stores_agree(centre.settings) > 0


async def test_the_changelog_has_lost_acknowledged_records(
    settings: Settings, tmp_path: Path
) -> None:
    """Only people can know what is lost with them: it says so at each start, and what to do."""
    async with journey(settings, interactions=100, seed=14) as (centre, events):
        half = len(events) // 2
        with workers({"alone": centre.settings}, tmp_path) as started:
            worker = started["alone"]
            worker.start()
            await worker.ready()
            await centre.send(events[:half])
            await centre.all_told(60)
            assert worker.terminate() == 0
            await recreate_changelog(centre.settings, the_first)
            for _ in range(2):
                worker.start()
                assert await asyncio.to_thread(worker.ended, END_SECONDS) == 1
            line = last_words(worker)
            assert changelog(settings) in line
            paths = line.partition("rm -r ")[2].split()
            assert set(paths) == {str(path) for path in stores(centre.settings).values()}
            for path in paths:
                shutil.rmtree(path)
            worker.start()
            await worker.ready()
            await centre.send(events[half:])
            await centre.all_told(60)
            assert worker.terminate() == 0
            assert max(each["patchesApplied"] for each in centre.counters.values()) == 1


async def test_retention_has_deleted_what_a_worker_missed(
    settings: Settings, tmp_path: Path
) -> None:
    """It was away for longer than the TTL, and the changelog is empty by now: on its old disk and
    on a new one it begins at once."""
    async with journey(settings, interactions=100, seed=15) as (centre, events):
        third = len(events) // 3
        with workers({"alone": centre.settings}, tmp_path) as started:
            worker = started["alone"]
            away = tmp_path / "away"
            for part in (events[:third], events[third : 2 * third]):
                worker.start()
                await worker.ready()
                await centre.send(part)
                await centre.all_told(60)
                assert worker.terminate() == 0
                if not away.exists():
                    shutil.copytree(settings.data_dir, away)
            delete_up_to_the_end(centre.settings)
            for disk in (away, tmp_path / "new"):
                shutil.rmtree(settings.data_dir)
                if disk.exists():
                    shutil.copytree(disk, settings.data_dir)
                worker.start()
                await worker.ready()
                if disk is not away:
                    await centre.send(events[2 * third :])
                    await centre.all_told(60)
                assert worker.terminate() == 0
            assert max(each["patchesApplied"] for each in centre.counters.values()) == 1
            assert await assert_stores_agree(centre.settings) > 0


def delete_up_to_the_end(settings: Settings) -> None:
    admin = AdminClient(librdkafka_options(settings))
    partitions = admin.list_topics(changelog(settings), 10).topics[changelog(settings)].partitions
    # -1: up to the end.
    places = [TopicPartition(changelog(settings), number, -1) for number in partitions]
    for deleted in admin.delete_records(places).values():
        deleted.result(20)


async def test_a_full_disk(settings: Settings, tmp_path: Path) -> None:
    async with journey(settings, interactions=200, seed=16) as (centre, events):
        with workers({"alone": centre.settings}, tmp_path) as started:
            worker = started["alone"]
            with full_disk():
                worker.start()
            await worker.ready()
            await centre.send(events)
            assert await asyncio.to_thread(worker.ended, 60) == 1
            line = last_words(worker)
            assert "DATA_DIR" in line
            assert str(settings.data_dir) in line
            assert "space" in line
            worker.start()
            await worker.ready()
            await centre.all_told(60)
            await centre.all_committed(10)
            await centre.judge()
            assert worker.terminate() == 0
            assert await assert_stores_agree(centre.settings) > 0


async def test_a_disk_that_is_full_while_the_table_is_restored(
    settings: Settings, tmp_path: Path
) -> None:
    async with journey(settings, interactions=300, seed=17) as (centre, events):
        with workers({"alone": centre.settings}, tmp_path) as started:
            worker = started["alone"]
            worker.start()
            await worker.ready()
            await centre.send(events)
            await centre.all_told(60)
            assert worker.terminate() == 0
            shutil.rmtree(settings.data_dir)
            with full_disk():
                worker.start()
            assert await asyncio.to_thread(worker.ended, END_SECONDS) == 1
            line = last_words(worker)
            assert "DATA_DIR" in line
            assert "space" in line
            worker.start()
            await worker.ready()
            assert worker.terminate() == 0
            assert await assert_stores_agree(centre.settings) == 300


async def test_a_damaged_store(settings: Settings, tmp_path: Path) -> None:
    """It is read again from the changelog, by the worker itself."""
    async with journey(settings, interactions=60, seed=18) as (centre, events):
        half = len(events) // 2
        with workers({"alone": centre.settings}, tmp_path) as started:
            worker = started["alone"]
            worker.start()
            await worker.ready()
            await centre.send(events[:half])
            await centre.all_told(60)
            worker.kill()
            for store in stores(settings).values():
                for manifest in store.glob("MANIFEST-*"):
                    manifest.write_bytes(manifest.read_bytes()[::-1])
            worker.start()
            await worker.ready()
            await centre.send(events[half:])
            await centre.all_told(60)
            await centre.judge()
            centre.assert_no_call_wasted()
            assert worker.terminate() == 0
            assert "a store is thrown away" in worker.output
            assert await assert_stores_agree(centre.settings) > 0
