"""No assignment begins on a table that lacks a part of its changelog."""

from __future__ import annotations

from typing import Any, cast

import pytest
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery, ServiceStopped
from faust.types import TP

from streams.errors import StoreError
from tests.support.consumer_rig import CHANGELOG, KEPT, A, Rig


def recovery_of(rig: Rig) -> Recovery:
    tables = rig.app.tables
    assert isinstance(tables, TableManager)
    return tables.recovery


async def restored_up_to(rig: Rig, applied: int) -> None:
    """A restoration that began, and of which Faust says that it has ended."""
    rig.table.applied = {CHANGELOG: 2}
    await rig.consumer.seek_wait({CHANGELOG: 0})
    rig.table.lacking = {CHANGELOG: applied} if applied + 1 < KEPT.end else {}


async def test_one_that_has_all_begins(rig: Rig) -> None:
    rig.kafka.committed = {A: 5}
    await restored_up_to(rig, KEPT.end - 1)

    await rig.consumer.perform_seek()

    assert rig.observer.begun == [(1, {A: 5})]
    assert not recovery_of(rig).signal_recovery_start.is_set()


async def test_what_faust_has_read_is_written_first(rig: Rig) -> None:
    """Faust counts a run as soon as it is read, and writes it later."""
    await restored_up_to(rig, KEPT.end - 1)
    recovery_of(rig).buffers[rig.table].append(cast(Any, "a run"))

    await rig.consumer.perform_seek()

    assert rig.table.buffered == ("a run",)
    assert recovery_of(rig).buffers[rig.table] == []


async def test_one_that_lacks_a_part_is_restored_again(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.kafka.committed = {A: 5}
    await restored_up_to(rig, 4)

    await rig.consumer.perform_seek()

    assert rig.observer.begun == []
    assert recovery_of(rig).signal_recovery_start.is_set(), "Faust's recovery begins anew"
    assert "not restored to the end of its changelog" in caplog.text
    rig.kafka.batches = [{A: [5]}]
    assert await rig.fetched() == [], "nothing is delivered meanwhile"

    await restored_up_to(rig, KEPT.end - 1)
    await rig.consumer.perform_seek()
    assert rig.observer.begun == [(1, {A: 5})]


async def test_a_disk_that_fails_meanwhile_stops_faust(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watchdog says why."""
    await restored_up_to(rig, KEPT.end - 1)

    def fail(_: dict[TP, int]) -> dict[TP, int]:
        raise StoreError("no space")

    monkeypatch.setattr(rig.table, "unrestored", fail)
    with pytest.raises(ServiceStopped):
        await rig.consumer.perform_seek()
    assert rig.observer.begun == []
