"""Regions by name."""

from __future__ import annotations

import pytest

from streams.errors import SettingsError
from streams.genesys.regions import domain_of, known


def test_all_that_genesys_own_sdk_knows_are_there() -> None:
    assert len({region.aws for region in known()}) == 18
    assert len({region.domain for region in known()}) == 18


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("eu-central-1", "mypurecloud.de"),
        ("EU-Central-1", "mypurecloud.de"),
        ("mypurecloud.de", "mypurecloud.de"),
        ("us-east-2", "use2.us-gov-pure.cloud"),
        ("eusc-de-east-1", "edee1.eusc-pure.cloud"),
    ],
)
def test_a_region_is_named_as_aws_does_or_by_its_domain(name: str, domain: str) -> None:
    assert domain_of(name) == domain


@pytest.mark.parametrize("name", ["eu-central", "api.mypurecloud.de", "", "de"])
def test_another_name_is_refused_with_all_that_there_are(name: str) -> None:
    with pytest.raises(SettingsError, match=r"GENESYS_CLOUD_REGION: .*eusc-de-east-1"):
        domain_of(name)
