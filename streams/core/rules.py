"""Eligibility: which interaction gets the disposition code (contract, the `ineligible` row).

Checked in a fixed order; the first rule that fails is the reason.
"""

from __future__ import annotations

from streams.core.interaction import Interaction
from streams.core.records import Reason

VOICE = "voice"
COMPLETED = "completed"


def ineligibility(interaction: Interaction, threshold_ms: int) -> Reason | None:
    """Why this interaction gets no code; None when it is eligible."""
    if interaction.type != VOICE:
        return Reason.NON_VOICE
    if interaction.state != COMPLETED:
        return Reason.NOT_COMPLETED
    if interaction.disposition_code_id:
        return Reason.DISPOSITION_SET
    if interaction.wrap_up_code_id:
        return Reason.WRAP_UP_SET
    if interaction.duration_ms < threshold_ms:
        return Reason.TOO_SHORT
    return None
