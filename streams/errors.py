"""Every error this program raises, in one tree.

StreamsError
├── SettingsError              a variable is missing or wrong; exit 2
├── RecordError                why a record is not handled as an event
│   ├── EnvelopeError          bytes that are no event
│   ├── RecordSkipped          named in SKIP_RECORDS: not even read
│   └── InternalError          a fault of this program in the work on one record
├── KafkaError
│   ├── PublishError           Kafka did not acknowledge a record
│   │   ├── RecordTooLarge     it is larger than the topic, or our producer, takes
│   │   └── WriteRefused       the authoriser does not let us write to the topic
│   ├── TopicsError            topics missing or not as declared
│   ├── TokenRefused           the token endpoint does not know our client, or gives no token
│   └── NotAuthorized          the cluster's authoriser does not let us do what the work needs
├── QueueError                 SQS did not do what was asked of the queue
│   ├── QueueAway              no answer, a 5xx, or too many requests: it passes
│   └── QueueRefused           credentials, rights or the queue: somebody has to mend it
├── ApiError                   Genesys Cloud did not do what was asked
│   ├── Unauthorized           401 twice, or no token to be had
│   ├── Forbidden              403
│   ├── NotFound               404, 410
│   ├── Conflict               409, 412
│   ├── RateLimited            429
│   ├── ServerError            5xx
│   ├── ApiTimeout             no answer in time
│   ├── CircuitOpen            not sent: the circuit breaker is open
│   ├── ConnectionLost         refused, reset or closed before the answer
│   ├── WrapUpClosed           400: no wrap-up code is taken for this leg any more
│   └── BadRequest             any other 4xx, or a body that is not what was promised
├── WorkerError                the worker can not do its job and ends
│   ├── OwnershipLost          the partition is no longer ours: stop at once, write nothing
│   ├── OffsetHole             records between two offsets never reached us
│   ├── LogCut                 a partition lost records behind our back while we read it
│   ├── MembershipLost         out of the consumer group for good
│   ├── KafkaUnfit             brokers, topics or partitions are not what the work needs
│   ├── UnreadableRecords      bytes that no program can read: an operator decides
│   ├── NewerRelease           a newer release has written what this one can not read
│   ├── StoreError             the disk fails, or the changelog lacks what the disk has
│   └── Stalled                records wait, the frontier stands still, no cause can be named
├── AuditError                 an audit can not keep what it reads
├── SupportError               the support bundle can not be written
├── WorkerSilent               a worker does not answer who asks for a page of it
├── ConsoleError               the operator's page can not do its job and ends
│   └── IndexDamaged           its index can not be read: it is built again
└── DemoError                  a part of the demo did not come up, or ended in the middle

``retriable`` says whether the same call may succeed later without anybody changing anything.
"""

from __future__ import annotations


class StreamsError(Exception):
    """Base of every error of this program."""

    retriable: bool = False


class SettingsError(StreamsError):
    """Settings are missing or wrong. Each problem begins with the variable's name and fits on one
    line. The text of the error has all problems on one line, so that one start shows everything
    there is to do."""

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)
        self.problems = problems

    def __str__(self) -> str:
        return " | ".join(self.problems)


class RecordError(StreamsError):
    """Why a record is not handled as an event. It is the record's fault, never the worker's."""


class EnvelopeError(RecordError):
    """Bytes that are not an event. ``field``: path of the wrong field, None when the whole is
    wrong."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class RecordSkipped(RecordError):
    """An operator has named the record in SKIP_RECORDS, so it was not read at all."""


class InternalError(RecordError):
    """A fault of this program in the work on one record. A later try or a later release may not
    have it, so the record is put off, and becomes a dead letter when it fails too often."""

    retriable = True


class KafkaError(StreamsError):
    """Base of the errors about Kafka."""


class PublishError(KafkaError):
    """Kafka did not acknowledge a record; it may or may not be in the topic."""

    retriable = True


class RecordTooLarge(PublishError):
    """Kafka never accepts the record, however often it is sent."""

    retriable = False


class TopicsError(KafkaError):
    """Topics are missing or differ from ``topics/topics.yaml``."""


class TokenRefused(KafkaError):
    """The token endpoint of OAUTHBEARER refuses: asking it again does not help."""


class NotAuthorized(KafkaError):
    """The cluster's authoriser refuses. The message names principal, operation and resource."""


class WriteRefused(PublishError):
    """The authoriser does not let us write to the topic."""

    retriable = False


class QueueError(StreamsError):
    """SQS did not do what was asked. ``kind``: one word for the metrics."""

    def __init__(self, message: str, kind: str) -> None:
        super().__init__(message)
        self.kind = kind


class QueueAway(QueueError):
    """SQS gave no answer in time, answered 5xx, or had too many requests."""

    retriable = True


class QueueRefused(QueueError):
    """Credentials, rights, the KMS key or the queue are not as they have to be. The message names
    what to mend. The bridge asks on, and goes on once it is mended."""


class ApiError(StreamsError):
    """Genesys Cloud answered with an error, or not at all.

    ``status``: HTTP status or None. ``code``: Genesys' error code. ``correlation_id``: the
    ``ININ-Correlation-Id`` to quote to Genesys support. ``maybe_applied``: the request may have
    taken effect although it failed, so the interaction must be read before a PATCH is repeated.
    ``retry_after``: seconds that the API asked to wait; 0 when it did not ask.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        correlation_id: str | None = None,
        maybe_applied: bool = False,
        retry_after: float = 0.0,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.correlation_id = correlation_id
        self.maybe_applied = maybe_applied
        self.retry_after = retry_after


class Unauthorized(ApiError):
    """401 with a token that was fetched just before, or the token endpoint refuses."""

    retriable = True


class Forbidden(ApiError):
    """403: a scope or permission is missing; waiting does not help."""


class NotFound(ApiError):
    """404, or 410 on a PATCH."""


class Conflict(ApiError):
    """409 or 412: somebody else changed the interaction in the meantime."""


class RateLimited(ApiError):
    """429. ``retry_after``: seconds to keep quiet, as the API said or as drawn."""

    retriable = True

    def __init__(
        self,
        message: str,
        *,
        retry_after: float,
        status: int | None = 429,
        code: str | None = None,
        correlation_id: str | None = None,
    ) -> None:
        super().__init__(
            message,
            status=status,
            code=code,
            correlation_id=correlation_id,
            retry_after=retry_after,
        )


class ServerError(ApiError):
    """5xx. Its ``retry_after`` is for this interaction alone. The circuit breaker finds out whether
    the API as a whole is down."""

    retriable = True


class ApiTimeout(ApiError):
    """No answer within ``API_TIMEOUT_SECONDS``."""

    retriable = True


class CircuitOpen(ApiError):
    """The request was not sent: Genesys Cloud fails, and the circuit breaker has kept the call
    waiting too long."""

    retriable = True


class ConnectionLost(ApiError):
    """Refused, reset or closed before the answer was complete."""

    retriable = True


class WrapUpClosed(ApiError):
    """400 that says: no wrap-up code is taken for this leg any more. Nobody is at fault, and a
    later try would fail as well."""


class BadRequest(ApiError):
    """Any other 4xx, or an answer that is not what the API promises."""


class WorkerError(StreamsError):
    """The worker can not do its job and ends. Its supervisor starts it again."""


class OwnershipLost(WorkerError):
    """The partition was revoked, or may have been: no write and no call may be made for it."""


class OffsetHole(WorkerError):
    """Offsets were skipped although the broker has records there."""


class LogCut(WorkerError):
    """The log of a partition ends below an offset that was read already: the log was cut, or
    replaced by another one."""


class MembershipLost(WorkerError):
    """The worker was thrown out of the consumer group for good, or never let in."""


class KafkaUnfit(WorkerError):
    """Brokers do not answer, a partition can not be read, or a topic is no longer what it was at
    the start. The message names what to mend."""


class UnreadableRecords(WorkerError):
    """A partition has records that can not be read. It goes on behind them only after an operator
    has named them in SKIP_RECORDS."""


class NewerRelease(WorkerError):
    """A newer release has written what this one can not read: it leaves that alone, and ends. The
    message says what it met, and which release to start."""


class StoreError(WorkerError):
    """The table's stores can not be used. The message names what to free, mend or remove."""


class Stalled(WorkerError):
    """Records wait and the frontier stands still, and no cause can be named."""


class AuditError(StreamsError):
    """An audit has no room on the disk for what it reads. The message says what to free."""


class SupportError(StreamsError):
    """The support bundle can not be written. The message names what to do."""


class WorkerSilent(StreamsError):
    """A worker that was asked for a page does not answer."""


class ConsoleError(StreamsError):
    """The operator's page can not do its job: the disk fails, or is another console's."""


class IndexDamaged(ConsoleError):
    """The index on disk can not be read. Nothing is lost, for Kafka has all that it has."""


class DemoError(StreamsError):
    """A part of the demo did not come up, or ended in the middle of it."""
