"""``deploy/aws/terraform``, as far as it can be checked without its providers: it is HCL, all that
it refers to is there, and it makes what the templates of CloudFormation make."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import hcl2
import pytest

from tests.unit.deploy.detail_types import CONVERSATIONS

FILES = sorted((Path(__file__).resolve().parents[3] / "deploy" / "aws" / "terraform").glob("*.tf"))

# `var.name`, `local.rule_alarms`, `data.aws_caller_identity.this`, `aws_sqs_queue.events`.
REFERENCE = re.compile(r"(?<![\w.\"])((?:var|local)\.\w+|(?:data\.)?(?:aws|genesyscloud)_\w+\.\w+)")


@cache
def parsed(path: Path) -> dict[str, Any]:
    with path.open() as file:
        return dict(hcl2.load(file))


def blocks(kind: str) -> Iterator[dict[str, Any]]:
    for path in FILES:
        yield from parsed(path).get(kind, [])


def named(kind: str) -> dict[str, dict[str, Any]]:
    """``aws_sqs_queue.events`` and what is in it."""
    return {
        f"{_plain(type_)}.{_plain(name)}": inside
        for block in blocks(kind)
        for type_, names in block.items()
        for name, inside in names.items()
    }


def _plain(quoted: str) -> str:
    return quoted.strip('"')


def _declared() -> set[str]:
    variables = {f"var.{_plain(name)}" for block in blocks("variable") for name in block}
    values = {f"local.{name}" for block in blocks("locals") for name in block}
    return {*variables, *values, *named("resource"), *(f"data.{name}" for name in named("data"))}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.name))
def test_all_that_is_referred_to_is_there(path: Path) -> None:
    code = re.sub(r"#.*", "", path.read_text())
    blocks_named = re.sub(r'^(resource|data) "\w+" "\w+"', "", code, flags=re.MULTILINE)
    referred = {
        reference
        for reference in REFERENCE.findall(blocks_named)
        # The name of a metric's or a source's kind, in a text.
        if not reference.startswith("aws.")
    }
    assert referred - _declared() == set()


def test_a_reference_to_nothing_is_found() -> None:
    assert REFERENCE.findall("arn = aws_sqs_queue.gone.arn\nx = var.gone") == [
        "aws_sqs_queue.gone",
        "var.gone",
    ]


def test_the_integration_is_what_genesys_cloud_asks_for() -> None:
    integration = named("resource")["genesyscloud_integration.eventbridge"]
    assert _plain(integration["integration_type"]) == "amazon-eventbridge-source"
    assert _plain(integration["intended_state"]) == "ENABLED"
    (config,) = integration["config"]
    for name in ("eventSourceSuffix", "awsAccountId", "awsAccountRegion", "eventFilter"):
        assert name in config["properties"]


def test_it_lets_through_what_the_templates_do() -> None:
    (types,) = [block["detail_types"] for block in blocks("locals") if "detail_types" in block]
    assert [_plain(name) for name in types["conversations"]] == CONVERSATIONS
    assert [_plain(name) for name in types["interactions"]] == ["purecloud:v2:interaction:update"]


def test_rule_and_target_name_the_bus() -> None:
    made = named("resource")
    for name in ("aws_cloudwatch_event_rule.events", "aws_cloudwatch_event_target.queue"):
        assert made[name]["event_bus_name"] == "${aws_cloudwatch_event_bus.genesys.name}"


def test_the_reader_may_do_four_things_and_use_the_key() -> None:
    policy = named("resource")["aws_iam_policy.reader"]["policy"]
    assert sorted(re.findall(r"(?:sqs|kms):\w+", policy)) == [
        "kms:Decrypt",
        "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
    ]
