"""The chart and a Helm to render it."""

from __future__ import annotations

import pytest

from tests.support.built_programs import built
from tests.support.chart import Chart


@pytest.fixture(scope="session")
def chart() -> Chart:
    return Chart(built("helm"))
