"""What is used here of other people's private parts, and what breaks where it is gone.

The dependencies are bounded above (pyproject.toml); whoever moves a bound runs this first. A use
that is not listed here fails, too.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import aiohttp.web
import aiohttp.web_protocol
import aiokafka.client
import aiokafka.cluster
import aiokafka.codec
import aiokafka.conn
import aiokafka.consumer.fetcher
import aiokafka.consumer.group_coordinator
import aiokafka.consumer.subscription_state
import aiokafka.producer.message_accumulator
import aiokafka.producer.transaction_manager
import aiokafka.protocol.fetch
import aiokafka.record.default_records
import aiokafka.record.legacy_records
import faust.app.base
import faust.assignor.partition_assignor
import faust.stores.rocksdb
import faust.tables.base
import faust.transport.consumer
import faust.transport.drivers.aiokafka
import mode.utils.queues
import pytest
import rocksdict

import streams

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "streams"
LIBRARIES = ("faust", "mode", "aiokafka", "aiohttp", "rocksdict")

Fetcher = aiokafka.consumer.fetcher.Fetcher
Coordinator = aiokafka.consumer.group_coordinator.GroupCoordinator
KafkaConsumer = aiokafka.AIOKafkaConsumer
KafkaProducer = aiokafka.AIOKafkaProducer
Accumulator = aiokafka.producer.message_accumulator.MessageAccumulator
TransactionManager = aiokafka.producer.transaction_manager.TransactionManager
MessageBatch = aiokafka.producer.message_accumulator.MessageBatch
AIOKafkaConnection = aiokafka.conn.AIOKafkaConnection
AIOKafkaClient = aiokafka.client.AIOKafkaClient
Consumer = faust.transport.consumer.Consumer
Driver = faust.transport.drivers.aiokafka.Consumer
Thread = faust.transport.drivers.aiokafka.AIOKafkaConsumerThread
Assignor = faust.assignor.partition_assignor.PartitionAssignor
App = faust.app.base.App
Store = faust.stores.rocksdb.Store


@dataclass(frozen=True)
class Part:
    """``owner`` has ``name``. ``users``: the modules that use or replace it. ``breaks``: what does
    without it."""

    owner: type
    name: str
    breaks: str
    users: tuple[str, ...]


GROUP_THREAD, SEAM, STORES = (
    "worker/partitions/group_thread.py",
    "worker/partitions/consumer.py",
    "worker/state/stores.py",
)
FENCE, TRANSPORT = "kafka/fence.py", "genesys/transport.py"
SEQUENCES = "kafka/sequences.py"
FETCHING, VITALS = "kafka/fetching.py", "worker/health/monitor.py"
CONNECTION = "kafka/connection.py"
BOOTSTRAP, PROBE = "kafka/bootstrap.py", "worker/health/broker_probe.py"
COORDINATOR, ASSIGNOR = "worker/partitions/coordinator.py", "worker/partitions/assignor.py"
SOURCE_THREAD, BOOKKEEPING = (
    "worker/partitions/source_thread.py",
    "worker/partitions/bookkeeping.py",
)

PARTS = (
    Part(Fetcher, "_proc_fetch_request", "one odd header stops a partition for good", (FETCHING,)),
    Part(Fetcher, "_records", "nothing that is fetched is handed out", (FETCHING,)),
    Part(Fetcher, "_client", "nothing is fetched", (FETCHING,)),
    Part(Fetcher, "_set_error", "a missing right to read is not reported", (FETCHING,)),
    Part(
        Fetcher, "_subscriptions", "what can not be read is asked for without a pause", (FETCHING,)
    ),
    Part(Fetcher, "_isolation_level", "aborted transactions are read", (FETCHING,)),
    Part(Fetcher, "_prefetch_backoff", "other partitions wait for a slow one", (FETCHING,)),
    Part(Fetcher, "_retry_backoff", "a broker that is away is asked without a pause", (FETCHING,)),
    Part(Fetcher, "_default_reset_strategy", "an offset that is gone stops it", (FETCHING,)),
    Part(Fetcher, "_preferred_read_replica", "a replica that moved is asked on", (FETCHING,)),
    Part(Fetcher, "_fetch_max_wait_ms", "the embedded broker delays every record", (GROUP_THREAD,)),
    Part(KafkaConsumer, "_fetcher", "fetches are aiokafka's own", (FETCHING, GROUP_THREAD)),
    Part(KafkaConsumer, "_client", "no broker is asked whether it is there", (GROUP_THREAD,)),
    Part(AIOKafkaClient, "_metadata_update", "brokers that moved are not found", (BOOTSTRAP,)),
    *(
        Part(AIOKafkaClient, name, "a renewed password is not taken up", (CONNECTION,))
        for name in ("_get_conn", "_conns", "_sasl_plain_password")
    ),
    Part(AIOKafkaClient, "_bootstrap_servers", "brokers that moved are not found", (BOOTSTRAP,)),
    Part(
        aiokafka.cluster.ClusterMetadata,
        "_bootstrap_brokers",
        "brokers that moved are not found",
        (BOOTSTRAP,),
    ),
    Part(
        KafkaConsumer,
        "_coordinator",
        "nobody hears of heartbeats and joins, or what life an offset is of",
        (GROUP_THREAD, SOURCE_THREAD),
    ),
    Part(KafkaConsumer, "_subscription", "the lag is unknown", (GROUP_THREAD, PROBE)),
    Part(Coordinator, "_do_heartbeat", "the session's age is unknown (promise 8)", (COORDINATOR,)),
    Part(Coordinator, "_do_rejoin_group", "two of one instance id fight for ever", (COORDINATOR,)),
    Part(Coordinator, "_send_req", "a join does not count as an answer", (COORDINATOR,)),
    Part(Coordinator, "_closing", "it joins again while it leaves", (COORDINATOR, GROUP_THREAD)),
    Part(
        Coordinator, "_maybe_leave_group", "the others wait for our session's end", (COORDINATOR,)
    ),
    Part(Coordinator, "_pending_exception", "a living corpse (promise 13)", (GROUP_THREAD,)),
    Part(Coordinator, "_coordination_task", "a living corpse (promise 13)", (GROUP_THREAD,)),
    Part(Thread, "_consumer", "aiokafka's consumer is out of reach", (GROUP_THREAD,)),
    Part(
        Thread,
        "_ensure_consumer",
        "aiokafka's consumer is out of reach",
        (GROUP_THREAD, SOURCE_THREAD),
    ),
    Part(Assignor, "_decompress", "a static member can not move", (ASSIGNOR,)),
    Part(Assignor, "_url", "a static member can not move", (ASSIGNOR,)),
    Part(Driver, "_new_consumer_thread", "the thread is Faust's own", (SEAM,)),
    Part(Consumer, "_add_gap", "holes count as acknowledged (promise 2)", (SEAM,)),
    Part(Consumer, "_buffered_partitions", "a partition held back loses records", (SEAM,)),
    Part(Consumer, "_commit", "nothing is committed", (SEAM,)),
    Part(Consumer, "_getmany", "fetch and seek overlap (promise 2)", (SEAM,)),
    Part(Consumer, "_is_changelog_tp", "sources and changelogs are one", (SEAM,)),
    Part(Consumer, "_read_offset", "a next owner's first records are dropped", (SEAM,)),
    Part(Consumer, "_seek", "a fresh partition begins anywhere", (SEAM,)),
    Part(Consumer, "_wait_next_records", "nothing is fetched", (SEAM,)),
    Part(faust.transport.consumer.ThreadDelegateConsumer, "_thread", "no lag, no leave", (SEAM,)),
    Part(App, "_new_transport", "the consumer is Faust's own", (SEAM,)),
    Part(App, "_on_partitions_revoked", "an assignment outlives its partitions", (SEAM,)),
    Part(App, "_consumer", "the watchdog is blind", (VITALS,)),
    Part(mode.utils.queues.FlowControlEvent, "_suspend", "resuming loses records", (BOOKKEEPING,)),
    Part(mode.utils.queues.FlowControlEvent, "_resume", "resuming loses records", (BOOKKEEPING,)),
    Part(Store, "_db_for_partition", "the table has no stores", (STORES,)),
    Part(Store, "_dbs", "a damaged store can not be let go", (STORES,)),
    Part(Store, "_open_for_partition", "a damaged store is a crash loop", (STORES,)),
    Part(faust.tables.base.Collection, "_new_store", "the stores are Faust's own", (STORES,)),
    Part(KafkaProducer, "_message_accumulator", "no fence (promise 8)", (FENCE,)),
    Part(KafkaProducer, "_closed", "a group is queued that nobody sends", (FENCE,)),
    Part(KafkaProducer, "_partition", "a record without a key goes nowhere", (FENCE,)),
    Part(KafkaProducer, "_txn_manager", "behind a refusal a partition is closed", (FENCE,)),
    Part(KafkaProducer, "_sender", "a stop that is cut off leaves it sending", (FENCE,)),
    Part(Accumulator, "_pop_batch", "behind a refusal a partition is closed", (SEQUENCES,)),
    Part(TransactionManager, "_sequence_numbers", "the same", (SEQUENCES,)),
    Part(AIOKafkaClient, "_wait_on_metadata", "a group goes to no partition", (FENCE,)),
    Part(Accumulator, "_append_batch", "a group is not sent", (FENCE,)),
    Part(Accumulator, "_batches", "each fence is logged as an error of asyncio's", (FENCE,)),
    Part(Accumulator, "_pending_batches", "the same", (FENCE,)),
    Part(AIOKafkaClient, "_conns", "a write is sent behind the next owner's", (FENCE,)),
    Part(AIOKafkaConnection, "_writer", "the same (promise 8)", (FENCE,)),
    Part(aiohttp.TCPConnector, "_release", "a PATCH given up arrives (5)", (TRANSPORT,)),
    Part(MessageBatch, "_drain_waiter", "the same", (FENCE,)),
    Part(Accumulator, "_closed", "a group is queued that nobody sends", (FENCE,)),
    Part(Accumulator, "_exception", "a fenced producer takes a group (promise 8)", (FENCE,)),
    Part(
        aiohttp.web.AppRunner,
        "_make_server",
        "what is no HTTP is logged at length",
        ("listening.py",),
    ),
)

# Ours, Python's, or public for all their name: no library's private parts.
NOT_THEIRS = {
    ("worker/partitions/source_thread.py", "_state"),
    ("kafka/decoding.py", "_replace"),
    ("kafka/admin.py", "_ALL_BROKERS_DOWN"),
    ("kafka/admin.py", "_TIMED_OUT"),
    ("cli/signals.py", "_exit"),
    ("last_resort.py", "_exit"),
}

# What Python and mode put into every class.
OF_EVERY_CLASS = {"_abc_impl"}


@pytest.mark.parametrize("part", PARTS, ids=lambda part: f"{part.owner.__name__}.{part.name}")
def test_it_is_there(part: Part) -> None:
    written = "".join(_source(each) for each in part.owner.__mro__ if _has_source(each))
    there = hasattr(part.owner, part.name) or re.search(rf"self\.{part.name}\b", written)
    assert there, f"{part.owner.__qualname__} has no {part.name} any more: {part.breaks}"


def test_nothing_else_is_used() -> None:
    listed = {(user, part.name) for part in PARTS for user in part.users} | NOT_THEIRS
    used = set(_used()) | set(_overridden())
    assert used - listed == set(), "list it with what breaks without it, or do without"
    assert listed - used == set(), "no longer used: take it out of the list"


def _has_source(owner: type) -> bool:
    return owner.__module__.split(".")[0] in LIBRARIES


def _used() -> Iterator[tuple[str, str]]:
    """Private attributes of anything but a module's own ``self``."""
    for file in PACKAGE.rglob("*.py"):
        tree = ast.parse(file.read_text())
        own = set(_defined(tree))
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and _is_private(node.attr):
                of_self = isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}
                if not (of_self and node.attr in own):
                    yield str(file.relative_to(PACKAGE)), node.attr


def _defined(tree: ast.AST) -> Iterator[str]:
    """What a module's classes define, and what they set on themselves."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def _overridden() -> Iterator[tuple[str, str]]:
    """Private names that a class of ours has from a class of theirs and defines or sets itself."""
    for module in _modules():
        for made in vars(module).values():
            if not inspect.isclass(made) or made.__module__ != module.__name__:
                continue
            bases = [each for each in made.__mro__[1:] if _has_source(each)]
            written = _classes(module)[made.__name__]
            for name in {each for each in _defined(written) if _is_private(each)}:
                theirs = "".join(_source(each) for each in bases)
                if any(name in vars(each) for each in bases) or f"self.{name} =" in theirs:
                    yield _path(module), name


@cache
def _classes(module: Any) -> dict[str, ast.ClassDef]:
    tree = ast.parse(inspect.getsource(module))
    return {node.name: node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}


@cache
def _source(owner: type) -> str:
    return inspect.getsource(owner)


def _modules() -> Iterator[Any]:
    for found in pkgutil.walk_packages(streams.__path__, "streams."):
        if not found.name.endswith("__main__"):
            yield importlib.import_module(found.name)


def _path(module: Any) -> str:
    return str(Path(module.__file__).relative_to(PACKAGE))


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in OF_EVERY_CLASS


def test_a_fetch_is_asked_for_and_kept_as_it_is_replaced() -> None:
    """streams.kafka.fetching takes its place: same arguments, same loop behind it."""
    module = aiokafka.consumer.fetcher
    asked = inspect.signature(Fetcher._proc_fetch_request)
    assert list(asked.parameters) == ["self", "assignment", "node_id", "request"]
    kept = inspect.signature(module.PartitionRecords)
    assert list(kept.parameters) == [
        *("tp", "records", "aborted_transactions", "fetch_offset", "key_deserializer"),
        *("value_deserializer", "check_crcs", "isolation_level"),
    ]
    result = inspect.signature(module.FetchResult)
    assert list(result.parameters) == ["tp", "assignment", "partition_records", "backoff"]
    loop = inspect.getsource(module.PartitionRecords._unpack_records)
    for used in set(re.findall(r"(?:records|next_batch)\.(\w+)", loop)):
        known = {"has_next", "next_batch", "validate_crc", "producer_id", "base_offset"}
        known |= {"is_control_batch", "is_transactional", "next_offset"}
        assert used in known, f"a batch is asked for {used}, which streams.kafka.fetching has not"
    assert "start_pending_task(\n                        self._proc_fetch_request(" in (
        inspect.getsource(Fetcher._fetch_requests_routine)
    )


def test_a_batch_is_queued_with_a_future_of_its_own() -> None:
    """streams.kafka.fence queues whole batches: same arguments, and the batch has its future."""
    assert list(inspect.signature(Accumulator._append_batch).parameters) == [
        "self",
        "builder",
        "tp",
    ]
    module = aiokafka.producer.message_accumulator
    assert "self.future = " in inspect.getsource(module.MessageBatch.__init__)
    assert "base_offset" in inspect.signature(module.MessageBatch.done).parameters


def test_an_answer_to_a_fetch_has_its_parts_where_they_are_looked_for() -> None:
    names = {}
    for version in range(4, 12):
        answer = getattr(aiokafka.protocol.fetch, f"FetchResponse_v{version}", None)
        if answer is None:
            continue
        topics = answer.SCHEMA.fields[answer.SCHEMA.names.index("topics")]
        partitions = topics.array_of.fields[1]
        names[version] = list(partitions.array_of.names)[3:]
    assert names
    for version, parts in names.items():
        assert parts[-1] == "message_set", f"version {version}: the records are elsewhere"
        aborted = parts.index("aborted_transactions")
        assert aborted == (2 if version >= 11 else len(parts) - 2)
        assert (len(parts) == 5) == (version >= 11), "streams.kafka.fetching counts them"


def test_a_newer_fetch_is_not_spoken() -> None:
    spoken = [name for name in vars(aiokafka.protocol.fetch) if name.startswith("FetchResponse_v")]
    assert max(int(name.rpartition("v")[2]) for name in spoken) <= 11


def test_the_words_that_are_relied_on(tmp_path: Path) -> None:
    """RocksDB's, for damage and for a lock: told from a full disk by nothing else."""
    with pytest.raises(Exception, match=r"^IO error: .*lock") as locked:
        first, second = rocksdict.Rdict(str(tmp_path / "one")), None
        second = rocksdict.Rdict(str(tmp_path / "one"))
    assert second is None, locked
    first["key"] = b"value"
    first.close()
    (tmp_path / "one" / "CURRENT").write_bytes(b"no manifest\n")
    with pytest.raises(Exception, match=r"^(Corruption|IO error: No such file or directory)"):
        rocksdict.Rdict(str(tmp_path / "one"))


def test_a_request_handler_has_what_is_replaced() -> None:
    handler = aiohttp.web_protocol.RequestHandler
    for name in ("start", "handle_error", "log_exception"):
        assert callable(getattr(handler, name)), "what is no HTTP is logged at length"


# The SDK brings the conventions in its own version; those of messaging are still in development,
# and any version may move or rename them.
@pytest.mark.parametrize(
    "name", [*LIBRARIES[2:], "faust-streaming", "mode-streaming", "opentelemetry-sdk"]
)
def test_it_is_bounded_above(name: str) -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    (requirement,) = [each for each in declared if re.match(rf"{name}\b(?!-)", each)]
    assert "<" in requirement, f"{name}: the next release may move what is listed here"
