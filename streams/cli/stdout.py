"""A command's standard output, and the error when it can not be written.

A full disk, a terminal that is gone, a stdout that was closed: Python reports each with a
traceback, and reports what is left in a buffer once more at its own end, with exit code 120. Here
each becomes one error of ours, whether click, rich or the interpreter wrote.
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
    """The output of a command does not arrive."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(
            f"cannot write to stdout: {cause.strerror}; what was printed is not whole. "
            "Send it where it can be written, and run the command again"
        )


def guard_stdout() -> None:
    """From here on a failing stdout raises StdoutLost. A reader that is gone, as behind ``| head``,
    still raises BrokenPipeError: it has read enough, and no error is reported.

    Characters that the encoding of stdout lacks are escaped. JSON is UTF-8 whatever the encoding
    is.
    """
    old = sys.stdout
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(_Guarded(None if old is None else old.fileno())),
        encoding="utf-8" if old is None else old.encoding,
        errors="backslashreplace",
        line_buffering=old is not None and old.isatty(),
    )


class _Guarded(io.RawIOBase):
    """The descriptor below all buffers. After one failed write the later ones are dropped: the
    error was reported already, and the interpreter still flushes the rest when it ends.
    ``descriptor``: None for a stdout that was closed from the start."""

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
            except BlockingIOError:  # a pipe that our parent process made non-blocking
                select.select([], [self._descriptor], [])
