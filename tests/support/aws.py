"""AWS on this machine: moto's server, unchanged, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3

from tests.support.workers import free_port

REGION = "eu-central-1"

# A name as Genesys Cloud gives it: the org's id, and the suffix that was chosen.
PARTNER_BUS = "aws.partner/genesys.com/cloud/0a5c1a7e-6b6e-4c1e-9d1b-4b7e1f0f7d11/streams"

START_SECONDS = 60.0

# What every program needs that talks to it. The keys are as good as any others.
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": REGION,
    # No credentials of this machine, if the above were missing.
    "AWS_EC2_METADATA_DISABLED": "true",
}


class Aws:
    """The server at ``url``, and what a test asks of it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.environment = {**CREDENTIALS, "AWS_ENDPOINT_URL": url}

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )

    def queue(self, visibility: int = 30, **attributes: str) -> Queue:
        """A new queue."""
        name = f"test-{uuid.uuid4().hex[:12]}"
        made = self.client("sqs").create_queue(
            QueueName=name, Attributes={"VisibilityTimeout": str(visibility), **attributes}
        )
        return Queue(self, made["QueueUrl"])


class Queue:
    """A queue as its owner sees it."""

    def __init__(self, aws: Aws, url: str) -> None:
        self.url = url
        self._sqs = aws.client("sqs")

    @property
    def arn(self) -> str:
        return str(self._attributes("QueueArn")["QueueArn"])

    def send(self, *bodies: str, **options: Any) -> None:
        for begin in range(0, len(bodies), 10):
            entries = [
                {"Id": str(index), "MessageBody": body, **options}
                for index, body in enumerate(bodies[begin : begin + 10])
            ]
            answer = self._sqs.send_message_batch(QueueUrl=self.url, Entries=entries)
            assert not answer.get("Failed"), answer

    def counts(self) -> tuple[int, int]:
        """How many messages can be received now, and how many are in the hands of readers."""
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        given = self._attributes(*names)
        return int(given[names[0]]), int(given[names[1]])

    def is_empty(self) -> bool:
        return self.counts() == (0, 0)

    def receive(self) -> Sequence[Mapping[str, Any]]:
        """What another reader gets now, for a second each."""
        answer = self._sqs.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=10,
            VisibilityTimeout=1,
            MessageSystemAttributeNames=["All"],
        )
        return list(answer.get("Messages", []))

    def _attributes(self, *names: str) -> Mapping[str, str]:
        answer = self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=list(names))
        return dict(answer["Attributes"])


@contextmanager
def moto(log: Path) -> Iterator[Aws]:
    """A server with nothing in it."""
    port = free_port()
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "--port", str(port)],
            stdout=output,
            stderr=output,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _until_up(url, process, log)
        yield Aws(url)
    finally:
        process.kill()
        process.wait()


def _until_up(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"{url}/moto-api/data.json", timeout=5) as answer:
                json.load(answer)
                return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"moto did not start:\n{log.read_text()[-4000:]}") from None
        time.sleep(0.1)
