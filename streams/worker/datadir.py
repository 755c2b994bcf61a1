"""The directory of one worker's RocksDB stores: made, locked for as long as the worker lives."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streams.errors import SettingsError
from streams.settings import Settings


@contextmanager
def claim(settings: Settings, *, embedded: bool) -> Iterator[Path]:
    """The worker's own directory under ``DATA_DIR``. Raises SettingsError when it is not to be had.

    The lock goes with the process, however it ends. Stores kept from an ``embedded`` broker are
    thrown away: that broker's memory is gone when it is started again, and records of another life
    would pass for records of this one.
    """
    path = settings.data_dir.absolute() / settings.app_id
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = (path / "lock").open("w")
    except OSError as failure:
        raise SettingsError(f"DATA_DIR: cannot write to {path}: {failure.strerror}") from failure
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SettingsError(
                f"DATA_DIR: {path} is in use by another worker; give each worker a directory of "
                "its own"
            ) from None
        stores = path / "stores"
        if embedded:
            shutil.rmtree(stores, ignore_errors=True)
        stores.mkdir(exist_ok=True)
        yield stores
