"""The wall clock of one process, set forward and back while it runs. Its monotonic clock is left
alone, as it is where an administrator or NTP sets a machine's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.built_programs import built


class Clocks:
    """By the name of a process. ``home``: where their files go."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._library = built("faketime")

    def variables(self, name: str) -> Mapping[str, str]:
        """Of the environment in which the process is to be started."""
        file = self._file(name)
        if not file.exists():
            self._set(name, 0)
        return {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            # How soon a change is seen, seconds; ten by default.
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    @contextmanager
    def set_by(self, name: str, seconds: float) -> Iterator[None]:
        """So far off for as long as the block."""
        self._set(name, seconds)
        try:
            yield
        finally:
            self._set(name, 0)

    def _set(self, name: str, seconds: float) -> None:
        # In one step: the library reads it whenever it likes.
        new = self._file(name).with_suffix(".new")
        new.write_text(f"{seconds:+.3f}\n")
        new.replace(self._file(name))

    def _file(self, name: str) -> Path:
        return self._home / f"{name.replace(' ', '-')}.clock"
