"""Makes the history of one interaction out of its records: what happened, in its order. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streams.core.conversations.events import ConversationEvent
from streams.core.envelope import InteractionEvent
from streams.core.records import Basis, Call, Seen, Source
from streams.core.sequence import Standing, highest, remember, standing
from streams.operator.explain.found import (
    EventRecord,
    Found,
    LetterRecord,
    OutcomeRecord,
    ReturnRecord,
)
from streams.operator.explain.order import Happens, in_order
from streams.operator.standing import Standing as LetterStanding
from streams.operator.standing import standings
from streams.timestamps import epoch_ms
from streams.wire.dead_letters import Stage
from streams.wire.outcomes import Outcome, outcome_id


@dataclass(frozen=True, slots=True)
class Arrived:
    """An event came. ``standing``: how it compares with those before it; None when it can not be
    read. ``repeats``: of a duplicate, the record with the same sequence, or of a conversation with
    the same event. ``missing``: the first and the last of the numbers before it that had not come
    by then. ``taken_up_at``: when the worker began with it, epoch milliseconds."""

    record: EventRecord
    standing: Standing | None
    repeats: Source | None = None
    missing: tuple[int, int] | None = None
    taken_up_at: int | None = None


@dataclass(frozen=True, slots=True)
class Requested:
    """A request to Genesys Cloud. ``record``: the outcome that has it."""

    record: OutcomeRecord
    call: Call


@dataclass(frozen=True, slots=True)
class Decided:
    """An outcome. ``again``: it was published before, with the same id. ``event``: the one that it
    is about; None when it is kept no more, or can not be read."""

    record: OutcomeRecord
    again: bool = False
    event: InteractionEvent | None = None


@dataclass(frozen=True, slots=True)
class Returns:
    """A copy in ``retries``: the record was put off, or an operator has sent it back."""

    record: ReturnRecord


@dataclass(frozen=True, slots=True)
class Died:
    """A dead letter, and what has become of it. ``refused``: the bridge did not let it in."""

    record: LetterRecord
    standing: LetterStanding
    refused: bool


Happening = Arrived | Requested | Decided | Returns | Died


def history(found: Found) -> Sequence[Happening]:
    """Everything that happened, each record of Kafka once, in its order: records of one partition
    in the order of their offsets, and nothing before what has led to it."""
    return _History(found).happenings()


class _History:
    """Collects what happened, with what each has to come after."""

    def __init__(self, found: Found) -> None:
        self._found = found
        self._happens: list[Happens[Happening]] = []
        self._arrived: dict[Source, int] = {}
        self._decided: dict[str, int] = {}
        self._last_of_log: dict[tuple[str, int], int] = {}
        self._begun = _begun(found.outcomes)

    def happenings(self) -> Sequence[Happening]:
        self._add_events()
        self._add_outcomes()
        self._add_returns()
        self._add_letters()
        return in_order(self._happens)

    def _add(
        self, what: Happening, at: int, after: Sequence[int | None], place: Source | None = None
    ) -> int:
        """``place``: for a record itself, which comes after those before it in its partition."""
        causes = {each for each in after if each is not None}
        number = len(self._happens)
        if place is not None:
            log = (place.topic, place.partition)
            if (before := self._last_of_log.get(log)) is not None:
                causes.add(before)
            self._last_of_log[log] = number
        self._happens.append(Happens(what, at, frozenset(causes)))
        return number

    def _add_events(self) -> None:
        seen, first = Seen(), dict[int | str, Source]()
        same: dict[str, Source] = {}
        for record in self._found.events:
            event, place = record.event, record.place
            if isinstance(event, ConversationEvent):
                known = (same[each] for each in event.identities if each in same)
                repeats = next(known, None)
                stands = Standing.NEW if repeats is None else Standing.DUPLICATE
                arrived = Arrived(record, stands, repeats, None, self._begun.get(place))
                same |= {each: place for each in event.identities if each not in same}
            elif isinstance(event, InteractionEvent):
                before = highest(seen)
                arrived = Arrived(
                    record,
                    standing(seen, event),
                    first.get(event.identity),
                    _missing(before, event.order),
                    self._begun.get(place),
                )
                first.setdefault(event.identity, place)
                seen = remember(seen, event)
            else:
                arrived = Arrived(record, None, taken_up_at=self._begun.get(place))
            self._arrived[place] = self._add(arrived, record.at, [], place)

    def _add_outcomes(self) -> None:
        events = {each.place: each.event for each in self._found.events}
        told: set[Call] = set()
        # The latest step with each source record: its event, then its decisions.
        latest = dict[Source, int | None](self._arrived)
        for record in self._found.outcomes:
            outcome = record.outcome
            if not isinstance(outcome, Outcome):
                self._add(Decided(record), record.at, [], record.place)
                continue
            cause = latest.get(outcome.source)
            for call in outcome.calls:
                # A final outcome has the requests of the deferrals before it once more, and the
                # outcomes of a conversation's legs have those of their common look.
                if call not in told:
                    told.add(call)
                    at = epoch_ms(call.at)
                    cause = self._add(
                        Requested(record, call), record.at if at is None else at, [cause]
                    )
            again = outcome.outcome_id in self._decided
            event = events.get(outcome.source)
            decided = Decided(record, again, event if isinstance(event, InteractionEvent) else None)
            at = None if again else epoch_ms(outcome.decided_at)
            number = self._add(decided, record.at if at is None else at, [cause], record.place)
            self._decided.setdefault(outcome.outcome_id, number)
            latest[outcome.source] = number

    def _add_returns(self) -> None:
        for record in self._found.returns:
            causes: list[int | None] = []
            if (returned := record.returned) is not None:
                deferral = outcome_id(
                    returned.source, returned.put_off.attempt, redriven=returned.redriven
                )
                causes = [self._arrived.get(returned.source), self._decided.get(deferral)]
            self._add(Returns(record), record.at, causes, record.place)

    def _add_letters(self) -> None:
        letters = [each.letter for each in self._found.letters]
        sent = {
            (each.returned.source, each.returned.redriven)
            for each in self._found.returns
            if each.returned is not None
        }
        for record, (letter, stands) in zip(
            self._found.letters, standings(letters, sent), strict=True
        ):
            causes: list[int | None] = []
            if letter.source is not None:
                failed = outcome_id(letter.source, redriven=letter.redriven)
                causes = [self._arrived.get(letter.source), self._decided.get(failed)]
            at = record.at if letter.failed_at is None else letter.failed_at
            died = Died(record, stands, is_refused(record))
            self._add(died, at, causes, record.place)


def is_refused(record: LetterRecord) -> bool:
    """Whether the letter is of bytes that the bridge has not let into ``events``."""
    return record.letter.stage == Stage.BRIDGE and record.letter.source is None


def _missing(before: int | None, order: int | None) -> tuple[int, int] | None:
    if before is None or order is None or order <= before + 1:
        return None
    return before + 1, order - 1


def _of_a_look(outcome: Outcome) -> bool:
    """Whether a look at a conversation has decided it: no other event lacks a sequence."""
    looked = outcome.sequence_id is None and outcome.basis is Basis.API
    return looked or outcome.leg is not None


def _begun(outcomes: Sequence[OutcomeRecord]) -> dict[Source, int]:
    """When the worker took up each source record for the first time. What a look has decided says
    nothing of that: its record had come back."""
    begun: dict[Source, int] = {}
    for record in outcomes:
        outcome = record.outcome
        if not isinstance(outcome, Outcome) or _of_a_look(outcome):
            continue
        decided_at = epoch_ms(outcome.decided_at)
        if decided_at is not None:
            begun.setdefault(outcome.source, decided_at - round(outcome.latency_ms))
    return begun
