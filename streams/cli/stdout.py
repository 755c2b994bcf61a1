"""Where a command's data goes, and what is said when it does not get there.

A full disk, a terminal that is gone, a stdout that was closed: Python tells of each by a traceback,
and of what is left in a buffer once more at its own end, with exit code 120. Here it becomes one
error of ours, whoever wrote: click, rich or the interpreter.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:  # collections.abc has it from Python 3.12 on
    from _typeshed import ReadableBuffer


class StdoutLost(click.ClickException):
    """What a command prints does not arrive."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(
            f"cannot write to stdout: {cause.strerror}; what was printed is not whole. "
            "Send it where it can be written, and run the command again"
        )


def guard_stdout() -> None:
    """From here on a failing stdout raises StdoutLost. A reader that is gone, as behind ``| head``,
    raises BrokenPipeError as ever: it has read enough, and nothing is said of it.

    What the encoding of stdout lacks is escaped. JSON is UTF-8 whatever the encoding is.
    """
    old = sys.stdout
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(_Guarded(None if old is None else old.fileno())),
        encoding="utf-8" if old is None else old.encoding,
        errors="backslashreplace",
        line_buffering=old is not None and old.isatty(),
    )


class _Guarded(io.RawIOBase):
    """The descriptor below all buffers. Once a write has failed the others are dropped, for the
    error has been told, and the interpreter flushes what is left when it ends. ``descriptor``: None
    for a stdout that was closed from the start."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor
        self._is_lost = False

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        if self._descriptor is None:
            raise io.UnsupportedOperation("stdout is closed")
        return self._descriptor

    def isatty(self) -> bool:
        return self._descriptor is not None and os.isatty(self._descriptor)

    def write(self, data: ReadableBuffer) -> int:
        if self._is_lost:
            return memoryview(data).nbytes
        try:
            return self._written(data)
        except BrokenPipeError:
            self._is_lost = True
            raise
        except OSError as exc:
            self._is_lost = True
            raise StdoutLost(exc) from exc

    def _written(self, data: ReadableBuffer) -> int:
        if self._descriptor is None:
            raise OSError(errno.EBADF, "it is closed")
        while True:
            try:
                return os.write(self._descriptor, data)
            except BlockingIOError:  # a pipe that whoever started us has made non-blocking
                select.select([], [self._descriptor], [])
