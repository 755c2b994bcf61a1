"""The CPU time of processes and all they started, watched from outside."""

from __future__ import annotations

import os
import threading
import time
from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

# Short beside the second or two that a fast contender needs, and a look costs 0.1 ms a process.
LOOK_SECONDS = 0.05

# Of /proc/PID/stat behind the program's name: times of the process and of children it has buried.
_TIMES = slice(11, 15)


class CpuWatch:
    """Looks at the CPU time of processes until it is left. Context manager."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._pids = pids
        self._at: list[float] = []
        self._used: list[float] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> CpuWatch:
        self._look()
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def between(self, since: float, until: float) -> float:
        """CPU seconds between two times, in seconds since the epoch."""
        at, used = self._at, self._used
        return interpolated(at, used, until) - interpolated(at, used, since)

    def _watch(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            self._look()

    def _look(self) -> None:
        used = sum(seconds(pid) for pid in self._pids)
        self._at.append(time.time())
        self._used.append(used)


def interpolated(at: Sequence[float], values: Sequence[float], wanted: float) -> float:
    """The value at a time between two looks; outside of them that of the nearest."""
    after = bisect_left(at, wanted)
    if after == 0:
        return values[0]
    if after == len(at):
        return values[-1]
    share = (wanted - at[after - 1]) / (at[after] - at[after - 1])
    return values[after - 1] + share * (values[after] - values[after - 1])


def seconds(pid: int) -> float:
    """CPU seconds of a process and its children; 0 when it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        tasks = list(Path(f"/proc/{pid}/task").glob("*/children"))
        children = [int(each) for task in tasks for each in task.read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    ticks = sum(int(each) for each in stat.rpartition(")")[2].split()[_TIMES])
    return ticks / os.sysconf("SC_CLK_TCK") + sum(seconds(child) for child in children)
