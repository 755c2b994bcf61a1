"""What an operator has sent back, and whether that is decided since. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from streams.core.records import Source
from streams.operator.explain.found import Found, Kept, ReturnRecord
from streams.timestamps import epoch_ms
from streams.wire.outcomes import Outcome, outcome_id


def open_redrives(found: Found) -> Sequence[ReturnRecord]:
    """What was sent back and has no final outcome that is kept.

    Once the log of ``events`` was cut, ids of outcomes have the life of the log in them, which is
    not known here. Then a final outcome that came later has to do, if it has none of the ids that
    the record and its redrives have otherwise.
    """
    sent = [
        (each, each.returned, outcome_id(each.returned.source, redriven=each.returned.redriven))
        for each in found.returns
        if each.returned is not None
        and each.returned.redriven
        and not each.returned.put_off.attempt
    ]
    known = {own_id for _, _, own_id in sent}
    known |= {outcome_id(source) for source in {returned.source for _, returned, _ in sent}}
    decided, latest = set[str](), dict[Source, int]()
    for record in found.outcomes:
        outcome = record.outcome
        if not isinstance(outcome, Outcome) or not outcome.final or outcome.leg is not None:
            continue
        decided.add(outcome.outcome_id)
        if outcome.outcome_id not in known:
            at = epoch_ms(outcome.decided_at) or record.at
            latest[outcome.source] = max(at, latest.get(outcome.source, at))
    return [
        each
        for each, returned, own_id in sent
        if own_id not in decided and latest.get(returned.source, each.at) <= each.at
    ]


def is_forgotten(redrive: ReturnRecord, kept: Kept | None) -> bool:
    """Whether the outcome of what was sent back then may have been deleted since: copies in
    ``retries`` are kept for longer. ``kept``: of ``outcomes``; None where that is not known."""
    if kept is None or kept.offset == 0:
        return False
    return kept.at is None or redrive.at < kept.at
