"""A fault of this program in the work on a record is the record's alone (promise 14)."""

from __future__ import annotations

import logging

from streams.errors import InternalError, KafkaError, WorkerError
from streams.worker.lanes.source_record import SourceRecord

log = logging.getLogger(__name__)

# Errors that are no fault of the record in hand, and never become its outcome: a lost partition, a
# full disk, a Kafka that does not acknowledge, a process out of memory.
NOT_THE_RECORDS = (WorkerError, KafkaError, MemoryError)


def internal_error(record: SourceRecord, fault: Exception) -> InternalError:
    """Log the fault, with the traceback only the first time that the record is worked on. Returns
    the error that becomes the record's outcome."""
    log.error(
        "a fault of this program in the work on a record",
        exc_info=fault if record.attempt == 0 else None,
        extra={
            "interaction": record.interaction_id,
            "partition": record.source.partition,
            "offset": record.source.offset,
            "error": repr(fault),
        },
    )
    return InternalError(
        f"a fault of this program ({type(fault).__name__}) in the work on this record; the "
        "worker's log has the traceback: report it"
    )
