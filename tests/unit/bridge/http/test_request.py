from __future__ import annotations

import pytest

from streams.bridge.http.request import is_json


@pytest.mark.parametrize(
    ("media_type", "encoding", "expected"),
    [
        ("application/json", None, True),
        ("Application/JSON", "identity", True),
        ("application/cloudevents+json", None, True),
        ("text/json", None, False),
        ("text/plain", None, False),
        ("application/octet-stream", None, False),
        ("image/svg+json", None, False),
        ("application/json", "gzip", False),
    ],
)
def test_is_json(media_type: str, encoding: str | None, expected: bool) -> None:
    assert is_json(media_type, encoding) is expected
