"""The directory of a worker's stores, and what the stores in it are the image of."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import SettingsError
from streams.settings import Settings
from streams.worker.state.datadir import ORIGIN, Origin, claim

HERE = Origin("cluster-1", "topic-1")

ids = st.sampled_from(["", "one", "two"])
origins = st.builds(Origin, ids, ids)


def own(settings: Settings) -> Path:
    return settings.data_dir / settings.app_id


def lives_through(settings: Settings, origin: Origin, *, embedded: bool = False) -> bool:
    """Whether what one worker left in its stores is there for the next one."""
    with claim(own(settings), embedded=embedded, origin=origin) as stores:
        kept = (stores / "mark").exists()
        (stores / "mark").touch()
    return kept


def test_stores_of_the_same_changelog_are_kept(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings()
    assert not lives_through(settings, HERE)
    assert lives_through(settings, HERE)


@pytest.mark.parametrize(
    "now", [Origin("cluster-2", "topic-1"), Origin("cluster-1", "topic-2"), Origin("", "topic-2")]
)
def test_stores_of_another_cluster_or_changelog_are_thrown_away(
    make_settings: Callable[..., Settings], now: Origin, caplog: pytest.LogCaptureFixture
) -> None:
    settings = make_settings()
    lives_through(settings, HERE)

    assert not lives_through(settings, now)

    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert lives_through(settings, now)


@pytest.mark.parametrize("now", [HERE, Origin("cluster-1", "topic-2")])
def test_stores_that_somebody_removed_are_made_anew(
    make_settings: Callable[..., Settings], now: Origin
) -> None:
    """An operator, or a start that was killed before it had written its origin down."""
    settings = make_settings()
    lives_through(settings, HERE)
    shutil.rmtree(own(settings) / "stores")

    assert not lives_through(settings, now)

    assert lives_through(settings, now)


def test_a_disk_that_is_full_once_the_stores_are_gone_keeps_no_later_start_away(
    make_settings: Callable[..., Settings],
) -> None:
    settings = make_settings()
    lives_through(settings, HERE)
    in_the_way = (own(settings) / ORIGIN).with_suffix(".new")
    in_the_way.mkdir()
    now = Origin("cluster-1", "topic-2")
    with (
        pytest.raises(SettingsError, match=r"^DATA_DIR: cannot write to "),
        claim(own(settings), embedded=False, origin=now),
    ):
        pass
    assert not (own(settings) / "stores").exists()
    in_the_way.rmdir()

    assert not lives_through(settings, now)

    assert lives_through(settings, now)


def test_stores_of_an_older_release_are_kept_and_named(
    make_settings: Callable[..., Settings],
) -> None:
    settings = make_settings()
    lives_through(settings, HERE)
    (own(settings) / ORIGIN).unlink()

    assert lives_through(settings, HERE)
    assert not lives_through(settings, Origin("cluster-1", "topic-2"))


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff", b"[]", b'{"cluster": 1}'])
def test_what_can_not_be_read_is_written_anew(
    make_settings: Callable[..., Settings], damage: bytes
) -> None:
    settings = make_settings()
    lives_through(settings, HERE)
    (own(settings) / ORIGIN).write_bytes(damage)

    assert lives_through(settings, HERE)
    assert not lives_through(settings, Origin("cluster-2", "topic-1"))


def test_what_the_broker_does_not_give_this_time_is_remembered(
    make_settings: Callable[..., Settings],
) -> None:
    settings = make_settings()
    lives_through(settings, HERE)
    assert lives_through(settings, Origin())
    assert not lives_through(settings, Origin("cluster-1", "topic-2"))


def test_stores_of_an_embedded_broker_are_never_kept(
    make_settings: Callable[..., Settings],
) -> None:
    settings = make_settings()
    for _ in range(2):
        assert not lives_through(settings, Origin(), embedded=True)


def test_one_worker_at_a_time(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings()
    with (
        claim(own(settings), embedded=False, origin=HERE),
        pytest.raises(SettingsError, match=r"^DATA_DIR: .* is in use by another worker"),
        claim(
            own(settings),
            embedded=False,
            origin=Origin("cluster-2", "topic-1"),
        ),
    ):
        pass
    assert (own(settings) / ORIGIN).exists()


def test_a_directory_that_is_a_file_is_refused(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    settings = make_settings(data_dir=tmp_path / "file")
    with (
        pytest.raises(SettingsError, match=r"^DATA_DIR: cannot write to "),
        claim(own(settings), embedded=False, origin=HERE),
    ):
        pass


@pytest.mark.parametrize("embedded", [True, False])
def test_stores_that_are_a_file_are_refused(
    make_settings: Callable[..., Settings], embedded: bool
) -> None:
    settings = make_settings()
    own(settings).mkdir(parents=True)
    (own(settings) / "stores").touch()
    with (
        pytest.raises(SettingsError, match=r"^DATA_DIR: cannot write to .*: File exists$"),
        claim(own(settings), embedded=embedded, origin=HERE),
    ):
        pass


def test_a_disk_that_takes_no_origin_is_refused_and_the_stores_are_kept(
    make_settings: Callable[..., Settings],
) -> None:
    settings = make_settings()
    lives_through(settings, HERE)
    in_the_way = (own(settings) / ORIGIN).with_suffix(".new")
    in_the_way.mkdir()

    with (
        pytest.raises(SettingsError, match=r"^DATA_DIR: cannot write to "),
        claim(own(settings), embedded=False, origin=HERE),
    ):
        pass

    in_the_way.rmdir()
    assert lives_through(settings, HERE), "the lock was let go of, and nothing thrown away"


@given(origins, origins)
def test_origins_differ_where_both_know(one: Origin, other: Origin) -> None:
    assert one.differs(other) == other.differs(one)
    assert not one.differs(one)
    assert not one.differs(Origin())
    if not one.differs(other):
        assert one.completed(other) == other.completed(one)
