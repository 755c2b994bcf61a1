"""What AWS' client raises is one line that says what to do."""

from __future__ import annotations

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    UnauthorizedSSOTokenError,
)
from hypothesis import given
from hypothesis import strategies as st

from streams.bridge.sqs.refusals import queue_error
from streams.errors import QueueAway, QueueRefused


def answered(code: str, status: int = 400, message: str = "said by AWS") -> ClientError:
    response = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(response, "ReceiveMessage")


@pytest.mark.parametrize(
    ("failure", "kind", "said"),
    [
        (answered("ExpiredToken", 403), "credentials-expired", "renew them"),
        (answered("ExpiredTokenException", 403), "credentials-expired", "renew them"),
        (answered("InvalidClientTokenId", 403), "credentials-wrong", "AWS_ACCESS_KEY_ID"),
        (answered("SignatureDoesNotMatch", 403), "credentials-wrong", "region"),
        (answered("RequestTimeTooSkewed", 403), "clock", "set the clock"),
        (answered("AWS.SimpleQueueService.NonExistentQueue"), "no-queue", "BRIDGE_QUEUE_URL"),
        (answered("QueueDoesNotExist"), "no-queue", "BRIDGE_QUEUE_URL"),
        (answered("AccessDenied", 403), "denied", "sqs:ReceiveMessage"),
        (answered("AccessDeniedException", 403), "denied", "sqs:GetQueueAttributes"),
        (answered("KmsAccessDenied"), "key", "kms:Decrypt"),
        (answered("KMS.DisabledException"), "key", "KMS.DisabledException"),
        (answered("Whatever"), "refused", "said by AWS"),
        (NoCredentialsError(), "credentials-missing", "AWS_PROFILE"),
        (UnauthorizedSSOTokenError(), "credentials-missing", "AWS_PROFILE"),
    ],
)
def test_somebody_has_to_mend_it(failure: Exception, kind: str, said: str) -> None:
    error = queue_error("ReceiveMessage", failure)
    assert isinstance(error, QueueRefused)
    assert error.kind == kind
    assert said in str(error)
    assert str(error).startswith("SQS ReceiveMessage: ")


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (answered("RequestThrottled", 403), "throttled"),
        (answered("ThrottlingException"), "throttled"),
        (answered("KmsThrottled"), "throttled"),
        (answered("KMS.ThrottlingException"), "throttled"),
        (answered("OverLimit", 403), "over-limit"),
        (answered("InternalFailure", 500), "server-error"),
        (answered("ServiceUnavailable", 503), "server-error"),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), "no-answer"),
        (TimeoutError(), "no-answer"),
        (ConnectionResetError(), "no-answer"),
    ],
)
def test_it_passes(failure: Exception, kind: str) -> None:
    error = queue_error("DeleteMessageBatch", failure)
    assert isinstance(error, QueueAway)
    assert error.kind == kind
    assert error.retriable


@given(st.text(), st.text(), st.integers(100, 599))
def test_it_is_one_printable_line_whatever_aws_says(code: str, message: str, status: int) -> None:
    text = str(queue_error("ReceiveMessage", answered(code, status, message)))
    assert text.isprintable()
    assert len(text) < 1500


def test_no_text_of_another_program_is_told() -> None:
    """It may have anything in it; a library's own errors are shown by their name."""
    assert "s3cret" not in str(queue_error("ReceiveMessage", OSError("s3cret")))
