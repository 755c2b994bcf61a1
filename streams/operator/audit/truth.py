"""Chooses some interactions, and holds what was said of them against what Genesys Cloud says now.

Only what can not be otherwise is a contradiction: the outcomes say that the code is there, or that
nothing was due, and the API shows neither a disposition nor a wrap-up, and by today's rules it is
due. Another code than ours is none: an agent may have changed it.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from streams.core.envelope import INTERACTION_ID
from streams.core.records import Decision, Reason, Source
from streams.operator.audit import questions
from streams.operator.audit.evidence import Evidence
from streams.operator.audit.violation import Kind, Violation
from streams.operator.replay.past import Question
from streams.operator.replay.rehearsal import Rehearsed


@dataclass(frozen=True, slots=True)
class Claim:
    """The last final outcome of an interaction, or of one of its legs: ``participant_id``.
    ``said``: its decision and reason. ``source``: its record; ``at``: where it lies itself."""

    source: Source
    participant_id: str | None
    said: str
    at: Source

    @property
    def rules_out_a_code(self) -> bool:
        """Whether by this claim nothing is due any more. Where no event has said that it is over,
        it may be; and what failed, was refused or was not found has no code, as was said."""
        decision, _, reason = self.said.partition(" ")
        if decision == Decision.INELIGIBLE:
            return reason != Reason.NOT_COMPLETED
        return decision == Decision.PATCHED


def choose(evidence: Evidence, number: int, seed: int, *, whole: bool) -> list[str]:
    """So many interactions, or conversations, that have a final outcome; the same for the same
    seed, however the topics are read."""

    def drawn(id_: str) -> bytes:
        return blake2b(f"{seed}/{id_}".encode(), digest_size=8).digest()

    rows = evidence.ask(questions.TOLD_OF, {"whole": whole})
    # Others than these can not be asked about: the id goes into a URL.
    ids = (id_ for (id_,) in rows if INTERACTION_ID.fullmatch(id_))
    return heapq.nsmallest(number, ids, key=drawn)


def questions_about(ids: Sequence[str]) -> Iterator[Question]:
    """What the API is asked: what a worker would decide of each today."""
    for id_ in ids:
        yield Question(id_, Source("", 0, 0), 0, None, b"")


def claims(evidence: Evidence, ids: Sequence[str]) -> Mapping[str, Sequence[Claim]]:
    """The last claim about each of these, and about each leg of them. Of an interaction it is that
    it was patched, if one says so: what its later events came to does not matter then."""
    topics = evidence.topics
    marks = ", ".join("?" * len(ids))
    latest: defaultdict[str, dict[str | None, Claim]] = defaultdict(dict)
    for row in evidence.ask(questions.CLAIMS.replace(":ids", marks), [*ids, *ids]):
        id_, participant, partition, offset, answer, op, oo = row
        decision, reason, *_ = answer.split(" ")
        if decision in (Decision.DUPLICATE, Decision.STALE, Decision.NOTED):
            continue  # these say nothing of the code
        source = Source(topics.events, partition, offset)
        claim = Claim(source, participant, f"{decision} {reason}", Source(topics.outcomes, op, oo))
        before = latest[id_].get(participant)
        if before is None or not before.said.startswith(f"{Decision.PATCHED} "):
            latest[id_][participant] = claim
    return {id_: list(each.values()) for id_, each in latest.items()}


def contradictions(claimed: Sequence[Claim], answer: Rehearsed) -> Iterator[Violation]:
    """What the outcomes say and the API does not bear out."""
    due = {
        leg.participant_id if leg is not None else None: verdict
        for leg, verdict in answer.verdicts
        if verdict.decision is Decision.WOULD_PATCH
    }
    for claim in claimed:
        if claim.participant_id in due and claim.rules_out_a_code:
            at = f"{claim.at.topic}/{claim.at.partition}/{claim.at.offset}"
            yield Violation(
                Kind.UNTRUE,
                claim.source,
                answer.question.interaction_id,
                f"what {at} says: {claim.said}",
                "Genesys Cloud shows no code, and by today's settings it would get one",
                claim.participant_id,
            )
