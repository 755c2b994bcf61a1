from __future__ import annotations

import pytest

from streams.queue_region import queue_region


@pytest.mark.parametrize(
    ("url", "aws_region", "region"),
    [
        ("https://sqs.eu-central-1.amazonaws.com/1/q", None, "eu-central-1"),
        ("https://sqs.eu-central-1.amazonaws.com/1/q", "us-east-1", "eu-central-1"),
        ("https://sqs-fips.us-gov-west-1.amazonaws.com/1/q", None, "us-gov-west-1"),
        ("https://sqs.cn-north-1.amazonaws.com.cn/1/q", None, "cn-north-1"),
        ("https://sqs.eu-west-3.api.aws/1/q", None, "eu-west-3"),
        ("https://eu-west-1.queue.amazonaws.com/1/q", None, "eu-west-1"),
        ("https://vpce-0a.sqs.ap-southeast-4.vpce.amazonaws.com/1/q", None, "ap-southeast-4"),
        ("https://queue.amazonaws.com/1/q", None, "us-east-1"),
        ("http://localhost:5000/1/q", "eu-west-2", "eu-west-2"),
        ("http://localhost:5000/1/q", None, None),
        # Not AWS' own host, so its labels say nothing.
        ("http://sqs.eu-central-1.example.com/1/q", None, None),
    ],
)
def test_the_region_of_a_queue(url: str, aws_region: str | None, region: str | None) -> None:
    assert queue_region(url, aws_region) == region
