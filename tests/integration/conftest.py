from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.aws import Aws, moto


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """One AWS for the whole run: each test makes in it what it needs."""
    with moto(tmp_path_factory.mktemp("moto") / "log") as server:
        yield server
