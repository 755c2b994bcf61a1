"""The local stores and the changelog agree, or are made to: whatever becomes of disk and topic."""

from __future__ import annotations

import asyncio
import resource
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import rocksdict
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from faust.stores.rocksdb import Store

from streams.kafka.connection import librdkafka_options
from streams.kafka.message import Message
from streams.kafka.publisher import KafkaPublisher
from streams.kafka.topics import apply_topics
from streams.settings import Settings
from streams.worker.state.datadir import ORIGIN
from streams.worker.state.table import changelog
from tests.support.clusters import RunningKafka
from tests.support.journey import Journey, journey
from tests.support.oracle import Record, read_all
from tests.support.workers import WorkerProcess, eventually, free_port, workers

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
    history = await read_all(settings, changelog(settings.app_id))
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
        written = [at for at in history if at.partition == partition and at.offset <= upto]
        assert held == {at.key: at.value for at in written}, f"partition {partition} at {upto}"
        rows += len(held)
    return rows


async def recreate_changelog(settings: Settings, keep: Callable[[Record], bool]) -> None:
    """Delete it and make it anew with the records to be kept, as a lost tail would leave it."""
    history = await read_all(settings, changelog(settings.app_id))
    admin = AdminClient(librdkafka_options(settings.kafka))
    for deleted in admin.delete_topics([changelog(settings.app_id)]).values():
        deleted.result(20)
    await eventually(
        lambda: changelog(settings.app_id) not in admin.list_topics(timeout=10).topics,
        20,
        "it is gone",
    )
    apply_topics(settings.kafka)
    publisher = KafkaPublisher(settings.kafka, client_id="recreate")
    await publisher.start()
    try:
        for at in filter(keep, history):
            await publisher.publish(
                Message(
                    changelog(settings.app_id), key=at.key, value=at.value, partition=at.partition
                )
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


def delete_up_to_the_end(settings: Settings) -> None:
    """What retention does to a topic that nobody has written to for so long."""
    admin, topic = AdminClient(librdkafka_options(settings.kafka)), changelog(settings.app_id)
    partitions = admin.list_topics(topic, 10).topics[topic].partitions
    # -1: up to the end.
    places = [TopicPartition(topic, number, -1) for number in partitions]
    for deleted in admin.delete_records(places).values():
        deleted.result(20)


class Scene:
    """One worker, and the events of a journey that it is sent bit by bit."""

    def __init__(self, centre: Journey, events: list[dict[str, Any]], worker: WorkerProcess):
        self.centre = centre
        self.events = events
        self.total = len(events)
        self.worker = worker

    async def begin(self) -> None:
        self.worker.start()
        await self.worker.ready()

    async def send(self, share: float) -> None:
        """That share of the events, the next ones; returns once they are published."""
        count = round(share * self.total)
        part, self.events = self.events[:count], self.events[count:]
        await self.centre.send(part)
        await self.centre.all_published(60)

    async def ends(self) -> str:
        """The line in which it says why it has ended. No traceback may stand above it."""
        assert await asyncio.to_thread(self.worker.ended, END_SECONDS) == 1
        assert "Traceback" not in self.worker.output, self.worker.output[-6000:]
        last = self.worker.output.splitlines()[-1]
        assert last.startswith("genesys-streams: ")
        return last


@asynccontextmanager
async def scene(settings: Settings, logs: Path, interactions: int = 100) -> AsyncIterator[Scene]:
    async with journey(settings, interactions=interactions, seed=11) as (centre, events):
        with workers({"alone": centre.settings}, logs) as started:
            yield Scene(centre, events, started["alone"])


async def assert_all_is_well(at: Scene) -> None:
    """All is published as the model says, nobody PATCHed twice, and what is on the disk is true."""
    await at.centre.all_published(60)
    await at.centre.all_committed(10)
    await at.centre.judge()
    assert at.worker.terminate() == 0
    assert await assert_stores_agree(at.centre.settings) > 0


async def test_kill_9(settings: Settings, tmp_path: Path) -> None:
    async with scene(settings, tmp_path, interactions=300) as at:
        for share in (0, 1, 2):
            await at.begin()
            sending = asyncio.create_task(at.centre.send(at.events[share::3]))
            enough = at.centre.simulator.store.patches_applied + 10

            def busy(enough: int = enough) -> bool:
                return at.centre.simulator.store.patches_applied > enough

            await eventually(busy, 30, "it is busy")
            at.worker.kill()
            await sending
            assert await assert_stores_agree(at.centre.settings) > 0


async def test_everything_local_is_deleted_at_rest(settings: Settings, tmp_path: Path) -> None:
    async with scene(settings, tmp_path) as at:
        await at.begin()
        await at.send(0.5)
        at.worker.kill()
        shutil.rmtree(settings.data_dir)
        await at.begin()
        await at.send(0.5)
        await assert_all_is_well(at)


async def test_everything_local_is_deleted_under_a_running_worker(
    settings: Settings, tmp_path: Path
) -> None:
    """It works on, for as long as it need not write there."""
    async with scene(settings, tmp_path) as at:
        await at.begin()
        await at.send(0.5)
        shutil.rmtree(settings.data_dir)
        await at.send(0.25)
        at.worker.terminate()
        assert "Traceback" not in at.worker.output, at.worker.output[-6000:]
        await at.begin()
        await at.send(0.25)
        await assert_all_is_well(at)


async def test_the_changelog_has_lost_acknowledged_records(
    settings: Settings, tmp_path: Path
) -> None:
    """Only people can know what is lost with them: it says so at each start, and what to do."""
    async with scene(settings, tmp_path) as at:
        await at.begin()
        await at.send(0.5)
        assert at.worker.terminate() == 0
        await recreate_changelog(at.centre.settings, the_first)
        # As if it were the same topic still: an unclean election leaves it its id.
        (settings.data_dir / settings.app_id / ORIGIN).unlink()
        for _ in range(2):
            at.worker.start()
            line = await at.ends()
        assert changelog(settings.app_id) in line
        paths = line.partition("rm -r ")[2].split()
        assert set(paths) == {str(path) for path in stores(at.centre.settings).values()}
        for path in paths:
            shutil.rmtree(path)
        await at.begin()
        await at.send(0.5)
        assert at.worker.terminate() == 0
        assert max(each["patchesApplied"] for each in at.centre.counters.values()) == 1


async def test_a_changelog_made_anew_is_read_anew(settings: Settings, tmp_path: Path) -> None:
    """Its id says so: what the stores have of the one before is not mixed into it."""
    async with scene(settings, tmp_path) as at:
        await at.begin()
        await at.send(0.5)
        assert at.worker.terminate() == 0
        await recreate_changelog(at.centre.settings, lambda _record: True)
        await at.begin()
        await at.send(0.5)
        await assert_all_is_well(at)
        assert at.worker.output.count("they are thrown away") == 1


async def test_retention_has_deleted_what_a_worker_missed(
    settings: Settings, tmp_path: Path
) -> None:
    """It was away for longer than the TTL, and the changelog is empty by now: on its old disk and
    on a new one it begins at once."""
    async with scene(settings, tmp_path) as at:
        before = tmp_path / "before"
        for _ in range(2):
            await at.begin()
            await at.send(0.3)
            assert at.worker.terminate() == 0
            if not before.exists():
                shutil.copytree(settings.data_dir, before)
        delete_up_to_the_end(at.centre.settings)
        shutil.rmtree(settings.data_dir)
        shutil.copytree(before, settings.data_dir)
        await at.begin()
        assert at.worker.terminate() == 0
        shutil.rmtree(settings.data_dir)
        await at.begin()
        await at.send(0.4)
        assert at.worker.terminate() == 0
        assert max(each["patchesApplied"] for each in at.centre.counters.values()) == 1
        assert await assert_stores_agree(at.centre.settings) > 0


async def test_a_full_disk(settings: Settings, tmp_path: Path) -> None:
    async with scene(settings, tmp_path, interactions=200) as at:
        with full_disk():
            at.worker.start()
        await at.worker.ready()
        await at.centre.send(at.events)
        line = await at.ends()
        assert f"DATA_DIR: cannot use {settings.data_dir.absolute()}" in line
        assert "free space" in line
        await at.begin()
        await assert_all_is_well(at)


async def test_a_disk_that_is_full_while_the_table_is_restored(
    settings: Settings, tmp_path: Path
) -> None:
    async with scene(settings, tmp_path, interactions=300) as at:
        await at.begin()
        await at.send(1.0)
        assert at.worker.terminate() == 0
        shutil.rmtree(settings.data_dir)
        with full_disk():
            at.worker.start()
        assert "free space" in await at.ends()
        await at.begin()
        assert at.worker.terminate() == 0
        assert await assert_stores_agree(at.centre.settings) == 300


async def test_a_damaged_store(settings: Settings, tmp_path: Path) -> None:
    """It is read again from the changelog, by the worker itself."""
    async with scene(settings, tmp_path) as at:
        await at.begin()
        await at.send(0.5)
        at.worker.kill()
        for store in stores(settings).values():
            for manifest in store.glob("MANIFEST-*"):
                manifest.write_bytes(manifest.read_bytes()[::-1])
        await at.begin()
        await at.send(0.5)
        await assert_all_is_well(at)
        at.centre.assert_no_call_wasted()
        assert "a store is thrown away" in at.worker.output
