"""The templates of ``deploy/aws/cloudformation`` against what the bridge and the contract say.
`make lint` holds them against AWS' own resource schemas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from streams.core.envelope import UPDATE_DETAIL_TYPE
from tests.unit.deploy.detail_types import CONVERSATIONS

TEMPLATES = Path(__file__).resolve().parents[3] / "deploy" / "aws" / "cloudformation"


class Loader(yaml.SafeLoader):
    """Reads the short form of CloudFormation's functions as their long form."""


def function(loader: Loader, name: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.SequenceNode):
        value: Any = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    else:
        value = loader.construct_scalar(node)  # type: ignore[arg-type]
    if name in ("Ref", "Condition"):
        return {name: value}
    return {f"Fn::{name}": value.split(".", 1) if name == "GetAtt" else value}


yaml.add_multi_constructor("!", function, Loader)


def read(name: str) -> dict[str, Any]:
    """A template, as JSON would have it."""
    template: dict[str, Any] = yaml.load((TEMPLATES / name).read_text(), Loader)
    return template


def resources(name: str, kind: str) -> list[dict[str, Any]]:
    """The properties of all resources of a kind."""
    every = read(name)["Resources"].values()
    return [each["Properties"] for each in every if each["Type"] == kind]


@pytest.mark.parametrize("template", ["2-events.yaml", "api-destination.yaml"])
def test_the_rule_lets_through_what_the_bridge_handles(template: str) -> None:
    (rule,) = resources(template, "AWS::Events::Rule")
    condition, conversations, interactions = rule["EventPattern"]["detail-type"]["Fn::If"]
    assert condition == "Conversations"
    assert interactions == [UPDATE_DETAIL_TYPE]
    assert conversations == CONVERSATIONS
    assert rule["EventPattern"]["source"] == [{"prefix": "aws.partner/genesys.com"}]


def test_the_reader_may_do_four_things_and_use_the_key() -> None:
    (policy,) = resources("1-queue.yaml", "AWS::IAM::ManagedPolicy")
    on_queue, on_key = policy["PolicyDocument"]["Statement"]
    assert sorted(on_queue["Action"]) == [
        "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
    ]
    assert on_key["Action"] == "kms:Decrypt"
    assert "*" not in (on_queue["Resource"], on_key["Resource"])


def test_only_the_rule_may_send_and_nobody_in_clear() -> None:
    policies = resources("2-events.yaml", "AWS::SQS::QueuePolicy")
    assert len(policies) == 2
    for policy in policies:
        allowed, denied = policy["PolicyDocument"]["Statement"]
        assert (allowed["Effect"], denied["Effect"]) == ("Allow", "Deny")
        assert allowed["Principal"] == {"Service": "events.amazonaws.com"}
        assert allowed["Condition"] == {
            "ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": ["Rule", "Arn"]}}
        }
        assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_what_is_alarmed_about() -> None:
    alarms = [
        *resources("1-queue.yaml", "AWS::CloudWatch::Alarm"),
        *resources("2-events.yaml", "AWS::CloudWatch::Alarm"),
    ]
    assert sorted(alarm["MetricName"] for alarm in alarms if "MetricName" in alarm) == [
        "ApproximateAgeOfOldestMessage",
        *2 * ["ApproximateNumberOfMessagesVisible"],
        "FailedInvocations",
        "InvocationsFailedToBeSentToDlq",
        "InvocationsSentToDlq",
    ]
    (silence,) = [alarm for alarm in alarms if "Metrics" in alarm]
    assert silence["ComparisonOperator"] == "LessThanThreshold"
