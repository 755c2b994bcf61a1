"""Which dialects there are, and what a command that knows one alone says of the other."""

from __future__ import annotations

from typing import get_args

import pytest

from streams.errors import SettingsError
from streams.genesys.dialect import DIALECTS
from streams.settings import Settings


def test_each_is_found_by_its_own_name() -> None:
    assert all(dialect.name == name for name, dialect in DIALECTS.items())


@pytest.mark.parametrize("name", get_args(Settings.model_fields["genesys_api"].annotation))
def test_a_name_is_known_or_refused(name: str) -> None:
    settings = Settings.load(
        _env_file=None,
        genesys_cloud_base_url="https://api.mypurecloud.de",
        genesys_cloud_client_id="client",
        genesys_cloud_client_secret="secret",
        genesys_api=name,
    )
    assert settings.genesys().dialect == name
    if name in DIALECTS:
        assert settings.genesys_interactions().dialect == name
    else:
        with pytest.raises(SettingsError, match="GENESYS_API"):
            settings.genesys_interactions()
