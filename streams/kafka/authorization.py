"""What the cluster's authoriser does not let us do: one line that names principal, operation and
resource."""

from __future__ import annotations

from collections.abc import Iterable

import aiokafka.errors

from streams.errors import NotAuthorized
from streams.kafka.acls import Operation, Right
from streams.kafka.principal import principal
from streams.kafka.settings import KafkaSettings

CURE = "give the principal this right (docs/kafka-access.md, scripts/acls)"


def refused(settings: KafkaSettings, missing: Iterable[Right]) -> str:
    """The line about rights that we lack."""
    return line(principal(settings), missing)


def line(who: str, missing: Iterable[Right]) -> str:
    """The same for this principal."""
    return f"{who} may not {', '.join(map(str, missing))}; {CURE}"


def refusal_of_topic(
    settings: KafkaSettings, failure: BaseException, topic: str, operation: Operation
) -> str | None:
    """The line, if a broker has refused this to us; else None."""
    if not isinstance(failure, aiokafka.errors.TopicAuthorizationFailedError):
        return None
    return refused(settings, [Right("topic", topic, operation)])


def refusal_to_read(settings: KafkaSettings, failure: BaseException) -> NotAuthorized | None:
    """The refusal behind a consumer's failure, if it is one: it names its topics itself."""
    error: BaseException | None = failure
    while error is not None:
        if isinstance(error, aiokafka.errors.TopicAuthorizationFailedError):
            return NotAuthorized(refused(settings, _reading(error)))
        error = error.__cause__
    return None


def _reading(error: BaseException) -> Iterable[Right]:
    for named in error.args:
        for topic in [named] if isinstance(named, str) else sorted(named):
            yield Right("topic", topic, Operation.READ)


def refusal_of_group(
    settings: KafkaSettings, failure: BaseException, operation: Operation = Operation.READ
) -> str | None:
    """The line, if a broker has refused us the group; else None."""
    if not isinstance(failure, aiokafka.errors.GroupAuthorizationFailedError):
        return None
    return refused(settings, [Right("group", settings.app_id, operation)])
