"""What was read of the topics, on disk: a private SQLite database that ends with the process.

Ten million records do not fit into the memory of an operator's machine. SQLite keeps some 64 MiB of
them there and the rest in a temporary file, which it deletes itself; a small audit never touches
the disk. It also sorts there, which the look at the order needs.

Nothing here knows Kafka: it is handed values, and ``judge.py`` asks what does not fit together.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import chain
from types import TracebackType
from typing import Any

from streams.core.foreign_text import foreign_text
from streams.core.records import Decision, Source
from streams.errors import AuditError
from streams.kafka.settings import TopicNames
from streams.operator.audit.schema import INSERTS, TABLES
from streams.wire.dead_letters import Letter
from streams.wire.leg_ids import leg_outcome_id
from streams.wire.outcomes import Outcome, outcome_id
from streams.wire.retries import Returned

# Of the database, in memory; a negative number is KiB to SQLite. Larger gains nothing that was
# measured (docs/audit.md).
CACHE_KIB = 64 * 1024

# Rows that are handed to SQLite at once: a call for each would cost more than the row.
BATCH = 2_000

# Of a record's key, which may have a megabyte. No interaction's id is longer.
KEY_LENGTH = 128

# Of the place of a record that an outcome names, whose topic may be another producer's.
NAME_LENGTH = 300

# Kafka's offsets have 64 bits, and so have SQLite's numbers. No larger one is a record's.
LARGEST = 2**63

# The number of an outcome of an earlier life of the log: its record is gone, and another one may
# lie at its offset.
EARLIER_LIFE = -1

# Redrives of one record that are tried where retries has lost what would show them. A record is
# redriven some times at most: a mend that does not help is noticed sooner.
MOST_REDRIVES = 16

Place = tuple[int, int]

Values = Mapping[str, object] | Sequence[object]


class Evidence:
    """``cut``: the life of each partition of events whose log was cut, by its number. Raises
    AuditError when the disk fails."""

    def __init__(self, topics: TopicNames, cut: Mapping[int, str] | None = None) -> None:
        self.topics = topics
        self._cut = cut or {}
        self._rows: dict[str, list[tuple[Any, ...]]] = {table: [] for table in INSERTS}
        # The empty name makes a private file of SQLite's own, in TMPDIR, once the cache is full.
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "temp_store = FILE"):
            self._db.execute(f"PRAGMA {pragma}")
        for table in TABLES:
            self._db.execute(table)
        self._db.execute("BEGIN")

    def __enter__(self) -> Evidence:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._db.interrupt()  # a query that goes on in its thread
        self._db.close()

    def take_outcome(self, partition: int, offset: int, at: int, outcome: Outcome) -> None:
        """A record of outcomes. Each partition's are taken in order. ``at``: its time in Kafka."""
        source, leg, id_ = outcome.source, outcome.leg, plain(outcome.interaction_id)
        place, found_at = (source.partition, source.offset), (partition, offset)
        if source.topic != self.topics.events or not all(0 <= each < LARGEST for each in place):
            named = foreign_text(f"{source.topic}/{place[0]}/{place[1]}", NAME_LENGTH)
            self._add("stranger", (*found_at, named, id_))
            return
        if not outcome.final:
            if leg is None:
                self._add("put_off", place)
            else:
                self._add("leg_put_off", (id_, plain(leg.participant_id), *place))
            return
        failed = outcome.decision is Decision.FAILED
        answer = (answer_of(outcome), failed, *found_at, at)
        own_id = plain(outcome.outcome_id)
        if leg is not None:
            participant = plain(leg.participant_id)
            if own_id == leg_outcome_id(id_ or "", participant or ""):
                self._add("leg", (id_, participant, 0, *place, *answer))
            else:
                self._add("unnumbered", (*place, own_id, id_, participant, *answer))
            return
        life = self._cut.get(source.partition, "")
        if own_id == outcome_id(source, life=life):
            self._add("outcome", (*place, 0, id_, *answer))
        else:
            self._add("unnumbered", (*place, own_id, id_, None, *answer))

    def take_letter(self, letter: Letter, at: int) -> None:
        """A record of dead-letters. One that was never in a topic of ours is none of a record."""
        if letter.source is None or letter.source.topic not in (
            self.topics.events,
            self.topics.retries,
        ):
            return
        # Too large for dead-letters, or not readable: there the letter has the place alone.
        bare = letter.key is None and letter.value is None
        source = letter.source
        row = (
            *(source.topic == self.topics.retries, source.partition, source.offset),
            *(letter.redriven, letter.partition, letter.offset),
            *(digest(letter.key, letter.value), bare, at),
        )
        self._add("letter", row)

    def take_returned(
        self,
        partition: int,
        offset: int,
        key: bytes | None,
        value: bytes | None,
        returned: Returned | None,
        *,
        judged: bool,
    ) -> None:
        """A record of retries, after all letters. ``returned``: None when its headers can not be
        read. ``judged``: whether what came of it is still kept."""
        source = returned.source if returned is not None else None
        if (
            returned is None
            or source is None
            or (source.topic, source.partition) != (self.topics.events, partition)
        ):
            self._add("stray", (partition, offset, key_text(key), judged))
            self._digest(1, partition, offset, key, value)
            return
        row = (partition, source.offset, offset, returned.redriven, key_text(key), judged)
        self._add("copy", row)

    def take_event(
        self,
        partition: int,
        offset: int,
        key: bytes | None,
        value: bytes | None,
        *,
        judged: bool,
    ) -> None:
        """A record of events, after all letters. ``judged``: as above."""
        self._add("event", (partition, offset, key_text(key), judged))
        self._digest(0, partition, offset, key, value)

    def number_redrives(self, *, kept_all: bool) -> None:
        """Find out of which redrive each outcome with an id of its own is, once all is taken.

        ``kept_all``: whether every redrive since is still in retries. If not, a few more than are
        known are tried.
        """
        self.flush()
        self._db.execute("CREATE INDEX copy_of ON copy (id)")
        guess = range(1, 1 if kept_all else MOST_REDRIVES + 1)
        for row in self.ask("SELECT * FROM unnumbered"):
            partition, offset, own_id, id_, participant, *answer = row
            place = (partition, offset)
            if participant is not None:
                tried = chain(guess, self._redrives_of_conversation(id_))
                number = _leg_number(own_id, id_ or "", participant, tried)
                if number is not None:
                    self._add("leg", (id_, participant, number, *place, *answer))
                    continue
            else:
                number = self._number(own_id, place, chain(guess, self._redrives(place)))
                if number is not None:
                    self._add("outcome", (*place, number, id_, *answer))
                    continue
            said, _, out_partition, out_offset, _ = answer
            self._add(
                "foreign",
                (*place, own_id, id_, participant, said, out_partition, out_offset),
            )
        self.flush()

    def flush(self) -> None:
        """Hand SQLite what it has not got yet."""
        for table in self._rows:
            self._write(table)

    def ask(
        self, query: str, values: Mapping[str, object] | Sequence[object] = ()
    ) -> Iterator[Any]:
        """The rows of a query, one after the other. Raises AuditError."""
        try:
            yield from self._db.execute(query, values)
        except sqlite3.Error as failure:
            raise _failed(failure) from failure

    def number(self, query: str, values: Values = ()) -> int:
        """The one number that a query gives."""
        ((found,),) = self.ask(query, values)
        return int(found or 0)

    def fill(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Put rows into a table of facts."""
        for row in rows:
            self._add(table, row)
        self._write(table)

    def _number(self, own_id: str, place: Place, tried: Iterable[int]) -> int | None:
        partition, offset = place
        source = Source(self.topics.events, partition, offset)
        life = self._cut.get(partition, "")
        for number in tried:
            if own_id == outcome_id(source, redriven=number, life=life):
                return number
        return EARLIER_LIFE if partition in self._cut else None

    def _redrives(self, place: Place) -> Iterator[int]:
        """The numbers that are seen of a record: any program may have written one, so none is
        counted up to."""
        values = dict(zip(("p", "o"), place, strict=True))
        sent = "SELECT number FROM copy WHERE p = :p AND o = :o AND number > 0"
        died = "SELECT number FROM letter WHERE t = 0 AND p = :p AND o = :o AND number > 0"
        return (number for (number,) in self.ask(f"{sent} UNION {died}", values))

    def _redrives_of_conversation(self, id_: str | None) -> Iterator[int]:
        """The numbers that are seen, and as many behind each as there are redrives: a conversation
        counts on from its own last number, so each redrive may add one."""
        redriven = "FROM copy WHERE id = ? AND number > 0"
        more = self.number(
            f"SELECT count(*) FROM (SELECT DISTINCT p, o, number {redriven})", (id_,)
        )
        last = 0
        for (seen,) in self.ask(f"SELECT DISTINCT number {redriven} ORDER BY number", (id_,)):
            yield from range(max(seen, last + 1), seen + more + 1)
            last = seen + more

    def _digest(
        self, topic: int, partition: int, offset: int, key: bytes | None, value: bytes | None
    ) -> None:
        self._write("letter")
        known = "SELECT 1 FROM letter WHERE t = ? AND p = ? AND o = ?"
        if self._db.execute(known, (topic, partition, offset)).fetchone():
            self._add("digest", (topic, partition, offset, digest(key, value)))

    def _add(self, table: str, row: tuple[Any, ...]) -> None:
        rows = self._rows[table]
        rows.append(row)
        if len(rows) >= BATCH:
            self._write(table)

    def _write(self, table: str) -> None:
        rows = self._rows[table]
        if not rows:
            return
        try:
            self._db.executemany(INSERTS[table], rows)
        except sqlite3.Error as failure:
            raise _failed(failure) from failure
        rows.clear()


def answer_of(outcome: Outcome) -> str:
    """What all outcomes of one record, or leg, must agree on."""
    said = f"{outcome.decision} {outcome.reason} {outcome.basis}"
    code = plain(outcome.disposition_code_id)
    return f"{said} {code}" if code else said


def digest(key: bytes | None, value: bytes | None) -> bytes:
    """Of a record's own bytes; an empty one is distinguished from one that is not there."""
    made = blake2b(digest_size=16)
    for part in (key, value):
        made.update(b"-" if part is None else b"%d:" % len(part) + part)
    return made.digest()


def plain(text: str | None) -> str | None:
    """An id, fit to be kept and printed. Ours all are; another producer's may be anything."""
    if text is None or (len(text) <= KEY_LENGTH and text.isprintable()):
        return text
    return foreign_text(text, KEY_LENGTH)


def key_text(key: bytes | None) -> str | None:
    """A record's key, fit to be printed: mostly its interaction's id."""
    return None if key is None else foreign_text(key, KEY_LENGTH)


def _leg_number(own_id: str, id_: str, participant: str, tried: Iterable[int]) -> int | None:
    for number in tried:
        if own_id == leg_outcome_id(id_, participant, redriven=number):
            return number
    return None


def _failed(failure: sqlite3.Error) -> AuditError:
    return AuditError(
        f"the audit's temporary file can not be used: {failure}; it needs some 200 MB for a "
        "million records: free that, or name another directory in TMPDIR"
    )
