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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from tests.support.workers import free_port

ROOT = Path(__file__).resolve().parents[2]

REGION = "eu-central-1"

# Names as Genesys Cloud gives them: the org's id, and the suffix that was chosen.
PARTNER = "aws.partner/genesys.com/cloud/0a5c1a7e-6b6e-4c1e-9d1b-4b7e1f0f7d11"

TEMPLATES = ROOT / "deploy" / "aws" / "cloudformation"

START_SECONDS = 60.0

ACCOUNT = "123456789012"

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
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        # A second and more for each, so each is made once.
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service,
                endpoint_url=self.url,
                region_name=REGION,
                aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            )
        return self._clients[service]

    def queue(self, visibility: int = 30, **attributes: str) -> Queue:
        """A new queue."""
        name = f"test-{uuid.uuid4().hex[:12]}"
        made = self.client("sqs").create_queue(
            QueueName=name, Attributes={"VisibilityTimeout": str(visibility), **attributes}
        )
        return Queue(self, made["QueueUrl"])

    def stack(self, template: str, **parameters: str) -> Stack:
        """What the template makes."""
        name = f"test-{uuid.uuid4().hex[:8]}"
        formation = self.client("cloudformation")
        formation.create_stack(
            StackName=name,
            TemplateBody=(TEMPLATES / template).read_text(),
            Capabilities=["CAPABILITY_IAM"],
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
            ],
        )
        (made,) = formation.describe_stacks(StackName=name)["Stacks"]
        assert made["StackStatus"] == "CREATE_COMPLETE", made
        outputs = {each["OutputKey"]: each["OutputValue"] for each in made.get("Outputs", [])}
        return Stack(name, outputs)

    def event_source(self) -> str:
        """A new partner event source, as Genesys Cloud's integration makes it; returns its name.

        moto looks for a bus under the last part of its name alone, so there is one of that name
        beside it.
        """
        suffix = f"streams-{uuid.uuid4().hex[:8]}"
        events = self.client("events")
        events.create_partner_event_source(Name=f"{PARTNER}/{suffix}", Account=ACCOUNT)
        events.create_event_bus(Name=suffix)
        return f"{PARTNER}/{suffix}"


@dataclass(frozen=True)
class Stack:
    name: str
    outputs: Mapping[str, str]


class Deployed:
    """The queue way of ``deploy/aws``, made of its templates."""

    def __init__(self, aws: Aws, *, dialect: str = "interactions", visibility: int = 60) -> None:
        self._events = aws.client("events")
        self.bus = aws.event_source()
        first = aws.stack("1-queue.yaml", VisibilitySeconds=str(visibility))
        aws.stack("2-events.yaml", QueueStack=first.name, EventSourceName=self.bus, Dialect=dialect)
        self.outputs = first.outputs
        self.queue = Queue(aws, first.outputs["QueueUrl"])
        self.rule_dead_letters = Queue(aws, first.outputs["RuleDeadLettersUrl"])
        self.queue_dead_letters = Queue(aws, first.outputs["QueueDeadLettersUrl"])

    def put(self, detail_type: str, *details: Mapping[str, Any]) -> None:
        """Events on the bus, as Genesys Cloud puts them."""
        for begin in range(0, len(details), 10):
            answer = self._events.put_events(
                Entries=[
                    {
                        "Source": self.bus,
                        "EventBusName": self.bus,
                        "DetailType": detail_type,
                        "Detail": json.dumps(detail),
                    }
                    for detail in details[begin : begin + 10]
                ]
            )
            assert answer["FailedEntryCount"] == 0, answer


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
            WaitTimeSeconds=0,
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
