"""Bytes that no program can read: the worker says where they are, and goes on when told to.

The page docs/unreadable-records.md is walked: its line, its commands, its variable.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from streams.kafka import codecs
from streams.kafka.partitioner import partition_of
from streams.settings import Settings
from tests.support.clusters import KafkaCluster, RunningKafka, kafka_cluster
from tests.support.journey import Journey, journey
from tests.support.oracle import outcomes_by_place, read_all
from tests.support.raw_records import (
    KNOWN_CODECS,
    Codec,
    RawRecord,
    batch,
    encoded_record,
    produce_raw,
    stored_batches,
)
from tests.support.workers import WorkerProcess, eventually, free_port, workers

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "unreadable-records.md").read_text()

# What the operator is promised.
END_SECONDS = 30.0

MakeSettings = Callable[..., Settings]
# Older ones the broker deletes after a while.
NOW = int(time.time() * 1000)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    """One whose disk may be spoilt."""
    with kafka_cluster(tmp_path_factory.mktemp("spoilt"), nodes=1) as made:
        yield made


def record_of(event: dict[str, Any], *headers: tuple[bytes, bytes | None]) -> RawRecord:
    key = event["detail"]["interactionId"].encode()
    return RawRecord(key, msgspec.json.encode(event), headers, NOW)


async def send(
    centre: Journey, events: list[dict[str, Any]], partition: int, **options: Any
) -> None:
    """One batch of them."""
    records = [record_of(each, (b"\xff\xfe odd", b"x"), (b"none", None)) for each in events]
    first = await put(centre, partition, batch(records, **options))
    for number, event in enumerate(events):
        centre.sent[(partition, first + number)] = event


async def put(centre: Journey, partition: int, made: bytes) -> int:
    topic = centre.settings.topics.events
    servers = centre.settings.kafka_bootstrap_servers
    (first,) = await produce_raw(servers, topic, partition, [made])
    return first


def of_one_partition(events: list[dict[str, Any]]) -> tuple[int, list[dict[str, Any]]]:
    """The events of the interactions that share the first one's partition."""
    place = partition_of(events[0]["detail"]["interactionId"].encode(), 12)
    return place, [
        each
        for each in events
        if partition_of(each["detail"]["interactionId"].encode(), 12) == place
    ]


async def test_every_codec_and_any_header_name_is_decided(
    kafka: RunningKafka, make_settings: MakeSettings, tmp_path: Path
) -> None:
    settings = make_settings(
        kafka_bootstrap_servers=kafka.bootstrap_servers, worker_port=free_port()
    )
    async with journey(settings, interactions=40, seed=31) as (centre, all_of_them):
        place, events = of_one_partition(all_of_them)
        each = -(-len(events) // len(KNOWN_CODECS))
        for number, codec in enumerate(KNOWN_CODECS):
            if some := events[number * each : (number + 1) * each]:
                await send(centre, some, place, codec=codec)
        with workers({"alone": centre.settings}, tmp_path) as started:
            started["alone"].start()
            await started["alone"].ready()
            await centre.all_published(30)
            await centre.judge()
            assert started["alone"].terminate() == 0
        assert "can not be read" not in started["alone"].output


@pytest.mark.parametrize("codec", ["zstd", "snappy", "lz4", "gzip"])
async def test_a_topic_that_compresses(
    kafka: RunningKafka,
    make_settings: MakeSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    codec: str,
) -> None:
    """Worker, outcomes and replay read it; without the library, `topics check` and the start say
    so."""
    settings = make_settings(
        kafka_bootstrap_servers=kafka.bootstrap_servers, worker_port=free_port()
    )
    async with journey(settings, interactions=3, seed=32) as (centre, events):
        for topic in (settings.topics.events, settings.topics.outcomes):
            compress(settings, topic, codec)
        await centre.send(events)
        with workers({"alone": centre.settings}, tmp_path) as started:
            worker = started["alone"]
            worker.start()
            await worker.ready()
            await centre.all_published(30)
            await centre.judge()
            assert worker.terminate() == 0
            for command in (["outcomes", "--json"], ["replay", "--from", "2020-01-01T00:00:00Z"]):
                worker.start("streams", *command)
                assert await asyncio.to_thread(worker.ended, END_SECONDS) == 0, worker.output[
                    -2000:
                ]
            if codec == "gzip":
                return
            without = ("-c", WITHOUT_LIBRARY)
            for command in (["topics", "check"], ["worker"]):
                done = await asyncio.to_thread(worker.run, *without, *command)
                assert done.returncode == 1
                assert f"compression.type is {codec}" in done.stdout + done.stderr
                assert "Traceback" not in done.stderr
    assert codecs.is_readable(codec)


WITHOUT_LIBRARY = """
import sys
sys.modules["cramjam"] = None
from streams.cli.main import main
main()
"""


def compress(settings: Settings, topic: str, codec: str) -> None:
    resource = ConfigResource(
        ResourceType.TOPIC,
        topic,
        incremental_configs=[
            ConfigEntry("compression.type", codec, incremental_operation=AlterConfigOpType.SET)
        ],
    )
    admin = AdminClient({"bootstrap.servers": settings.kafka_bootstrap_servers})
    admin.incremental_alter_configs([resource])[resource].result()


def line_of(worker: WorkerProcess) -> str:
    (line,) = {each for each in worker.output.splitlines() if "can not be read" in each}
    assert "Traceback" not in worker.output
    return line


async def test_a_flipped_byte_on_the_disk_the_page_walked(
    cluster: KafkaCluster, make_settings: MakeSettings, tmp_path: Path
) -> None:
    settings = make_settings(
        kafka_bootstrap_servers=cluster.bootstrap_servers, worker_port=free_port()
    )
    async with journey(settings, interactions=60, seed=33) as (centre, events):
        topic = settings.topics.events
        place, mine = of_one_partition(events)
        others = [each for each in events if each not in mine]
        await send(centre, mine[:2], place)
        bad = await put(centre, place, batch([RawRecord(timestamp=NOW, value=b"bad")] * 3))
        await send(centre, mine[2:], place, codec=Codec.ZSTD)
        await centre.send(others)
        await asyncio.to_thread(cluster.stop)
        (spoilt,) = [
            each
            for each in stored_batches(cluster.data(1), topic, place)
            if each.first_offset == bad
        ]
        spoilt.flip(-5)
        content = spoilt.segment.read_bytes()[spoilt.begins_at :][: spoilt.size]
        await asyncio.to_thread(cluster.heal)
        named = ",".join(f"{topic}/{place}/{offset}" for offset in range(bad, bad + 3))

        with workers({"alone": centre.settings}, tmp_path) as started:
            worker = started["alone"]
            worker.start()
            assert await asyncio.to_thread(worker.ended, END_SECONDS) == 1
            line = line_of(worker)
        said = f"{topic}/{place}: offsets {bad} to {bad + 2} can not be read"
        assert said in line
        assert f"SKIP_RECORDS {named} and start again" in line
        as_on_page = re.search(r"^genesys\.interaction\.events/3: .*$", PAGE, re.M)
        assert as_on_page is not None
        assert as_on_page[0].partition("can not be read: ")[2].partition(".")[0] in line

        # The tool itself is not among the broker's jars; that it is shown the right file is.
        (looked,) = re.findall(r"^kafka-dump-log\.sh .* --files (\S+)$", PAGE, re.M)
        page_place = looked.replace("genesys.interaction.events-3", f"{topic}-{place}")
        assert str(spoilt.segment).endswith(f"/data/{page_place}")

        part = centre.settings.model_copy(update={"skip_records": named.rpartition(",")[0]})
        with workers({"part": part}, tmp_path) as started:
            started["part"].start()
            assert await asyncio.to_thread(started["part"].ended, END_SECONDS) == 1
            assert f"SKIP_RECORDS {topic}/{place}/{bad + 2} and" in line_of(started["part"])

        (on_page,) = re.findall(r"^SKIP_RECORDS=(\S+)$", PAGE, re.M)
        numbers = {17 + number: bad + number for number in range(3)}
        of_page = ",".join(
            f"{topic}/{place}/{numbers[int(entry.rpartition('/')[2])]}"
            for entry in on_page.split(",")
        )
        assert of_page == named
        whole = centre.settings.model_copy(update={"skip_records": of_page})
        with workers({"whole": whole}, tmp_path) as started:
            started["whole"].start()
            await started["whole"].ready()

            async def all_published() -> bool:
                return len(await centre.outcomes()) == len(centre.sent) + 3

            await eventually(
                all_published, 60, "every event and every offset skipped has an outcome"
            )
            assert started["whole"].terminate() == 0
        outcomes = outcomes_by_place(await read_all(settings, settings.topics.outcomes))
        for offset in range(bad, bad + 3):
            (skipped,) = {
                (one["decision"], one["reason"])
                for one in outcomes[(place, offset)]
                if one["final"]
            }
            assert skipped == ("failed", "skipped")
        letters = await read_all(settings, settings.topics.dead_letters)
        assert content in [each.value for each in letters]


async def test_a_record_that_the_broker_let_through(
    kafka: RunningKafka, make_settings: MakeSettings, tmp_path: Path
) -> None:
    """Its length is wrong, and compressed, so no broker looks."""
    settings = make_settings(
        kafka_bootstrap_servers=kafka.bootstrap_servers, worker_port=free_port()
    )
    async with journey(settings, interactions=20, seed=34) as (centre, events):
        place, mine = of_one_partition(events)
        wrong = bytearray(encoded_record(RawRecord(value=b"v"), 0, NOW))
        wrong[0] -= 2
        await send(centre, mine[:1], place)
        bad = await put(centre, place, batch([bytes(wrong)], codec=Codec.GZIP, first_timestamp=NOW))
        await send(centre, mine[1:], place)
        with workers({"alone": centre.settings}, tmp_path) as started:
            started["alone"].start()
            assert await asyncio.to_thread(started["alone"].ended, END_SECONDS) == 1
            line = line_of(started["alone"])
        topic = settings.topics.events
        assert f"{topic}/{place}: offset {bad} can not be read: a record of it" in line
        assert f"SKIP_RECORDS {topic}/{place}/{bad} and" in line


async def test_a_changelog_that_can_not_be_read_ends_the_restoration(
    cluster: KafkaCluster, make_settings: MakeSettings, tmp_path: Path
) -> None:
    settings = make_settings(
        kafka_bootstrap_servers=cluster.bootstrap_servers, worker_port=free_port()
    )
    async with journey(settings, interactions=5, seed=35) as (centre, events):
        await centre.send(events)
        with workers({"first": centre.settings}, tmp_path) as started:
            started["first"].start()
            await started["first"].ready()
            await centre.all_published(30)
            assert started["first"].terminate() == 0
        changelog = f"{settings.app_id}-interactions-changelog"
        await asyncio.to_thread(cluster.stop)
        place = next(each for each in range(12) if stored_batches(cluster.data(1), changelog, each))
        spoilt = stored_batches(cluster.data(1), changelog, place)[0]
        spoilt.flip(-5)
        await asyncio.to_thread(cluster.heal)
        again = centre.settings.model_copy(update={"data_dir": tmp_path / "again"})
        with workers({"again": again}, tmp_path) as started:
            started["again"].start()
            assert await asyncio.to_thread(started["again"].ended, END_SECONDS) == 1
            line = line_of(started["again"])
        assert f"{changelog}/{place}: offset" in line
        assert f"delete the topic {changelog}" in line
