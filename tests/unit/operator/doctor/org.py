"""The settings of a simulated org, as the doctor gets them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from streams.genesys.settings import GenesysSettings
from tests.support.scripted import CLIENT_ID, CLIENT_SECRET, UNPACED


def settings_of(url: str, **more: Any) -> GenesysSettings:
    """The org that is served at this URL."""
    usual = GenesysSettings(
        base_url=url,
        login_url=url,
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        scopes=None,
        requests_per_minute=UNPACED,
        dialect="conversations",
    )
    return replace(usual, **more)
