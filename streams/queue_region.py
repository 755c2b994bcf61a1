"""Which region of AWS a queue is in. Plain functions."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

# `eu-central-1`, `us-gov-west-1`, `ap-southeast-4`.
_REGION = re.compile(r"[a-z]{2,3}(-[a-z]+)+-[0-9]{1,2}")

# Whose host names have the region in them, also those of a VPC's endpoints.
_OF_AWS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")

# The oldest form of a queue's URL has no region.
_OLDEST = {"queue.amazonaws.com": "us-east-1"}


def queue_region(url: str, aws_region: str | None) -> str | None:
    """The region in the queue's URL: a request that is signed for another one is refused. Where it
    has none, ``aws_region``: AWS_REGION, which AWS sets for its tasks and which its client for
    Python does not read. None when neither says."""
    host = (urlsplit(url).hostname or "").lower()
    if host in _OLDEST:
        return _OLDEST[host]
    if host.endswith(_OF_AWS):
        for label in host.split("."):
            if _REGION.fullmatch(label):
                return label
    return aws_region
