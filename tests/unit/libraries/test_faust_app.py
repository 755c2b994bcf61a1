"""What Faust's settings, stores and assignor do by themselves, and the worker has otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import faust
import pytest
from faust.assignor.client_assignment import ClientAssignment, ClientMetadata
from faust.assignor.partition_assignor import PartitionAssignor
from faust.stores import rocksdb

from streams.telemetry.logging import FAUST_LOG
from streams.worker.partitions.assignor import MovableAssignor
from streams.worker.partitions.consumer import SourceConsumer, StreamsApp
from streams.worker.partitions.source_thread import SourceThread
from streams.worker.state.stores import InteractionStore, StoredTable

GIB, MIB = 1 << 30, 1 << 20


@pytest.fixture
def app() -> Iterator[faust.App]:
    app = faust.App(
        "shop", broker="kafka://127.0.0.1:1", store="memory://", canonical_url="http://now:6066"
    )
    yield app


class Part(faust.Service):
    """A part of Faust's kind, as a subclass in a module of ours."""


def test_a_part_is_logged_under_the_module_that_its_class_is_in() -> None:
    assert Part.logger.name == __name__


@pytest.mark.parametrize(
    "part", [StreamsApp, SourceConsumer, SourceThread, InteractionStore, StoredTable]
)
def test_and_ours_are_logged_as_fausts(part: type[faust.Service]) -> None:
    assert part.logger is FAUST_LOG


class Assigned:
    """What the group gives to a member that had another address before."""

    assignment: tuple[Any, ...] = ()
    user_data = PartitionAssignor._compress(
        ClientMetadata(
            assignment=ClientAssignment(actives={}, standbys={}),
            url="http://before:6066",
            changelog_distribution={},
        ).dumps()
    )


def test_a_member_whose_address_has_changed_fails_an_assertion(app: faust.App) -> None:
    with pytest.raises(AssertionError):
        PartitionAssignor(app).on_assignment(Assigned())


def test_and_ours_lets_it_move(app: faust.App) -> None:
    assignor = MovableAssignor(app)
    assignor.on_assignment(Assigned())
    assert str(assignor._url) == "http://now:6066"


def test_its_web_server_binds_to_all_addresses(app: faust.App) -> None:
    assert app.conf.web_bind == "0.0.0.0"


def test_what_it_gives_to_each_store() -> None:
    options = rocksdb.RocksDBOptions()
    assert options.block_cache_size == 2 * GIB
    assert (options.write_buffer_size, options.max_write_buffer_number) == (64 * MIB, 3)


def test_a_store_takes_entries_out_of_its_options(app: faust.App, tmp_path: Any) -> None:
    app.conf.datadir = tmp_path
    options = {"read_only": False, "write_buffer_size": MIB}
    table = app.Table("interactions", partitions=1)
    rocksdb.Store("rocksdb://", app, table, table_name="interactions", options=options)
    assert options == {"write_buffer_size": MIB}


def test_without_a_port_a_server_has_9092(app: faust.App) -> None:
    transport: Any = app.transport
    assert transport.default_port == 9092
