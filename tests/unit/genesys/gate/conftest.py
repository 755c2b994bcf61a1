"""A gate of a test's own, and the time that it goes by."""

from __future__ import annotations

import pytest

from streams.genesys.gate import Gate
from tests.support.scripted import Recorder, SteppedClock, gate_of


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def gate(clock: SteppedClock, observer: Recorder) -> Gate:
    return gate_of(clock, observer)
