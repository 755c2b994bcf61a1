"""Records of a newer release: the worker ends with a line and leaves them alone."""

from __future__ import annotations

import pytest

from streams.core.state_version import STATE_VERSION
from streams.errors import NewerRelease
from tests.support.interaction_stores import PARTITION, Shop

NEWER = f'{{"schemaVersion":{STATE_VERSION + 1},"interactionId":"i-1"}}'.encode()
LINE = f"records of version {STATE_VERSION + 1}, and this release knows {STATE_VERSION}"


async def test_no_look_at_it_passes_for_an_interaction_that_is_not_known(shop: Shop) -> None:
    await shop.table.put_all(shop.assignment, {(PARTITION, "i-1"): NEWER})

    with pytest.raises(NewerRelease, match=LINE):
        shop.table.get(PARTITION, "i-1")


async def test_the_first_sweep_finds_it_and_forgets_nothing(shop: Shop) -> None:
    await shop.table.put_all(shop.assignment, {(PARTITION, "i-1"): NEWER})

    with pytest.raises(NewerRelease, match=LINE):
        await shop.table.sweep(shop.assignment, PARTITION)
    with shop.table._stores.using(PARTITION) as store:
        assert store.get(b"i-1") == NEWER
