"""Whether Genesys Cloud lets us in, and lets us do what the worker needs, as far as can be told
without changing anything."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterable

from streams.core.conversations.events import DETAIL_TYPE_PREFIX, EventName
from streams.errors import ApiError, Forbidden
from streams.genesys.answers import Answer
from streams.genesys.client import Calls
from streams.genesys.conversations import READ_PERMISSION, WRITE_PERMISSION
from streams.genesys.org import Grant, Org
from streams.genesys.settings import GenesysSettings
from streams.operator.doctor.check import Check, failed, ok, warning

# Of any UUID it is all but certain that no conversation has it.
NOBODYS = str(uuid.UUID(int=0, version=4))

# Permissions that open the same PATCH to more than a code (Genesys' permission lists).
NOT_NEEDED = ("conversation:communication:disconnect", "conversation:call:record")

# Queues that are asked for their codes. An org may have thousands, and each is one request out of
# the budget that the workers have.
MOST_QUEUES = 40

# Names that are listed in one line.
_NAMED = 5

# Without these nothing is ever looked at; the others only spare calls or tell more.
NEEDED_EVENTS = frozenset({EventName.USER_END, EventName.CUSTOMER_END, EventName.ACW})

# Seconds. An HTTP date has whole seconds, and the answer was on its way.
CLOCK_OK = 3.0

_ON_BRIDGE, _ANYWHERE = "EventBridge", frozenset({"All"})


async def check_token(calls: Calls) -> Check:
    """Whether a token is to be had."""
    try:
        await calls.check_credentials()
    except ApiError as error:
        return failed("token", str(error))
    return ok("token", "granted")


async def check_org(org: Org, settings: GenesysSettings) -> AsyncIterator[Check]:
    """Whose the token is, and whether it is a user's where one was granted."""
    try:
        owner = await org.owner()
        yield ok("org", f"{owner.org_name or 'unnamed'} ({owner.org_id or 'without an id'})")
    except ApiError as error:
        yield warning("org", str(error), "nothing to do if the checks below are fine")
    if settings.refresh_token is None:
        return
    try:
        if await org.is_user():
            yield ok("grant", "the token is a user's")
        else:
            yield failed(
                "grant",
                "GENESYS_CLOUD_REFRESH_TOKEN gives a token that is no user's",
                "grant it to a user with the OAuth client's authorization code",
            )
    except ApiError as error:
        yield warning("grant", str(error), "see that the user may sign in")


async def check_permissions(org: Org) -> AsyncIterator[Check]:
    """What the OAuth client's roles allow."""
    try:
        await org.may_read_conversations(NOBODYS)
        yield ok("read", READ_PERMISSION)
    except ApiError as error:
        yield failed("read", str(error))
    try:
        grants = await org.grants()
    except ApiError:
        # Not every org, and no older one, answers this. What it says is no more than a help.
        grants = []
    yield _write_permission(grants)
    if too_many := [each for each in NOT_NEEDED if any(grant.covers(each) for grant in grants)]:
        yield warning(
            "roles",
            f"the client may do more than it needs: {', '.join(too_many)}",
            "take it from its roles: it lets the client cut off or record calls",
        )


def _write_permission(grants: list[Grant]) -> Check:
    if not grants:
        return warning(
            "write",
            f"whether we have {WRITE_PERMISSION} can not be told without setting a code",
            "try it on one conversation with doctor --conversation ID --really",
        )
    divisions = sorted({each.division for each in grants if each.covers(WRITE_PERMISSION)})
    if not divisions:
        return failed(
            "write",
            f"none of the client's roles has {WRITE_PERMISSION}",
            "give the OAuth client a role with it, in the divisions of the queues whose "
            "conversations are coded",
        )
    return ok("write", f"{WRITE_PERMISSION} in the divisions {_few(divisions)}")


async def check_code(org: Org, code_id: str) -> AsyncIterator[Check]:
    """Whether the code is there, and which queues offer it to their agents."""
    try:
        code = await org.code(code_id)
    except Forbidden as error:
        yield warning("code", str(error), "only doctor needs this permission")
        return
    except ApiError as error:
        yield warning("code", str(error), "see that DISPOSITION_CODE_ID is a wrap-up code's id")
        return
    if code is None:
        yield failed(
            "code",
            f"there is no wrap-up code {code_id}",
            "set DISPOSITION_CODE_ID to the id of one: in Admin, Contact Center, Wrap-up Codes",
        )
        return
    yield ok("code", f"{code_id} is {code.name}")
    try:
        yield await _offered(org, code_id)
    except ApiError as error:
        yield warning(
            "queues", str(error), "see in each queue's Wrap-up Codes that it offers the code"
        )


async def _offered(org: Org, code_id: str) -> Check:
    queues = await org.queues()
    asked = queues[:MOST_QUEUES]
    without = [queue.name for queue in asked if not await org.offers(queue.id, code_id)]
    among = f"{len(asked)} queues" if len(asked) == len(queues) else f"the first {len(asked)}"
    if not asked:
        return warning("queues", "we see no queue", "give the client's role the queues' divisions")
    if without:
        return warning(
            "queues",
            f"{len(without)} of {among} do not offer the code: {_few(without)}",
            "add it to those whose conversations are coded: Genesys Cloud may refuse it otherwise",
        )
    return ok("queues", f"all of {among} offer the code")


async def check_topics(org: Org) -> Check:
    """Which of the events that we need EventBridge can carry for this org."""
    try:
        transports = await org.transports()
    except ApiError as error:
        return warning("events", str(error), "see that the integration offers the events we need")
    names = list(EventName)
    carried = [name for name in names if _carried(transports.get(DETAIL_TYPE_PREFIX + name))]
    left_out = [name for name in names if name not in carried]
    found = f"EventBridge can carry {', '.join(carried) or 'none'}"
    if left_out:
        found += f", and not {', '.join(left_out)}"
    if NEEDED_EVENTS & set(left_out):
        return failed("events", found, "ask Genesys for the Amazon EventBridge integration")
    return ok("events", found)


def _carried(transports: frozenset[str] | None) -> bool:
    return transports is not None and (_ON_BRIDGE in transports or transports == _ANYWHERE)


def check_rate(latest: Answer | None, configured: int) -> Check:
    """What the rate headers of the latest answer allow. ``configured``:
    GENESYS_REQUESTS_PER_MINUTE."""
    quota = latest.quota if latest is not None else None
    if quota is None:
        return warning(
            "rate",
            f"the answers have no rate headers, so GENESYS_REQUESTS_PER_MINUTE={configured} holds",
            "see that a proxy on the way does not take inin-ratelimit-* away",
        )
    used = f"{quota.count} of {quota.allowed} requests a minute used by this token"
    if quota.allowed < configured:
        return ok("rate", f"{used}; the workers keep to that, not to {configured}")
    return ok("rate", used)


def check_clock(latest: Answer | None, now: float, margin_ms: int) -> Check:
    """This machine's clock beside Genesys Cloud's in the latest answer. ``now``: epoch seconds.
    ``margin_ms``: what is left to an agent beyond the after-call work's own time."""
    ahead = latest.clock_ahead(now) if latest is not None else None
    if ahead is None:
        return warning("clock", "the answers have no date", "keep this machine's clock with NTP")
    way = "ahead of" if ahead > 0 else "behind"
    found = f"{abs(ahead):.0f} s {way} Genesys Cloud's"
    if abs(ahead) <= CLOCK_OK:
        return ok("clock", f"within {CLOCK_OK:.0f} s of Genesys Cloud's")
    if ahead * 1000 > margin_ms:
        return failed(
            "clock", found, "set it: an agent's own time for a code would be cut short by as much"
        )
    return warning("clock", found, "keep it with NTP: codes would be set too early, or late")


def _few(names: Iterable[str]) -> str:
    listed = list(names)
    shown = ", ".join(listed[:_NAMED])
    return shown if len(listed) <= _NAMED else f"{shown} and {len(listed) - _NAMED} more"
