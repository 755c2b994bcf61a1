"""Which kinds of requests the API answers with 401 although the token is new.

A token that the API takes for some requests and refuses for others must not be replaced for each
that is refused: that would cost a token request for each record, and tokens that serve.

Pure: no clock, no I/O. Times are monotonic seconds and handed in. A *use* is a request's method and
route, so there are a few of them.
"""

from __future__ import annotations

from collections import Counter
from random import Random

from streams.core.retry_policy import Backoff, DeferralPolicy

# Seconds for which a use counts as refused after its last refusal. The refused record has come back
# by then, and would have been refused again. Without an end, a worker whose next records need no
# such request would not be ready, for a fault that is long mended.
REMEMBERED = DeferralPolicy().longest


class RefusedUses:
    """``backoff``: the distance between two tokens that are fetched for one use, growing with each
    that did not help."""

    def __init__(self, backoff: Backoff, random: Random) -> None:
        self._backoff = backoff
        self._random = random
        self._refused_at: dict[str, float] = {}
        self._in_vain: Counter[str] = Counter()
        self._not_before: dict[str, float] = {}

    def why(self, now: float) -> str | None:
        """Which uses are refused, in words; None when none is."""
        refused = [use for use, at in self._refused_at.items() if now <= at + REMEMBERED]
        if not refused:
            return None
        return (
            f"the API answers 401 to {', '.join(sorted(refused))}, with a new token as well; check "
            "the OAuth client's rights in GENESYS_CLOUD_BASE_URL's org, and the proxies on the way"
        )

    def may_renew(self, use: str, now: float) -> bool:
        """Whether a token that serves may be replaced because this use of it was refused."""
        return now >= self._not_before.get(use, now)

    def renews(self, use: str, now: float) -> None:
        """The token is replaced because this use of it was refused. Counts as in vain until
        ``accepted`` says that it helped."""
        self._in_vain[use] += 1
        self._not_before[use] = now + self._backoff.wait(self._in_vain[use], self._random)

    def refused(self, use: str, now: float) -> None:
        """This use was refused, and a new token did not help or was fetched for it just before."""
        self._refused_at[use] = now

    def accepted(self, use: str, *, renewed: bool) -> None:
        """This use was accepted. ``renewed``: by the token that replaced one that was refused for
        the same request, so the old token had ended. Other requests of the same use prove nothing
        about that: the API may refuse some interactions and not others."""
        self._refused_at.pop(use, None)
        if renewed:
            del self._in_vain[use]
            self._not_before.pop(use, None)
