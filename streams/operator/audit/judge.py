"""What of the evidence breaks a promise, and what can not be judged. It reads nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from streams.core.records import Source
from streams.operator.audit import questions
from streams.operator.audit.evidence import EARLIER_LIFE, Evidence
from streams.operator.audit.violation import Kind, Violation

ONE_OUTCOME = "one final outcome"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known beside the records.

    ``bounds``: from where to where each partition of events goes, looked at after the outcomes were
    read. ``committed``, ``committed_returns``: the group's offsets in events and in retries, read
    before any record; a partition without one is left out. ``letters_since``: dead letters from
    this time on are all kept, epoch milliseconds. ``whole``: all of events was read, not a stretch
    of time.
    """

    bounds: Mapping[int, tuple[int, int]]
    committed: Mapping[int, int]
    committed_returns: Mapping[int, int]
    letters_since: int | None = None
    whole: bool = True


class Judge:
    """Asks the evidence, once everything is taken."""

    def __init__(self, evidence: Evidence, facts: Facts) -> None:
        self._evidence = evidence
        self._topics = evidence.topics
        self._whole = facts.whole
        self._letters_since = facts.letters_since
        evidence.flush()
        bounds = [(partition, *each) for partition, each in facts.bounds.items()]
        evidence.fill("bounds", bounds)
        evidence.fill("committed", list(facts.committed.items()))
        evidence.fill("committed_returns", list(facts.committed_returns.items()))

    def violations(self) -> Iterator[Violation]:
        """Every one, each kind's in the order of their places."""
        yield from self._deleted()
        yield from self._undecided()
        yield from self._committed_past_the_end()
        yield from self._returns()
        yield from self._untold_legs()
        yield from self._different()
        yield from self._foreign()
        yield from self._of_nothing()
        yield from self._out_of_order()
        yield from self._without_letter()
        yield from self._changed_letters()

    def counts(self) -> dict[str, int]:
        """How much there is of what, in the words of the result."""
        return {name: self._evidence.number(query) for name, query in questions.COUNTS.items()}

    def decisions(self) -> dict[str, int]:
        """How often each was made; those on legs begin with ``leg``."""
        return {
            f"{kind}{decision} {reason}": number
            for kind, decision, reason, number in self._evidence.ask(questions.DECISIONS)
        }

    def _deleted(self) -> Iterator[Violation]:
        for partition, committed, begin, decided in self._evidence.ask(questions.DELETED):
            if (number := begin - committed - decided) > 0:
                yield self._of_event(
                    Kind.LOST,
                    (partition, committed, None),
                    ONE_OUTCOME,
                    f"retention has deleted {number} records up to offset {begin} before they "
                    "were decided",
                )

    def _undecided(self) -> Iterator[Violation]:
        """A record that others were decided behind is lost. Of those at the end, none of which was
        ever worked on, it is the committed offset that is wrong."""
        passed: dict[int, tuple[int, str | None, int, int]] = {}
        for partition, offset, id_, committed, last in self._evidence.ask(questions.UNDECIDED):
            if last is not None and offset < last:
                found = f"none, nothing waits for it, and the group has committed {committed}"
                yield self._of_event(Kind.LOST, (partition, offset, id_), ONE_OUTCOME, found)
            else:
                first, first_id, _, number = passed.get(partition, (offset, id_, 0, 0))
                passed[partition] = (first, first_id, committed, number + 1)
        for partition, (offset, id_, committed, number) in passed.items():
            yield self._of_event(
                Kind.COMMITTED_PAST,
                (partition, offset, id_),
                f"at most offset {offset} committed",
                f"{committed} committed, and {number} records before it are open",
            )

    def _committed_past_the_end(self) -> Iterator[Violation]:
        for partition, committed, end in self._evidence.ask(questions.PAST_THE_END):
            yield self._of_event(
                Kind.COMMITTED_PAST,
                (partition, committed, None),
                f"at most offset {end} committed, the end of the partition",
                f"{committed} committed",
            )

    def _returns(self) -> Iterator[Violation]:
        """Copies in retries that were passed, and neither decided nor put off again."""
        for partition, offset, at, number, id_, committed in self._evidence.ask(questions.RETURNS):
            of = f"{self._topics.events}/{partition}/{offset}"
            redriven = f", redriven for the {number}. time," if number else ""
            yield Violation(
                Kind.COMMITTED_PAST,
                Source(self._topics.retries, partition, at),
                id_,
                f"a final outcome of {of}{redriven} or a later copy of it",
                f"neither, and the group has committed {committed} in {self._topics.retries}",
            )

    def _untold_legs(self) -> Iterator[Violation]:
        for id_, participant, *place in self._evidence.ask(questions.UNTOLD_LEGS):
            yield self._of_event(
                Kind.LOST,
                (place[0], place[1], id_),
                "one final outcome of the leg",
                "it was put off, has no final outcome, and nothing of its conversation waits",
                participant,
            )

    def _different(self) -> Iterator[Violation]:
        outcomes = self._topics.outcomes
        for row in self._evidence.ask(questions.DIFFERENT, self._stretch):
            partition, offset, id_, participant, first, op, oo, other, other_op, other_oo = row
            yield self._of_event(
                Kind.TWO_DECISIONS,
                (partition, offset, id_),
                f"{first}, as in {outcomes}/{op}/{oo}",
                f"{other} in {outcomes}/{other_op}/{other_oo}, under the same outcomeId",
                participant,
            )

    def _foreign(self) -> Iterator[Violation]:
        for row in self._evidence.ask(questions.FOREIGN, self._stretch):
            partition, offset, own, id_, participant, said, op, oo = row
            yield self._of_event(
                Kind.FOREIGN_ID,
                (partition, offset, id_),
                "the outcomeId of this record, or leg, or of one of its redrives",
                f"{own} ({said}) in {self._topics.outcomes}/{op}/{oo}",
                participant,
            )

    def _of_nothing(self) -> Iterator[Violation]:
        outcomes = self._topics.outcomes
        for op, oo, source, id_ in self._evidence.ask(questions.STRANGERS):
            at = Source(outcomes, op, oo)
            expected = f"a record of {self._topics.events}"
            yield Violation(Kind.OF_NOTHING, at, id_, expected, f"it names {source}")
        values = {"whole": self._whole, "earlier": EARLIER_LIFE}
        for row in self._evidence.ask(questions.OF_NOTHING, values):
            partition, offset, id_, participant, op, oo = row
            named = f"{self._topics.events}/{partition}/{offset}"
            yield Violation(
                Kind.OF_NOTHING,
                Source(outcomes, op, oo),
                id_,
                f"the record {named}",
                "there is no such record",
                participant,
            )

    def _out_of_order(self) -> Iterator[Violation]:
        outcomes = self._topics.outcomes
        for partition, offset, id_, op, oo, before in self._evidence.ask(questions.OUT_OF_ORDER):
            yield self._of_event(
                Kind.OUT_OF_ORDER,
                (partition, offset, id_),
                f"its outcome before {outcomes}/{op}/{before}, which is of a later record",
                f"its outcome in {outcomes}/{op}/{oo}",
            )

    def _without_letter(self) -> Iterator[Violation]:
        values = {**self._stretch, "since": self._letters_since, "earlier": EARLIER_LIFE}
        for row in self._evidence.ask(questions.WITHOUT_LETTER, values):
            partition, offset, id_, participant, said, op, oo = row
            yield self._of_event(
                Kind.NO_LETTER,
                (partition, offset, id_),
                f"a dead letter, for its outcome in {self._topics.outcomes}/{op}/{oo} is {said}",
                "none",
                participant,
            )
        for partition, offset, id_ in self._evidence.ask(questions.STRAYS_WITHOUT_LETTER):
            at = Source(self._topics.retries, partition, offset)
            expected = "a dead letter, for it is of no record of events, and it is committed"
            yield Violation(Kind.NO_LETTER, at, id_, expected, "none")

    def _changed_letters(self) -> Iterator[Violation]:
        for in_retries, partition, offset, lp, lo in self._evidence.ask(questions.CHANGED):
            topic = self._topics.retries if in_retries else self._topics.events
            yield Violation(
                Kind.LETTER_CHANGED,
                Source(self._topics.dead_letters, lp, lo),
                None,
                f"key and value of {topic}/{partition}/{offset}, byte for byte",
                "others",
            )

    @property
    def _stretch(self) -> dict[str, object]:
        return {"whole": self._whole}

    def _of_event(
        self,
        kind: Kind,
        record: tuple[int, int, str | None],
        expected: str,
        found: str,
        participant: str | None = None,
    ) -> Violation:
        partition, offset, id_ = record
        at = Source(self._topics.events, partition, offset)
        return Violation(kind, at, id_, expected, found, participant)
