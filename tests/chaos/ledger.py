"""What the topics hold, kept as it comes in: compact, so that a long storm fits into memory.

No Kafka in here: it is handed the records, each partition's in order. ``Ledger`` is what the
dialects have in common; ``InteractionLedger`` knows interactions, and ``leg_ledger.py`` legs.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Generic, TypeVar

import msgspec

from tests.chaos.poison import HEADER
from tests.support.oracle import Place, Record

GENERATION = "worker.generation"
SOURCE_PARTITION = "dlq.source.partition"
SOURCE_OFFSET = "dlq.source.offset"
RETRY_PARTITION = "retry.source.partition"
RETRY_OFFSET = "retry.source.offset"
RETRY_ATTEMPT = "retry.attempt"


class Event(msgspec.Struct, rename="camel", gc=False):
    """What decides on an event, of what lies in the topic."""

    interaction_id: str
    sequence_id: int | str
    interaction_type: str | None = None
    state: str | None = None


class _Envelope(msgspec.Struct):
    id: str
    detail: Event


class _Source(msgspec.Struct):
    partition: int
    offset: int


class LegOfOutcome(msgspec.Struct, rename="camel"):
    """The leg that an outcome is on."""

    participant_id: str


class Outcome(msgspec.Struct, rename="camel"):
    """What is read of an outcome."""

    outcome_id: str
    final: bool
    interaction_id: str | None
    decision: str
    reason: str
    basis: str
    recovered: bool
    source: _Source
    leg: LegOfOutcome | None = None

    @property
    def place(self) -> Place:
        """Its source record."""
        return self.source.partition, self.source.offset

    @property
    def answer(self) -> Answer:
        return Answer(self.outcome_id, self.decision, self.reason, self.basis)


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What the outcomes of one record must agree on."""

    outcome_id: str
    decision: str
    reason: str
    basis: str


_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_outcome = msgspec.json.Decoder(Outcome).decode


class Finished:
    """The source records that have their final outcome, and the lowest that has not."""

    def __init__(self) -> None:
        self._lowest: defaultdict[int, int] = defaultdict(int)
        self._ahead: defaultdict[int, set[int]] = defaultdict(set)

    def add(self, place: Place) -> None:
        partition, offset = place
        ahead = self._ahead[partition]
        if offset >= self._lowest[partition]:
            ahead.add(offset)
        while self._lowest[partition] in ahead:
            ahead.remove(self._lowest[partition])
            self._lowest[partition] += 1

    def lowest_open(self, partition: int) -> int:
        """The events topic begins at offset 0 and has no holes: nobody deletes or transacts."""
        return self._lowest[partition]

    def unfinished_below(self, partition: int, offset: int) -> int:
        """How many records below the offset have no final outcome."""
        lowest = self._lowest[partition]
        done = sum(1 for each in self._ahead[partition] if each < offset)
        return max(0, offset - lowest - done)


class Generations:
    """The consumer generations in which records were written: they never go backwards."""

    def __init__(self) -> None:
        self._highest: dict[tuple[str, int, int], int] = {}
        self.violations: list[str] = []

    def take(self, topic: str, record: Record, owned: int) -> None:
        """``owned``: the source partition in whose name the record was written."""
        generation = dict(record.headers).get(GENERATION, b"")
        at = f"{topic}/{record.partition}/{record.offset}"
        if not generation.isdigit():
            self.violations.append(f"{at}: header {GENERATION} is {generation!r}, not a number")
            return
        # Records without a key are spread over all partitions, each with an order of its own.
        stream = (topic, record.partition, owned)
        highest = self._highest.get(stream, -1)
        if int(generation) < highest:
            self.violations.append(f"{at}: generation {int(generation)} wrote after {highest}")
        self._highest[stream] = max(highest, int(generation))


E = TypeVar("E")


class Ledger(ABC, Generic[E]):
    """All that was seen in the topics. ``fenced``: the program says in which generation it
    wrote."""

    def __init__(self, *, fenced: bool) -> None:
        self._fenced = fenced
        self.events: dict[Place, E] = {}
        self.stored: Counter[str] = Counter()
        """Event ids in the topic; the bridge may have been sent one again, and rightly so."""
        self.poison: dict[Place, tuple[str, bytes]] = {}
        """Kind and digest."""
        self.letters: dict[Place, bytes] = {}
        self.published: dict[Place, Answer] = {}
        """The first final outcome of each source record."""
        self.differing: defaultdict[Place, set[Answer]] = defaultdict(set)
        self.repeated = 0
        self.recovered: set[object] = set()
        """What a code was found at after a crash: source records, and legs."""
        self.put_off: defaultdict[Place, set[int]] = defaultdict(set)
        """Deferrals seen, by source record: the number of each, in their order of coming."""
        self.put_off_ids: set[str] = set()
        self.interactions_put_off: set[str] = set()
        self.returning: dict[Place, tuple[Place, int]] = {}
        """Records of the retries topic whose source record has not been decided since: the source
        and the how-manyth deferral it is of."""
        self.out_of_order: list[str] = []
        self.finished = Finished()
        self.generations = Generations()
        self._last_published: dict[str, int] = {}

    @property
    def records(self) -> int:
        """Source records seen so far."""
        return len(self.events) + len(self.poison)

    @property
    def told(self) -> int:
        """How much is decided so far."""
        return len(self.published)

    @property
    def decisions(self) -> Counter[str]:
        """How often each was made."""
        return Counter(f"{one.decision}/{one.reason}" for one in self.published.values())

    @abstractmethod
    def read_event(self, value: bytes) -> tuple[str, E]:
        """The id of an event, and what decides on it."""

    def take_source(self, record: Record) -> None:
        """A record of the events topic."""
        place = (record.partition, record.offset)
        kind = dict(record.headers).get(HEADER)
        if kind is not None:
            self.poison[place] = (kind.decode(), digest(record))
            return
        event_id, self.events[place] = self.read_event(record.value or b"")
        self.stored[event_id] += 1

    def take_outcome(self, record: Record) -> None:
        outcome = _decode_outcome(record.value or b"")
        if self._fenced:
            self.generations.take("outcomes", record, outcome.source.partition)
        self._enter(outcome)

    def _enter(self, outcome: Outcome) -> None:
        """An outcome of a source record."""
        place, answer = outcome.place, outcome.answer
        if not outcome.final:
            self._take_deferral(outcome, place)
            return
        if outcome.recovered:
            self.recovered.add(place)
        first = self.published.setdefault(place, answer)
        if first is not answer:
            self.repeated += 1
            if first != answer:
                self.differing[place] |= {first, answer}
            return
        self.finished.add(place)
        if outcome.interaction_id is not None and self._comes_in_order(place, answer):
            self._in_order(outcome.interaction_id, place)

    def _comes_in_order(self, place: Place, answer: Answer) -> bool:
        """Whether its outcome must not come after that of a later record."""
        return place not in self.put_off

    def _take_deferral(self, outcome: Outcome, place: Place) -> None:
        """Published for now: its record is in the retries topic when it is finished."""
        self.finished.add(place)
        if outcome.outcome_id not in self.put_off_ids:
            self.put_off_ids.add(outcome.outcome_id)
            self.put_off[place].add(len(self.put_off[place]) + 1)
        if outcome.interaction_id is not None:
            self.interactions_put_off.add(outcome.interaction_id)

    def take_return(self, record: Record) -> None:
        """A record of the retries topic."""
        headers = dict(record.headers)
        source = (int(headers[RETRY_PARTITION]), int(headers[RETRY_OFFSET]))
        self.returning[(record.partition, record.offset)] = (source, int(headers[RETRY_ATTEMPT]))

    def take_letter(self, record: Record) -> None:
        """A dead letter of the worker's; one of the bridge's has no source."""
        headers = dict(record.headers)
        if SOURCE_OFFSET in headers:
            place = (int(headers[SOURCE_PARTITION]), int(headers[SOURCE_OFFSET]))
            self.letters[place] = digest(record)

    def take_change(self, record: Record) -> None:
        """A record of the table's changelog: its partition is that of the source."""
        self.generations.take("changelog", record, record.partition)

    def past_returning(self, committed: Mapping[int, int]) -> dict[Place, str]:
        """Where the committed offset of the retries topic has passed a record that was not decided
        since."""
        for at, (source, attempt) in list(self.returning.items()):
            if source in self.published or self._decided_since(at, source, attempt):
                del self.returning[at]
        return {
            at: f"retries {at[0]}/{at[1]}: passed, and {source} is not decided since"
            for at, (source, _) in self.returning.items()
            if at[1] < committed.get(at[0], 0)
        }

    def _decided_since(self, at: Place, source: Place, attempt: int) -> bool:
        """Whether the source record was put off again, after the record ``at`` this place of the
        retries topic."""
        return len(self.put_off[source]) > attempt

    def past_unfinished(self, committed: Mapping[int, int]) -> dict[Place, str]:
        """Where the committed offset has passed a record that has no final outcome yet, under the
        lowest such record of each partition."""
        return {
            (partition, lowest): f"partition {partition}: committed {offset}, but {lowest} has no "
            f"outcome ({self.finished.unfinished_below(partition, offset)} records passed)"
            for partition, offset in committed.items()
            if offset > (lowest := self.finished.lowest_open(partition))
        }

    def _in_order(self, interaction_id: str, place: Place) -> None:
        partition, offset = place
        last = self._last_published.get(interaction_id, -1)
        if offset < last:
            self.out_of_order.append(
                f"{interaction_id}: {partition}/{offset} published after {last}"
            )
        self._last_published[interaction_id] = max(last, offset)


class InteractionLedger(Ledger[Event]):
    """That of interactions."""

    def read_event(self, value: bytes) -> tuple[str, Event]:
        envelope = _decode_envelope(value)
        return envelope.id, envelope.detail


def digest(record: Record) -> bytes:
    """Key and value, distinguished from their absence."""
    parts = (record.key, record.value)
    digests = (
        b"" if one is None else hashlib.blake2b(one, digest_size=16).digest() for one in parts
    )
    return b"/".join(digests)
