"""Source records that wait for a look: their verdicts, and who waits on."""

from __future__ import annotations

from msgspec.structs import replace

from streams.core.conversations.record import Waiting
from streams.core.records import Basis, Decision, Fault, PutOff, Reason, Verdict


def put_off(
    own: Waiting, reason: Reason, at: int, error: Fault | None = None, *, dry_run: bool = False
) -> Verdict:
    """The deferral of a source record that waits until ``at``, epoch milliseconds."""
    looked = reason is Reason.NOT_YET_VISIBLE
    return Verdict(
        Decision.DEFERRED,
        reason,
        Basis.API,
        dry_run=dry_run,
        error=error,
        put_off=PutOff(own.deferrals + 1, at, own.looks + looked),
    )


def still_waiting(
    waiting: tuple[Waiting, ...],
    own: Waiting | None,
    verdict: Verdict | None,
    answer: Verdict | None,
    wake_at: int | None,
) -> tuple[Waiting, ...]:
    """Who waits after this look. ``own``: the entry of the source record in hand, which is told
    ``verdict`` now, and whose next copy comes back at ``wake_at``. ``answer``: for the others, who
    are told when their copies come back."""
    kept = []
    for each in waiting:
        if each is not own:
            kept.append(replace(each, verdict=each.verdict or answer))
            continue
        goes_on = replace(each, wake_at=wake_at or each.wake_at)
        if verdict is None:
            kept.append(goes_on)
        elif (put_off := verdict.put_off) is not None:
            kept.append(replace(goes_on, deferrals=put_off.attempt, looks=put_off.looks))
    return tuple(kept)
