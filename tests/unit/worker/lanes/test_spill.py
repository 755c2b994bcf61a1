"""Records that wait on the disk are those that they were."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.core.due_order import Place
from streams.core.records import Reason, Source
from streams.errors import StoreError
from streams.worker.lanes.source_record import SourceRecord
from streams.worker.lanes.spill import Spill, Spilled
from streams.worker.partitions.assignment import Assignment
from tests.support.spills import nothing_in
from tests.support.taken_up import parsed
from tests.support.world import EVENTS, RETRIES, event

headers = st.lists(st.tuples(st.text(), st.binary()), max_size=3).map(tuple)


def record(offset: int, *, due: float, **changed: object) -> SourceRecord:
    made = SourceRecord(
        assignment=Assignment(1, {}),
        tp=RETRIES,
        offset=offset,
        key=b"i-1",
        value=event(offset),
        headers=(),
        timestamp=1_767_600_000.123,
        taken_up_at=12.5,
        event=parsed(event(offset)),
        source=Source(EVENTS.topic, EVENTS.partition, offset),
        not_before=due,
    )
    return msgspec.structs.replace(made, **changed)


def spilled(record: SourceRecord) -> Spilled:
    """What comes back of it."""
    return Spilled(
        record.tp.partition,
        record.offset,
        round(record.timestamp * 1000),
        record.key,
        record.value,
        record.headers,
        record.taken_up_at,
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.integers(0, 4_000_000_000),
            st.none() | st.binary(),
            st.none() | st.binary(),
            headers,
        ),
        max_size=8,
    )
)
def test_any_record_comes_back_as_it_was_and_in_its_turn(
    tmp_path: Path,
    parts: list[tuple[int, bytes | None, bytes | None, tuple[tuple[str, bytes], ...]]],
) -> None:
    spill = Spill(tmp_path / "waiting", most=100)
    records = [
        record(offset, due=due, key=key, value=value, headers=named)
        for offset, (due, key, value, named) in enumerate(parts)
    ]
    for each in records:
        spill.put(each)
    expected = [spilled(each) for each in sorted(records, key=lambda each: each.not_before)]

    assert list(spill.next(3)) == expected[:3]
    assert [spill.pop() for _ in records] == expected
    assert len(spill) == 0
    spill.clear()


def test_what_was_due_before_1970_is_due(tmp_path: Path) -> None:
    spill = Spill(tmp_path / "waiting", most=5)
    spill.put(record(0, due=-5))
    assert spill.first() == Place(0, RETRIES.partition, 0)
    assert spill.pop() == spilled(record(0, due=-5))


def test_nothing_is_made_before_the_first_comes(tmp_path: Path) -> None:
    spill = Spill(tmp_path / "waiting", most=2)
    assert spill.first() is None
    assert not spill.fills(0.5)
    spill.clear()
    assert nothing_in(tmp_path)


def test_it_fills(tmp_path: Path) -> None:
    spill = Spill(tmp_path / "waiting", most=2)
    spill.put(record(0, due=7))
    assert (spill.fills(0.5), spill.fills(1.0)) == (True, False)
    spill.put(record(1, due=5))
    assert spill.fills(1.0)
    assert spill.first() == Place(5_000, RETRIES.partition, 1)


def test_planned_looks_are_told_from_what_has_failed(tmp_path: Path) -> None:
    spill = Spill(tmp_path / "waiting", most=2)
    planned = (("retry.reason", Reason.LOOK_PLANNED.value.encode()),)
    spill.put(record(0, due=60, headers=planned, timestamp=1.0))
    spill.put(record(1, due=60, headers=(("retry.reason", b"timeout"),), timestamp=2.0))
    (minute,) = spill.minutes()
    assert (minute.due, minute.records) == (60.0, 2)
    assert minute.oldest_unplanned == record(1, due=60).occurred_at


def test_thrown_away_it_is_gone_and_can_be_used_again(tmp_path: Path) -> None:
    spill = Spill(tmp_path / "waiting", most=5)
    spill.put(record(0, due=1))
    spill.clear()
    assert (len(spill), nothing_in(tmp_path)) == (0, True)

    spill.put(record(1, due=1))
    assert spill.pop() == spilled(record(1, due=1))


def test_what_a_killed_worker_has_left_is_thrown_away(tmp_path: Path) -> None:
    left = tmp_path / "waiting"
    left.mkdir()
    (left / "CURRENT").write_text("nothing that RocksDB can read")

    spill = Spill(left, most=5)
    spill.put(record(0, due=1))

    assert spill.pop() == spilled(record(0, due=1))


def test_a_disk_that_can_not_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    spill = Spill(tmp_path / "file" / "waiting", most=5)
    with pytest.raises(StoreError, match=r"DATA_DIR: records that wait can not be kept in .*free"):
        spill.put(record(0, due=1))
    assert len(spill) == 0, "what the disk has not taken does not wait there"


def test_a_record_that_the_disk_has_lost_is_no_record_less(tmp_path: Path) -> None:
    """The worker ends, and reads it again out of Kafka."""
    spill = Spill(tmp_path / "waiting", most=5)
    spill.put(record(0, due=1))
    spill._opened().delete(b"".join(part.to_bytes(8, "big") for part in (1_000, 3, 0)))
    with pytest.raises(StoreError, match="nothing is there"):
        spill.pop()


def test_a_disk_that_keeps_it_does_not_keep_the_partitions(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    spill = Spill(tmp_path / "waiting", most=5)
    spill.put(record(0, due=1))

    def refuse(_: Path) -> None:
        raise OSError("Read-only file system")

    monkeypatch.setattr("shutil.rmtree", refuse)
    with caplog.at_level(logging.WARNING):
        spill.clear()

    assert len(spill) == 0
    assert "could not be thrown away" in caplog.text
