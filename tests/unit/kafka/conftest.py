"""What tests of the producer may ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.sending import Sending


@pytest.fixture
async def sending() -> AsyncIterator[Sending]:
    sending = Sending()
    yield sending
    await sending.producer.stop()
