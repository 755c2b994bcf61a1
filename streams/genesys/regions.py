"""The regions of Genesys Cloud by name: ``regions.json``, which says where they come from."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import msgspec

from streams.errors import SettingsError


class _Region(msgspec.Struct, frozen=True):
    """A region by the name that AWS has for it, and its domain."""

    aws: str
    domain: str


class _Regions(msgspec.Struct, frozen=True):
    regions: tuple[_Region, ...]


def domain_of(name: str) -> str:
    """The domain of the region that GENESYS_CLOUD_REGION names, as AWS does or by its domain.
    Raises SettingsError."""
    wanted = name.lower()
    for region in known():
        if wanted in (region.aws, region.domain):
            return region.domain
    raise SettingsError(
        "GENESYS_CLOUD_REGION: no region of Genesys Cloud that is known here; set it to one of "
        f"{', '.join(region.aws for region in known())}, or set GENESYS_CLOUD_BASE_URL in its place"
    )


def region_of(host: str, service: str) -> str | None:
    """The region, by AWS' name, whose ``api`` or ``login`` host this is; None for any other."""
    names = {f"{service}.{region.domain}": region.aws for region in known()}
    return names.get(host.lower())


@cache
def known() -> tuple[_Region, ...]:
    """All regions of the file."""
    text = files("streams.genesys").joinpath("regions.json").read_bytes()
    return msgspec.json.decode(text, type=_Regions).regions
