"""The directory of one worker's RocksDB stores: made, locked for as long as the worker lives."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from streams.errors import SettingsError

log = logging.getLogger(__name__)


# File beside the stores that names the cluster and the changelog from which they were built.
ORIGIN = "origin.json"


class Origin(msgspec.Struct, frozen=True):
    """The ids of the cluster and of the changelog topic; empty where the broker does not say
    them."""

    cluster: str = ""
    changelog: str = ""

    def differs(self, other: Origin) -> bool:
        """Whether an id that both know differs."""
        return _differ(self.cluster, other.cluster) or _differ(self.changelog, other.changelog)

    def completed(self, other: Origin) -> Origin:
        """This origin, completed with the ids that only the other one knows."""
        return Origin(self.cluster or other.cluster, self.changelog or other.changelog)


@contextmanager
def claim(directory: Path, *, embedded: bool, origin: Origin) -> Iterator[Path]:
    """The worker's own directory, under ``DATA_DIR``. Raises SettingsError when it can not be
    written to, or is in use by another worker.

    The lock ends with the process, however that ends. Stores from an ``embedded`` broker are thrown
    away: that broker's memory is gone when it is started again, and records of another life would
    pass for records of this one. Stores of another cluster, or of a changelog that was deleted and
    made anew, are thrown away for the same reason, and restored from the changelog.
    """
    path = directory.absolute()
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = (path / "lock").open("w")
    except OSError as failure:
        raise _unwritable(path, failure) from failure
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SettingsError(
                f"DATA_DIR: {path} is in use by another worker; give each worker a directory of "
                "its own"
            ) from None
        stores = path / "stores"
        try:
            if embedded:
                shutil.rmtree(stores, ignore_errors=True)
            else:
                _match(stores, path / ORIGIN, origin)
            stores.mkdir(exist_ok=True)
        except OSError as failure:
            raise _unwritable(path, failure) from failure
        yield stores


def _match(stores: Path, file: Path, origin: Origin) -> None:
    """Throw the stores away if they are of another origin, and write this origin down. Raises
    OSError.

    Stores that an older release left have no such file. They are taken to be of this origin;
    whether their offsets fit the changelog is checked later (``stores.py``).
    """
    before = _written(file)
    if origin.differs(before):
        log.warning(
            "the stores are of another cluster, or of a changelog that was deleted and made "
            "anew: they are thrown away, to be read again from the changelog",
            extra={"stores": str(stores), "of": str(before), "now": str(origin)},
        )
        # They are gone already after a start that ended before it had written its origin down, or
        # when an operator has removed them. To fail then would be to fail at every later start.
        if stores.exists():
            shutil.rmtree(stores)
        before = Origin()
    new = file.with_suffix(".new")
    with new.open("wb") as writing:
        writing.write(msgspec.json.encode(origin.completed(before)))
        writing.flush()
        os.fsync(writing.fileno())
    new.replace(file)


def _written(file: Path) -> Origin:
    try:
        return msgspec.json.decode(file.read_bytes(), type=Origin)
    except (FileNotFoundError, msgspec.MsgspecError, UnicodeDecodeError):
        return Origin()


def _unwritable(path: Path, failure: OSError) -> SettingsError:
    return SettingsError(f"DATA_DIR: cannot write to {path}: {failure.strerror}")


def _differ(one: str, other: str) -> bool:
    return bool(one and other) and one != other
