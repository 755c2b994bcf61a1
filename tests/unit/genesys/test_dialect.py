"""Which dialects there are."""

from __future__ import annotations

from typing import get_args

import pytest

from streams.genesys.dialect import DIALECTS
from streams.settings import Settings


def test_each_is_found_by_its_own_name() -> None:
    assert all(dialect.name == name for name, dialect in DIALECTS.items())


@pytest.mark.parametrize("name", get_args(Settings.model_fields["genesys_api"].annotation))
def test_every_name_of_the_setting_is_taken(name: str) -> None:
    settings = Settings.load(
        _env_file=None,
        genesys_cloud_base_url="https://api.mypurecloud.de",
        genesys_cloud_client_id="client",
        genesys_cloud_client_secret="secret",
        genesys_api=name,
    )
    assert settings.genesys().dialect == name
