"""Where every task and thread of this process stands, for the log of a worker that hangs.

A stall has no cause that can be named; what each task waits for is what is left to find it by.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

# Different stacks that are written: the log passes 50 lines of a kind. Two thousand lanes that wait
# for one thing are one stack.
MOST_STACKS = 40

# Calls of one stack, from the innermost out: the outer ones are the same for all.
MOST_CALLS = 20

# Characters of what faulthandler writes of the threads; it has bounds of its own, some 100 threads.
MOST_OF_THREADS = 20_000


def log_stacks(log: logging.Logger) -> None:
    """One error line for each different stack of a task, the most frequent first, and one for the
    threads."""
    stacks = Counter(_stack(task) for task in asyncio.all_tasks())
    for stack, number in stacks.most_common(MOST_STACKS):
        log.error("where %d tasks stand", number, extra={"stack": stack})
    if (left := len(stacks) - MOST_STACKS) > 0:
        log.error("other stacks are left out", extra={"stacks": left})
    log.error("where the threads stand", extra={"stack": _threads()})


def _stack(task: asyncio.Task[Any]) -> str:
    """The name of the task's coroutine, and what it awaits, the innermost call first."""
    coroutine = task.get_coro()
    calls = list(_calls(coroutine))
    shown = " < ".join(_place(frame) for frame in reversed(calls[-MOST_CALLS:]))
    return f"{getattr(coroutine, '__qualname__', coroutine)}: {shown or 'not begun, or at its end'}"


def _calls(awaited: Any) -> Iterator[FrameType]:
    """The frames of a coroutine and of all that it awaits, the outermost first. A task's own
    ``get_stack`` has the outermost alone."""
    while awaited is not None:
        for kind in ("cr", "gi", "ag"):
            frame = getattr(awaited, f"{kind}_frame", None)
            if frame is not None:
                yield frame
                break
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)


def _place(frame: FrameType) -> str:
    code = frame.f_code
    path = Path(code.co_filename)
    return f"{path.parent.name}/{path.name}:{frame.f_lineno} {code.co_name}"


def _threads() -> str:
    # faulthandler writes to a descriptor alone.
    with tempfile.TemporaryFile() as file:
        faulthandler.dump_traceback(file, all_threads=True)
        file.seek(0)
        lines = file.read(MOST_OF_THREADS).decode(errors="replace").splitlines()
    return " | ".join(line.strip() for line in lines if line.strip())
