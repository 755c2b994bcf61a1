"""What the operator and this program have settled about legs and looks. Frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

# Codes that Genesys Cloud itself writes when an agent chose none (WRAP_UP_NONE_CODES).
NONE_CODES = frozenset({"ININ-WRAP-UP-TIMEOUT", "ININ-WRAP-UP-SKIPPED"})

# Every code that a campaign's dialer writes begins with it.
CAMPAIGN_PREFIX = "ININ-OUTBOUND-"

Legs: TypeAlias = Literal["all", "last"]
Campaigns: TypeAlias = Literal["leave", "set"]


@dataclass(frozen=True, slots=True)
class WrapUpPolicy:
    """The operator's settings for legs, with their defaults. ``code`` may be None only in a dry
    run.

    ``none_codes``: codes that count as none. ``media``: the media to set a code for. ``legs``:
    every leg, or the one that ended last. ``margin_ms``: waited beyond the agent's own time-out.
    ``patience_ms``: waited where the agent has none. ``verify_ms``: for how long an accepted code
    is looked for; 0: it is taken as set. ``campaigns``: whether calls of a campaign are left alone.
    ``lag_window_ms``: for how long the API may lag behind its own events.
    """

    code: str | None
    none_codes: frozenset[str] = NONE_CODES
    media: frozenset[str] = frozenset({"voice"})
    legs: Legs = "all"
    margin_ms: int = 10_000
    patience_ms: int = 900_000
    verify_ms: int = 60_000
    campaigns: Campaigns = "leave"
    threshold_ms: int = 30_000
    dry_run: bool = False
    lag_window_ms: int = 60_000

    def counts(self, code: str | None) -> bool:
        """Whether an agent, or a dialer, has chosen this code."""
        return bool(code) and code not in self.none_codes


@dataclass(frozen=True, slots=True)
class LookPolicy:
    """When a conversation is looked at, and how often something is tried.

    ``first_ms``: from an event to its look. The events of a call's end come within a second, and
    the API shows the end about a second later: so one look serves them all and mostly sees it.
    ``acw_ms``: from the end of an agent's leg to its look, where no event has told of the end of
    its after-call work. Most time-outs are two minutes or shorter, and that look would come for
    nothing. Never longer than ``patience_ms``.
    ``lag``: looks within the lag window, and ``verify``: looks for an accepted code, as parts of
    the window; early, because both mostly come within seconds, and at the end, which decides.
    ``overdue_ms``: a planned look that late has lost the record that was to bring it about.
    ``deferrals``: how often in a row a look may be put off, and how often a code may be sent again
    whose answer was lost (RETRY_MAX_ATTEMPTS). Without a limit, an API that answers GETs and loses
    every PATCH would be asked for ever. ``doubt_ms``: for how long a code without an answer is
    looked for before it is sent again, at least and at most. Earlier, a request that is still on
    its way could take effect after the look, and the code would be set twice.
    """

    first_ms: int = 2_000
    acw_ms: int = 150_000
    lag: tuple[float, ...] = (1 / 6, 1 / 2, 1.0)
    verify: tuple[float, ...] = (1 / 30, 1 / 6, 1 / 2, 1.0)
    overdue_ms: int = 60_000
    deferrals: int = 10
    doubt_ms: tuple[int, int] = (10_000, 3_600_000)


LOOKS = LookPolicy()

# A wait grows no more after this many doublings: it is at its longest by then.
_MOST_DOUBLINGS = 30


def doubt_ms(policy: WrapUpPolicy, looks: LookPolicy, times: int) -> int:
    """For how long a code is looked for that was sent so often and had no answer: as long as one
    that was accepted, and twice as long after each further time. So a leg outlives an outage of
    hours in which GETs are answered and PATCHes are not."""
    shortest, longest = looks.doubt_ms
    first = max(policy.verify_ms, shortest)
    return max(first, min(longest, first << min(times - 1, _MOST_DOUBLINGS)))
