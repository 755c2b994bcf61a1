"""The queue, as the bridge uses it. The only module that talks to AWS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore.exceptions import BotoCoreError

from streams.bridge.sqs.batches import MOST, Answers, answers, entry_id
from streams.bridge.sqs.message import COUNT_ATTRIBUTE, TRACE_ATTRIBUTE, QueueMessage
from streams.bridge.sqs.metrics import Operation
from streams.bridge.sqs.refusals import TEXT_LENGTH, queue_error
from streams.core.foreign_text import foreign_text
from streams.errors import SettingsError

if TYPE_CHECKING:
    from types_aiobotocore_sqs import SQSClient

T = TypeVar("T")

# How long a poll waits for messages. SQS allows 20 s, but a poll must never be broken off: SQS
# would go on waiting for it, hand the next messages to nobody, and hide them for their whole
# visibility timeout. So a poll has to end by itself within a drain. One such poll after the other
# is 1.3 million requests a month.
POLL_SECONDS = 2

# A request that has to come back before the leases are over, so not long after a usual answer.
CALL_SECONDS = 5.0

# How long a poll may take beyond its own time. What it brings is lost until the visibility timeout
# is over when it is given up, so it has longer than other requests.
POLL_SLACK_SECONDS = 10.0

# Requests under way at once: the polls, the deletions, the renewals, with some to spare. With fewer
# connections than that, a renewal would wait for a poll to end.
CONNECTIONS = 32

Hide = tuple[str, int]


class Queue(Protocol):
    """Collaborator: the queue. Everything in it raises QueueError."""

    async def visibility(self) -> int:
        """The queue's own visibility timeout in seconds."""
        ...

    async def receive(self, seconds: int) -> Sequence[QueueMessage]:
        """Wait for messages, ten at most; they are hidden from others for so many seconds."""
        ...

    async def delete(self, receipts: Sequence[str]) -> Answers[str]:
        """Delete ten messages at most."""
        ...

    async def hide(self, entries: Sequence[Hide]) -> Answers[Hide]:
        """Hide ten messages at most from others, each for so many seconds from now on."""
        ...


class SqsQueue:
    """The queue at ``url``."""

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    async def visibility(self) -> int:
        async with _asking("GetQueueAttributes", CALL_SECONDS):
            answer = await self._client.get_queue_attributes(
                QueueUrl=self._url, AttributeNames=["VisibilityTimeout"]
            )
        given = answer.get("Attributes", {}).get("VisibilityTimeout", "")
        return int(given) if given.isdecimal() else 0

    async def receive(self, seconds: int) -> Sequence[QueueMessage]:
        async with _asking("ReceiveMessage", POLL_SECONDS + POLL_SLACK_SECONDS):
            answer = await self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=MOST,
                WaitTimeSeconds=POLL_SECONDS,
                VisibilityTimeout=seconds,
                MessageSystemAttributeNames=[COUNT_ATTRIBUTE, TRACE_ATTRIBUTE],
            )
        read = (QueueMessage.read(raw) for raw in answer.get("Messages", []))
        return [message for message in read if message is not None]

    async def delete(self, receipts: Sequence[str]) -> Answers[str]:
        async with _asking("DeleteMessageBatch", CALL_SECONDS):
            answer = await self._client.delete_message_batch(
                QueueUrl=self._url,
                Entries=[
                    {"Id": entry_id(index), "ReceiptHandle": receipt}
                    for index, receipt in enumerate(receipts)
                ],
            )
        return answers(receipts, answer)

    async def hide(self, entries: Sequence[Hide]) -> Answers[Hide]:
        async with _asking("ChangeMessageVisibilityBatch", CALL_SECONDS):
            answer = await self._client.change_message_visibility_batch(
                QueueUrl=self._url,
                Entries=[
                    {
                        "Id": entry_id(index),
                        "ReceiptHandle": receipt,
                        "VisibilityTimeout": seconds,
                    }
                    for index, (receipt, seconds) in enumerate(entries)
                ],
            )
        return answers(entries, answer)


@asynccontextmanager
async def connected(url: str, region: str | None) -> AsyncIterator[SqsQueue]:
    """The queue, with AWS' own chain of credentials. Nothing is sent yet.

    ``region``: None for the one that AWS' own variables and files say. Raises SettingsError when
    they are wrong, or name none.
    """
    session = AioSession()
    with _settings():
        region = region or session.get_config_variable("region")
        if not region:
            raise SettingsError(
                "AWS_REGION: required, because BRIDGE_QUEUE_URL names no region, but not set"
            )
        config = AioConfig(
            connect_timeout=CALL_SECONDS,
            read_timeout=POLL_SECONDS + POLL_SLACK_SECONDS,
            max_pool_connections=CONNECTIONS,
            # One more try for a connection that was closed while it was idle. All other waits are
            # ours, so that what fails is logged at once.
            retries={"mode": "standard", "total_max_attempts": 2},
            user_agent_extra="genesys-streams",
        )
        creating: AbstractAsyncContextManager[SQSClient] = session.create_client(
            "sqs", region_name=region, config=config
        )
        client = await creating.__aenter__()
    try:
        yield SqsQueue(client, url)
    finally:
        await creating.__aexit__(None, None, None)


@contextmanager
def _settings() -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ValueError) as exc:
        said = foreign_text(str(exc), TEXT_LENGTH)
        raise SettingsError(
            f"AWS_ENDPOINT_URL, AWS_REGION, AWS_PROFILE or their files: AWS' client does not take "
            f"them: {said}; correct them, or unset them"
        ) from exc


@asynccontextmanager
async def _asking(operation: Operation, seconds: float) -> AsyncIterator[None]:
    """Raises QueueError for all that can come of a request."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except Exception as exc:  # what gets AWS' credentials raises whatever it likes
        raise queue_error(operation, exc) from exc
