"""Finds where each source partition starts, and reports a start that is not where it should be.

``starting_point`` judges. This module asks for the topics' ids, and turns each notice into a log
line and a metric.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from faust.types import TP

from streams.clock import Clock
from streams.errors import KafkaError, LogCut
from streams.stopping import in_daemon_thread
from streams.worker.metrics import WorkerMetrics
from streams.worker.partitions.offset_range import OffsetRange
from streams.worker.partitions.starting_point import Found, Notice, Start, cut_life, starting_point

log = logging.getLogger(__name__)


class Lives:
    """``ask``: returns the ids of the source topics by name, as the cluster has them now. It may
    block, and raises KafkaError. A topic whose id is unknown is left out."""

    def __init__(
        self, ask: Callable[[], Mapping[str, str]], *, clock: Clock, metrics: WorkerMetrics
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._metrics = metrics
        self._ids: Mapping[str, str] = {}

    async def starting_points(self, found: Mapping[TP, Found]) -> dict[TP, Start]:
        """Where each of these partitions is to be read from."""
        await self._learn_ids()
        now = self._now_ms()
        starts = {
            tp: starting_point(each, self._ids.get(tp.topic, ""), now) for tp, each in found.items()
        }
        for tp, start in sorted(starts.items()):
            self._log_start(tp, found[tp], start)
        self._log_unsigned({tp: at for tp, at in starts.items() if at.notice is Notice.UNSIGNED})
        return starts

    async def cut(self, tp: TP, stood: int, kept: OffsetRange) -> tuple[Start, LogCut]:
        """The log of a partition was cut while it was read. Returns where the next start is to go
        on, and the reason to end. ``stood``: the offset expected next. ``kept``: what is left of
        the log."""
        await self._learn_ids()
        self._metrics.log_cut(tp)
        reason = LogCut(
            f"{tp.topic}/{tp.partition}: the log was cut while it was read: offset {stood} was "
            f"expected next, and the broker has {kept.begin} up to {kept.end} by now (an unclean "
            "election, or the topic was deleted and made anew); records that nobody has decided "
            "may be gone with what was cut off; the next start goes on from what the broker has, "
            f"at offset {kept.begin}"
        )
        life = cut_life(self._ids.get(tp.topic, ""), self._now_ms())
        return Start(kept.begin, life, Notice.CUT), reason

    def _now_ms(self) -> int:
        return round(self._clock.time() * 1000)

    async def _learn_ids(self) -> None:
        try:
            self._ids = await in_daemon_thread(self._ask)
        except KafkaError as failure:
            log.warning(
                "the ids of the source topics are not to be had: a topic that was made anew since "
                "the last look would not be noticed",
                extra={"error": str(failure)},
            )

    def _log_start(self, tp: TP, found: Found, start: Start) -> None:
        facts = {
            "topic": tp.topic,
            "partition": tp.partition,
            "committed": found.committed,
            "beginning": found.beginning,
            "end": found.end,
        }
        if start.notice is Notice.CUT:
            self._metrics.log_cut(tp)
            log.error(
                "the committed offset is past the end: the log has lost its tail, or the offset "
                "was set wrongly; records that nobody has decided may be gone with the tail. The "
                "partition is read again from its beginning",
                extra=facts,
            )
        elif start.notice is Notice.ANOTHER:
            self._metrics.log_cut(tp)
            log.error(
                "the committed offset belongs to another topic of this name, which was deleted "
                "and made anew: it means nothing here. The partition is read from its beginning",
                extra=facts,
            )
        elif start.notice is Notice.DELETED:
            assert found.committed is not None
            gone = found.beginning - found.committed
            self._metrics.deleted_undecided(tp, gone)
            log.error(
                "records are gone that nobody has decided: retention deleted them before they "
                "were read. The partition is read from its beginning",
                extra=facts | {"gone": gone},
            )

    def _log_unsigned(self, starts: Mapping[TP, Start]) -> None:
        if starts:
            log.warning(
                "committed offsets that no worker of this release has set: an older release, or "
                "somebody by hand. They are taken as they are; what lies below them is passed over",
                extra={
                    "offsets": {
                        f"{tp.topic}/{tp.partition}": at.offset for tp, at in sorted(starts.items())
                    }
                },
            )
