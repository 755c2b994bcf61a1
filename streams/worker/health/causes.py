"""Why Faust or aiokafka gave up, as one line that an operator can act on."""

from __future__ import annotations

from collections.abc import Iterator

from aiokafka import errors

from streams.core.foreign_text import foreign_text
from streams.errors import NotAuthorized, StreamsError, WriteRefused

# A line of this length is still read at a glance; a library's message may quote a whole record.
MOST_CHARACTERS = 400

CREDENTIALS_REFUSED = (
    "Kafka does not accept our credentials; check KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD"
)

# What an operator can do about errors whose message is no more than their name.
CURES: dict[type[BaseException], str] = {
    errors.TopicAuthorizationFailedError: (
        "this client lacks the right to read or describe the topic; give its principal READ and "
        "DESCRIBE on it"
    ),
    errors.GroupAuthorizationFailedError: (
        "this client lacks the right to the consumer group, which is APP_ID; give its principal "
        "READ on it"
    ),
    errors.ClusterAuthorizationFailedError: (
        "this client lacks a right to the cluster; give its principal IDEMPOTENT_WRITE, or WRITE "
        "on the topics"
    ),
    errors.AuthenticationFailedError: CREDENTIALS_REFUSED,
    errors.SaslAuthenticationFailed: CREDENTIALS_REFUSED,
    errors.InvalidSessionTimeoutError: (
        "the brokers do not allow this session time-out; KAFKA_SESSION_TIMEOUT_SECONDS has to lie "
        "between group.min.session.timeout.ms and group.max.session.timeout.ms"
    ),
    errors.InconsistentGroupProtocolError: (
        "the consumer group, which is APP_ID, has members of another program; give each its own"
    ),
    errors.UnknownTopicOrPartitionError: (
        "a topic or partition is gone; run `genesys-streams topics check`"
    ),
    errors.CorruptRecordException: (
        "what the broker has of this partition is damaged; restore the replica, or skip the "
        "record with SKIP_RECORDS"
    ),
    errors.OffsetOutOfRangeError: "the broker has no record at that offset any more; start again",
    errors.UnsupportedCodecError: (
        "the topic is compressed with a codec that is not installed here; run "
        "`genesys-streams topics check`"
    ),
}


def in_words(failure: BaseException) -> str:
    """One line: the kind of the error, what it says (often the topic or partition), the cure."""
    chain = list(_causes(failure))
    cause = next((each for each in chain if _is_told(each)), chain[-1])
    if isinstance(cause, StreamsError):
        return foreign_text(str(cause), MOST_CHARACTERS)
    text = foreign_text(": ".join(_parts(cause)), MOST_CHARACTERS)
    cure = _cure(cause)
    return f"{text}: {cure}" if cure else text


def _is_told(error: BaseException) -> bool:
    # A refusal has been put in words already, with the principal.
    return isinstance(error, NotAuthorized | WriteRefused) or _cure(error) is not None


def _parts(error: BaseException) -> Iterator[str]:
    yield type(error).__name__
    # aiokafka puts the error's number and name in front of its arguments (test_aiokafka.py): take
    # the arguments alone.
    if said := ", ".join(str(part) for part in error.args):
        yield said


def _cure(error: BaseException) -> str | None:
    return next((cure for kind, cure in CURES.items() if isinstance(error, kind)), None)


def _causes(failure: BaseException) -> Iterator[BaseException]:
    """The error and each error that it was raised from, down to the first cause."""
    seen: set[int] = set()
    error: BaseException | None = failure
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__
