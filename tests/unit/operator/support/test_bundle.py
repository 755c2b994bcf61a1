"""The file of a bundle: reserved first, and there whole or not at all."""

from __future__ import annotations

import errno
import io
import stat
import tarfile
from pathlib import Path

import pytest

from streams.errors import SupportError
from streams.operator.support.bundle import Part, pack, reserved

PARTS = (Part("a.json", b"{}"), Part("workers/1/metrics.txt", b"x 1\n"))


def test_it_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "it"
    with reserved(path) as file:
        file.write(b"all")
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"all", 0o600)


def test_one_that_is_there_is_refused_and_left(tmp_path: Path) -> None:
    path = tmp_path / "it"
    path.write_bytes(b"mine")
    with (
        pytest.raises(SupportError, match="is there already, and nothing was asked"),
        reserved(path),
    ):
        raise AssertionError("nothing is asked")
    assert path.read_bytes() == b"mine"


def test_where_none_can_be_it_says_so(tmp_path: Path) -> None:
    refused = pytest.raises(SupportError, match="No such file or directory; name another")
    with refused, reserved(tmp_path / "no" / "it"):
        raise AssertionError("nothing is asked")


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), ValueError("x")])
def test_one_that_was_not_finished_is_gone(tmp_path: Path, failure: BaseException) -> None:
    path = tmp_path / "it"
    with pytest.raises(type(failure)), reserved(path):
        raise failure
    assert not path.exists()


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    path = tmp_path / "it"
    refused = pytest.raises(SupportError, match="No space left on device; free the disk")
    with refused, reserved(path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert not path.exists()


def test_its_parts_lie_below_one_folder() -> None:
    with tarfile.open(fileobj=io.BytesIO(pack(PARTS, 1_767_600_000.5))) as archive:
        members = archive.getmembers()
        read = [file.read() for each in members if (file := archive.extractfile(each))]
    assert [each.name for each in members] == [
        "genesys-streams-support/a.json",
        "genesys-streams-support/workers/1/metrics.txt",
    ]
    assert {(each.mtime, each.mode, each.uid) for each in members} == {(1_767_600_000, 0o600, 0)}
    assert read == [b"{}", b"x 1\n"]
