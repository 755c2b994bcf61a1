"""Runs: consecutive records of one partition, handed through Faust as one message.

Faust pays for each message (two tasks, a queue, sensors), whatever is in it.
A run makes that the price of many records.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Protocol

import faust
from faust.types import TP, AppT, EventT
from faust.types.tuples import ConsumerMessage, Message

# Records in a run. Larger ones gain nothing that can be measured, and would let one partition keep
# the others waiting for longer.
RUN_RECORDS = 500


class Record(Protocol):
    """A record as the consumer fetches it. ``timestamp``: epoch milliseconds, or None."""

    @property
    def offset(self) -> int: ...

    @property
    def timestamp(self) -> int | None: ...

    @property
    def key(self) -> bytes | None: ...

    @property
    def value(self) -> bytes | None: ...

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...


Run = Sequence[Record]


def runs(fetched: Mapping[TP, Sequence[Record]]) -> Iterator[tuple[TP, Run]]:
    """The records fetched, in runs, one of each partition in turn."""
    left = {tp: iter(records) for tp, records in fetched.items()}
    while left:
        for tp, records in list(left.items()):
            run = tuple(islice(records, RUN_RECORDS))
            if run:
                yield tp, run
            else:
                del left[tp]


def follows(run: Run, expected: int) -> bool:
    """Whether the run begins at the expected offset or behind it, and each offset is higher than
    the one before it."""
    for record in run:
        if record.offset < expected:
            return False
        expected = record.offset + 1
    return True


def as_message(tp: TP, run: Run, generation: int) -> Message:
    """The run as one message of Faust's, with the last record's offset."""
    return ConsumerMessage(
        tp.topic,
        tp.partition,
        run[-1].offset,
        timestamp=0.0,
        timestamp_type=0,
        headers=None,
        key=None,
        value=run,  # type: ignore[arg-type]  # RunSchema passes it on as it is
        checksum=None,
        tp=tp,
        generation_id=generation,
    )


class RunSchema(faust.Schema[Any, Any]):
    """Decodes nothing: the value of a message is its run."""

    def compile(
        self,
        app: AppT,
        *,
        on_key_decode_error: Any = None,
        on_value_decode_error: Any = None,
        default_propagate: bool = False,
    ) -> Any:
        async def decode(message: Message, *, propagate: bool = False) -> EventT[Any]:
            return app.create_event(None, message.value, None, message)

        return decode
