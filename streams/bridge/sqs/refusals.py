"""What AWS' client raises, in words that say what to do. No I/O."""

from __future__ import annotations

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    SSOError,
    TokenRetrievalError,
)

from streams.bridge.sqs.metrics import Operation
from streams.core.foreign_text import foreign_text
from streams.errors import QueueAway, QueueError, QueueRefused

# Of a text of AWS' own: an ARN of a role and one of a queue fit in.
TEXT_LENGTH = 500

# What to do for the codes of AWS' error answers, by what they have in common. The codes come with
# and without `AWS.SimpleQueueService.` or `Exception`, depending on the protocol.
_REFUSALS: dict[str, tuple[tuple[str, ...], str]] = {
    "credentials-expired": (
        ("ExpiredToken", "RequestExpired", "TokenRefreshRequired"),
        "the AWS credentials have expired; renew them, and start the bridge again if they are in "
        "its environment",
    ),
    "credentials-wrong": (
        (
            *("InvalidClientTokenId", "UnrecognizedClient", "InvalidAccessKeyId", "AuthFailure"),
            *("SignatureDoesNotMatch", "InvalidSignature", "IncompleteSignature"),
            "MissingAuthenticationToken",
        ),
        "AWS does not know the credentials; check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and "
        "AWS_SESSION_TOKEN, and that the region is the queue's",
    ),
    "clock": (
        ("RequestTimeTooSkewed",),
        "this machine's clock is wrong, so AWS takes no signature; set the clock",
    ),
    "no-queue": (
        ("NonExistentQueue", "QueueDoesNotExist", "InvalidAddress"),
        "there is no such queue; check BRIDGE_QUEUE_URL, its account and its region, and "
        "AWS_ENDPOINT_URL if it is set",
    ),
    "key": (
        ("KMS.", "KmsAccessDenied", "KmsDisabled", "KmsInvalid", "KmsNotFound", "KmsOptIn"),
        "the queue's KMS key can not be used; enable it, and allow the bridge's role kms:Decrypt",
    ),
    "denied": (
        ("AccessDenied", "NotAuthorized"),
        "it is not allowed; the bridge's role needs sqs:ReceiveMessage, sqs:DeleteMessage, "
        "sqs:ChangeMessageVisibility and sqs:GetQueueAttributes on the queue, and kms:Decrypt on "
        "its key",
    ),
}

_PASSING: dict[str, tuple[tuple[str, ...], str]] = {
    "throttled": (
        ("Throttl", "TooManyRequests", "RequestLimitExceeded", "SlowDown", "KmsThrottled"),
        "AWS has too many requests of this account; the bridge asks more slowly",
    ),
    "over-limit": (
        ("OverLimit",),
        "too many messages of the queue are in the hands of readers; look for a reader that "
        "deletes none",
    ),
}

_NO_CREDENTIALS = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    TokenRetrievalError,
    SSOError,
)


def queue_error(operation: Operation, failure: Exception) -> QueueError:
    """The error of ours for what came of a request. One line; of AWS' own text a bounded part."""
    if isinstance(failure, ClientError):
        return _answered(operation, failure)
    if isinstance(failure, _NO_CREDENTIALS):
        return QueueRefused(
            f"SQS {operation}: no AWS credentials can be had ({type(failure).__name__}); give the "
            "task, pod or machine a role, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
            "AWS_PROFILE",
            "credentials-missing",
        )
    # What gets AWS' credentials raises RuntimeError where those that it gets are out of date.
    said = str(failure) if isinstance(failure, BotoCoreError | RuntimeError) else ""
    why = foreign_text(said, TEXT_LENGTH) or type(failure).__name__
    return QueueAway(
        f"SQS {operation}: no answer: {why}; check the way to AWS, and AWS_ENDPOINT_URL if it is "
        "set",
        "no-answer",
    )


def _answered(operation: Operation, failure: ClientError) -> QueueError:
    error = failure.response.get("Error", {})
    code = foreign_text(str(error.get("Code", "")), TEXT_LENGTH)
    status = failure.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    for kind, (codes, what) in _PASSING.items():
        if any(each in code for each in codes):
            return QueueAway(f"SQS {operation}: {what} ({code})", kind)
    for kind, (codes, what) in _REFUSALS.items():
        if any(each in code for each in codes):
            return QueueRefused(f"SQS {operation}: {what} ({code})", kind)
    text = foreign_text(str(error.get("Message", "")), TEXT_LENGTH)
    if isinstance(status, int) and status >= 500:
        return QueueAway(
            f"SQS {operation}: AWS answers {status} ({code}): {text}; it passes, or see AWS' "
            "health page",
            "server-error",
        )
    return QueueRefused(
        f"SQS {operation}: AWS answers {status} ({code}): {text}; check BRIDGE_QUEUE_URL",
        "refused",
    )
