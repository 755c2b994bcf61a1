"""The queue behind AWS' client: whatever that raises, the bridge goes on."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from streams.bridge.sqs.queue import SqsQueue
from streams.errors import QueueAway


@pytest.mark.parametrize(
    "failure",
    [
        RuntimeError(
            "Credentials were refreshed, but the refreshed credentials are still expired."
        ),
        json.JSONDecodeError("Expecting value", "", 0),  # of a credential_process
        KeyError("Expiration"),
        OSError("no route to host"),
    ],
    ids=lambda failure: type(failure).__name__,
)
async def test_credentials_that_can_not_be_had_now_may_be_later(failure: Exception) -> None:
    async def receive_message(**_: Any) -> Any:
        raise failure

    client: Any = SimpleNamespace(receive_message=receive_message)

    with pytest.raises(QueueAway, match="SQS ReceiveMessage: no answer: ") as raised:
        await SqsQueue(client, "https://sqs/queue").receive(30)
    assert raised.value.__cause__ is failure
