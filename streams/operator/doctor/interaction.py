"""``doctor --conversation`` with the dialect ``interactions``: what would be done with one
interaction, and, if asked for, does it."""

from __future__ import annotations

from collections.abc import AsyncIterator

from streams.core.decision import Policy
from streams.core.rules import ineligibility
from streams.errors import ApiError, NotFound
from streams.genesys.api import CallContext, GenesysApi
from streams.operator.doctor.check import Check, failed, ok

_NAME = "interaction"


async def probe_interaction(
    client: GenesysApi, interaction_id: str, policy: Policy, *, really: bool
) -> AsyncIterator[Check]:
    """What would be done by what the API says now; with ``really`` it is done."""
    try:
        found = await client.fetch(interaction_id, CallContext())
    except NotFound:
        yield failed(
            _NAME,
            f"this org has no interaction {interaction_id}, or none that we may see",
            "check the id and the region",
        )
        return
    except ApiError as error:
        yield failed(_NAME, str(error))
        return
    facts = f"{found.type}, {found.state}, {found.duration_ms / 1000:.1f} s"
    reason = ineligibility(found, policy.threshold_ms)
    if reason is not None:
        yield ok(_NAME, f"it is left alone: {reason} ({facts})")
        return
    if policy.dry_run or policy.code is None:
        yield ok(_NAME, f"it would get its code, were it not for DRY_RUN: eligible ({facts})")
        return
    yield ok(_NAME, f"it gets {policy.code} now: eligible ({facts})")
    if not really:
        return
    try:
        status = await client.set_disposition(
            interaction_id, policy.code, found.etag, CallContext()
        )
    except ApiError as error:
        todo = "look at it in Genesys Cloud" if error.maybe_applied else None
        yield failed(f"{_NAME}, really", str(error), todo)
        return
    yield ok(f"{_NAME}, really", f"{status}: Genesys Cloud has set {policy.code}")
