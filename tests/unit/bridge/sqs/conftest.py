from __future__ import annotations

import pytest

from tests.unit.bridge.sqs.scene import Scene


@pytest.fixture
def scene() -> Scene:
    return Scene()
