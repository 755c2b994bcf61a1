"""The templates, created on moto's AWS, and events through what they made. moto makes no policies
of a queue and no API destinations: ``tests/unit/deploy`` looks at those."""

from __future__ import annotations

import json

import pytest

from streams.core.envelope import UPDATE_DETAIL_TYPE
from tests.support.aws import Aws, Deployed
from tests.support.workers import eventually

pytestmark = pytest.mark.sqs

LOOK = "v2.detail.events.conversation.{id}.user.end"


@pytest.mark.parametrize(
    ("dialect", "wanted", "unwanted"),
    [
        ("interactions", UPDATE_DETAIL_TYPE, LOOK),
        ("conversations", LOOK, "v2.detail.events.conversation.{id}.attributes"),
    ],
)
async def test_what_is_wanted_comes_through_and_nothing_else(
    aws: Aws, dialect: str, wanted: str, unwanted: str
) -> None:
    deployed = Deployed(aws, dialect=dialect)
    detail = {"interactionId": "i-1", "sequenceId": 1}
    deployed.put(unwanted, detail)
    deployed.put(wanted, detail)
    await eventually(lambda: deployed.queue.counts() == (1, 0), 10, "it is in the queue")
    (message,) = deployed.queue.receive()
    event = json.loads(message["Body"])
    assert event["detail-type"] == wanted
    assert event["source"] == deployed.bus
    assert event["detail"] == detail


async def test_what_fails_again_and_again_is_in_the_queues_dead_letters(aws: Aws) -> None:
    deployed = Deployed(aws, visibility=1)
    deployed.queue.send("x")
    client = aws.client("sqs")
    policy = client.get_queue_attributes(
        QueueUrl=deployed.queue.url, AttributeNames=["RedrivePolicy"]
    )["Attributes"]["RedrivePolicy"]
    most = json.loads(policy)["maxReceiveCount"]
    for _ in range(most):
        (message,) = deployed.queue.receive()
        client.change_message_visibility(
            QueueUrl=deployed.queue.url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
        )
    assert deployed.queue.receive() == []
    assert deployed.queue_dead_letters.counts() == (1, 0)


async def test_the_queue_is_as_the_template_says(aws: Aws) -> None:
    deployed = Deployed(aws, visibility=77)
    attributes = aws.client("sqs").get_queue_attributes(
        QueueUrl=deployed.queue.url, AttributeNames=["All"]
    )["Attributes"]
    assert attributes["VisibilityTimeout"] == "77"
    assert attributes["MessageRetentionPeriod"] == "864000"
    assert attributes["KmsMasterKeyId"].startswith("arn:aws:kms:")
