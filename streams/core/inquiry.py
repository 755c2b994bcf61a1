"""The steps that decide one source record, in their order: all the rules, and no I/O.

    while not isinstance(inquiry.step, Settle):
        do what ``step`` says, and report to the inquiry how it went

The worker, the replay, the model's test and the textbook agent all drive the same Inquiry, each
with a table and an API of its own. ``decision`` has the single steps; this module keeps what a step
needs to know of the steps before it.
"""

from __future__ import annotations

import msgspec

from streams.core import decision
from streams.core.decision import Fetch, Patch, Policy, Settle, Step
from streams.core.envelope import InteractionEvent
from streams.core.interaction import Interaction
from streams.core.records import Intent, InteractionRecord, Verdict
from streams.core.retry_policy import PATCHES, PatchPolicy
from streams.errors import ApiError, Conflict


class Inquiry:
    """One source record, from its first step to its verdict.

    ``step``: what to do next. ``record``: the interaction's record, with the intent as soon as one
    has to be written. ``patches``: PATCHes begun for this source record.
    """

    def __init__(
        self,
        record: InteractionRecord,
        event: InteractionEvent,
        offset: int,
        policy: Policy,
        *,
        returned: bool = False,
        redriven: bool = False,
        limits: PatchPolicy = PATCHES,
    ) -> None:
        """``offset``: the source record's, in ``events``. ``returned``: the record was put off
        before. ``redriven``: an operator has redriven it."""
        self.record = record
        self.patches = 0
        self._offset = offset
        self._policy = policy
        self._limits = limits
        self._intent_in_doubt = decision.doubt(record, offset)
        self._conflict: Step | None = None
        self.step: Step = (
            decision.resume(record, event, offset, policy, redriven=redriven)
            if returned
            else decision.begin(record, event, offset, policy)
        )

    def fetched(self, interaction: Interaction) -> None:
        """The GET was answered."""
        self.step = decision.after_fetch(interaction, self._intent_in_doubt, self._policy)
        if self._conflict is not None and isinstance(self.step, Patch):
            # The GET shows no code of ours: the conflict was with a change that somebody else
            # made, so the verdict on the conflict stands.
            self.step = self._conflict

    def intends(self, patch: Patch, now_ms: int) -> InteractionRecord | None:
        """The record that must be in the table before this PATCH leaves (promise 4); None when it
        is there already. ``now_ms``: epoch milliseconds."""
        intent = Intent(self._offset, patch.code)
        if self.record.intent == intent:
            return None
        # The PATCH of an earlier source record may still arrive. It is remembered, so that its code
        # is not taken for somebody else's.
        self._intent_in_doubt = self._intent_in_doubt or self.record.intent
        self.record = msgspec.structs.replace(self.record, intent=intent, updated_at=now_ms)
        return self.record

    def patching(self) -> None:
        """The PATCH is about to leave."""
        self.patches += 1

    def patched(self, patch: Patch, status: int) -> None:
        """The API took the PATCH. ``status``: HTTP status of its answer."""
        self.step = decision.after_patch(patch, status)

    def stopped(self) -> None:
        """A request was stopped before it left, and the partition is still ours: GET again."""
        self.step = Fetch()

    def failed(self, error: ApiError) -> bool:
        """The step failed. True when the record has to be put off. Otherwise ``step`` is the next
        step; after a retriable error the caller waits before it takes that step."""
        patch = self.step if isinstance(self.step, Patch) else None
        after = decision.after_error(error, patch, self._intent_in_doubt, self._policy)
        if isinstance(error, Conflict):
            self._conflict = decision.after_error(error, patch, None, self._policy)
        if patch is not None and error.maybe_applied:
            self._intent_in_doubt = self.record.intent
        exhausted = (
            self.patches >= self._limits.tries or error.retry_after > self._limits.longest_rest
        )
        if after is None or (error.retriable and exhausted):
            return True
        self.step = after
        return False

    @property
    def verdict(self) -> Verdict:
        """What was decided. ``step`` must be Settle."""
        assert isinstance(self.step, Settle), self.step
        return self.step.verdict
