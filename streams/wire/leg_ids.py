"""The ids of outcomes on the legs of a conversation."""

from __future__ import annotations

import uuid

from streams.wire.outcomes import OUTCOME_NAMESPACE


def leg_outcome_id(
    conversation_id: str, participant_id: str, attempt: int | None = None, *, redriven: int = 0
) -> str:
    """The id of an outcome on a leg: conversation and participant alone, whatever record decided.

    A deferral adds its ``attempt``. A leg that failed and was redriven is decided anew, so
    ``redriven`` is added. No topic's name begins like this, so no source record has such an id.
    """
    name = f"conversation/{conversation_id}/{participant_id}"
    if redriven:
        name += f"@{redriven}"
    if attempt is not None:
        name += f"#{attempt}"
    return str(uuid.uuid5(OUTCOME_NAMESPACE, f"leg of {name}"))
