"""What is asked about one source record, and what comes of each answer: every rule, and no I/O.

    while not isinstance(inquiry.step, Settle):
        do what ``step`` says, and tell the inquiry how it went

The worker, the replay, the model's test and the textbook agent all drive this one, each with a
table and an API of its own. ``decision`` has the single steps; here is what a step has to remember
of those before it.
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

    ``step``: what to do next. ``record``: the interaction's, with the intent once it is to be
    written. ``patches``: PATCHes begun for this source record.
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
        """``offset``: of the source record in ``events``. ``returned``: it was put off before.
        ``redriven``: an operator has sent it back from the dead letters."""
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
            # The conflict was with somebody else, not with a PATCH of ours in doubt: it stands.
            self.step = self._conflict

    def intends(self, patch: Patch, now_ms: int) -> InteractionRecord | None:
        """The record that has to be in the table before this PATCH leaves (promise 4); None when it
        is there already. ``now_ms``: epoch milliseconds."""
        intent = Intent(self._offset, patch.code)
        if self.record.intent == intent:
            return None
        # The PATCH of an earlier source record may still arrive. When this one meets its code then,
        # the code is ours, and one of the two says that it patched.
        self._intent_in_doubt = self._intent_in_doubt or self.record.intent
        self.record = msgspec.structs.replace(self.record, intent=intent, updated_at=now_ms)
        return self.record

    def patching(self) -> None:
        """The PATCH is about to leave."""
        self.patches += 1

    def patched(self, patch: Patch, status: int) -> None:
        """The PATCH was taken. ``status``: of the answer."""
        self.step = decision.after_patch(patch, status)

    def stopped(self) -> None:
        """A request was stopped before it left, and the partition is still ours: look again."""
        self.step = Fetch()

    def failed(self, error: ApiError) -> bool:
        """The step failed. True when the record is to be put off; else ``step`` is the next one, to
        be taken after a rest where the error is retriable."""
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
        """Once ``step`` is Settle: what was decided."""
        assert isinstance(self.step, Settle), self.step
        return self.step.verdict
