"""What aiokafka does by itself, and the program does otherwise or relies on."""

from __future__ import annotations

import asyncio
import inspect
import logging
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import aiokafka
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.cluster import ClusterMetadata
from aiokafka.conn import collect_hosts
from aiokafka.consumer.fetcher import (
    READ_UNCOMMITTED,
    Fetcher,
    OffsetResetStrategy,
    PartitionRecords,
)
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import (
    CorruptRecordException,
    OffsetOutOfRangeError,
    RecordTooLargeError,
    TopicAuthorizationFailedError,
)
from aiokafka.producer.message_accumulator import MessageAccumulator
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import BrokerMetadata, OffsetAndMetadata

from tests.support.raw_records import RawRecord, batch

PLACE = TopicPartition("events", 0)


def test_a_header_name_that_is_not_utf_8_hides_the_whole_batch() -> None:
    written = batch([RawRecord(value=b"good"), RawRecord(headers=((b"\xff", b"x"),))])
    with pytest.raises(UnicodeDecodeError):
        list(DefaultRecordBatch(written))


def test_a_wrong_checksum_is_raised_to_whoever_reads() -> None:
    written = bytearray(batch([RawRecord(value=b"good")]))
    written[-1] ^= 1
    records = PartitionRecords(
        PLACE, MemoryRecords(bytes(written)), None, 0, None, None, True, READ_UNCOMMITTED
    )
    with pytest.raises(CorruptRecordException):
        next(records)


@dataclass
class Position:
    """aiokafka's state of one partition."""

    position: int = 5
    has_valid_position: bool = True
    reset: list[int] = field(default_factory=list)
    highwater: int = 0
    lso: int = 0
    timestamp: int = 0

    def await_reset(self, strategy: int) -> None:
        self.reset.append(strategy)

    def consumed_to(self, position: int) -> None:
        self.position = position


@dataclass
class Asked:
    """One fetch, answered with that error and those bytes."""

    error: int
    content: bytes = b""
    position: Position = field(default_factory=Position)
    raised: list[Exception] = field(default_factory=list)

    async def fetch(self) -> bool:
        answer = SimpleNamespace(
            API_VERSION=11,
            topics=[
                (PLACE.topic, [(PLACE.partition, self.error, 9, 9, 0, None, -1, self.content)])
            ],
        )

        async def send(node: int, request: Any) -> Any:
            return answer

        fetcher = SimpleNamespace(
            _client=SimpleNamespace(send=send),
            _client_rack=None,
            _preferred_read_replica={},
            _default_reset_strategy=OffsetResetStrategy.EARLIEST,
            _max_partition_fetch_bytes=1,
            _set_error=lambda place, error: self.raised.append(error),
        )
        assignment = SimpleNamespace(active=True, state_value=lambda place: self.position)
        request = SimpleNamespace(topics=[(PLACE.topic, [(PLACE.partition, 5, 1)])])
        woken: bool = await Fetcher._proc_fetch_request(cast(Any, fetcher), assignment, 1, request)
        return woken


async def test_a_disk_that_the_broker_calls_corrupt_is_asked_again() -> None:
    asked = Asked(CorruptRecordException.errno)
    assert not await asked.fetch()
    assert asked.raised == []
    assert asked.position.position == 5


async def test_a_batch_that_is_too_large_is_left_out_by_one_offset() -> None:
    asked = Asked(0, batch([RawRecord(value=b"x" * 100)] * 3)[:90])
    assert await asked.fetch()
    assert [type(error) for error in asked.raised] == [RecordTooLargeError]
    assert asked.position.position == 6, "the batch has three"


async def test_an_offset_that_is_gone_is_no_more_than_a_line_of_info(
    caplog: pytest.LogCaptureFixture,
) -> None:
    asked = Asked(OffsetOutOfRangeError.errno)
    with caplog.at_level(logging.DEBUG):
        assert not await asked.fetch()
    assert asked.raised == []
    assert asked.position.reset == [OffsetResetStrategy.EARLIEST]
    assert max(record.levelno for record in caplog.records) == logging.INFO


def test_a_committed_offset_has_no_leader_epoch() -> None:
    assert OffsetAndMetadata._fields == ("offset", "metadata")


async def test_no_bootstrap_server_is_asked_again() -> None:
    cluster = ClusterMetadata(bootstrap_servers=["first:9092"])
    cluster._brokers = {node: BrokerMetadata(node, "old", 9092, None) for node in (1, 2)}
    asked: list[Any] = []

    async def nobody_is_there(node: Any) -> None:
        asked.append(node)

    client = SimpleNamespace(cluster=cluster, _conns={}, _get_conn=nobody_is_there)
    assert not await AIOKafkaClient._metadata_update(cast(Any, client), cluster, {"events"})
    assert sorted(asked) == [1, 2]


@pytest.mark.parametrize(("idle", "left"), [(299.0, 0), (301.0, 1)])
async def test_a_member_that_fetches_nothing_for_long_leaves_the_group(
    idle: float, left: int
) -> None:
    """Although its heartbeats are answered."""
    calls: list[str] = []

    async def known() -> None: ...

    async def heartbeat() -> bool:
        calls.append("heartbeat")
        return True

    async def leave() -> None:
        calls.append("leave")
        coordinator.member_id = ""

    class Subscription:
        @property
        def fetcher_idle_time(self) -> float:
            coordinator.member_id = ""  # one round is enough
            return idle

    coordinator = SimpleNamespace(
        member_id="member",
        _heartbeat_interval_ms=0,
        _session_timeout_ms=10_000,
        _retry_backoff_ms=0,
        _max_poll_interval=300.0,
        _subscription=Subscription(),
        ensure_coordinator_known=known,
        _do_heartbeat=heartbeat,
        _maybe_leave_group=leave,
    )
    await GroupCoordinator._heartbeat_routine(cast(Any, coordinator))
    assert calls == ["heartbeat"] + ["leave"] * left


async def test_a_record_without_key_and_value_is_refused() -> None:
    with pytest.raises(AssertionError, match="key or value"):
        await aiokafka.AIOKafkaProducer.send(cast(Any, None), "events")


async def test_a_batch_waits_until_nothing_else_is_queued() -> None:
    cluster: Any = SimpleNamespace(leader_for_partition=lambda place: 1)
    queue = MessageAccumulator(cluster, 1 << 14, 0, 30)
    await queue.add_message(PLACE, b"key", b"value", 1)
    waits = asyncio.ensure_future(queue.add_batch(queue.create_builder(), PLACE, 30))
    await asyncio.sleep(0)
    assert not waits.done()
    batches, _ = queue.drain_by_nodes(ignore_nodes=[])
    assert [len(each) for each in batches.values()] == [1]
    assert await asyncio.wait_for(waits, 5)


def test_an_error_puts_its_number_and_name_before_what_it_is_about() -> None:
    error = TopicAuthorizationFailedError("events")
    assert str(error) == "[Error 29] TopicAuthorizationFailedError: events"


async def test_a_time_before_1970_can_not_be_looked_up() -> None:
    with pytest.raises(ValueError, match="negative"):
        await aiokafka.AIOKafkaConsumer.offsets_for_times(cast(Any, None), {PLACE: -1})


def test_a_fetch_has_a_mebibyte_for_a_partition() -> None:
    options = inspect.signature(aiokafka.AIOKafkaConsumer).parameters
    assert options["max_partition_fetch_bytes"].default == 1 << 20


def test_without_a_port_a_server_has_9092() -> None:
    assert [(host, port) for host, port, _ in collect_hosts("broker")] == [("broker", 9092)]


def test_a_list_of_servers_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        collect_hosts("broker:port")


async def test_an_error_about_the_offsets_of_a_whole_group_is_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A coordinator that still loads the group says so once, for no partition."""
    loading = SimpleNamespace(topics=[], error_code=14)

    async def answer(*_: object) -> object:
        return loading

    admin = AIOKafkaAdminClient()
    monkeypatch.setattr(admin, "_send_request", answer)
    found = await admin.list_consumer_group_offsets("group", 0, partitions=[PLACE])
    await admin.close()
    assert found == {}
