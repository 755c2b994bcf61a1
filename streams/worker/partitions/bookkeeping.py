"""Replaces Faust's flow control and read offsets, which would lose records (promise 2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from faust.types import TP
from mode.utils.queues import FlowControlEvent


class GentleFlowControl(FlowControlEvent):
    """Flow control whose ``resume`` clears the queues only when the flow was suspended.

    Faust's recovery resumes twice. The second time the queues hold records already fetched, and
    Faust's own flow control would clear and lose them (shown by test_bookkeeping.py).
    """

    def resume(self) -> None:
        was_suspended = not self.is_active()
        self._suspend.clear()
        self._resume.set()
        if was_suspended:
            self.clear()


class NoReadOffsets(dict[TP, int | None]):
    """Faust's memory of read offsets, which ignores source topics.

    Faust may write a read offset after its partition was revoked. The first records of the next
    assignment would then be dropped as already read (shown by test_faust_consumer.py).
    """

    def __init__(self, is_source: Callable[[TP], bool]) -> None:
        super().__init__()
        self._is_source = is_source

    def __missing__(self, tp: TP) -> None:
        return None

    def __setitem__(self, tp: TP, offset: int | None) -> None:
        if not self._is_source(tp):
            super().__setitem__(tp, offset)

    def update(self, *args: Any, **kwargs: Any) -> None:
        for tp, offset in dict(*args, **kwargs).items():
            self[tp] = offset
