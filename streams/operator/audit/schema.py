"""The tables in which an audit keeps what it has read.

``p``, ``o``: partition and offset in events of the source record. ``number``: of which redrive it
is, 0 for none. ``op``, ``oo``: where the outcome itself lies.
"""

from __future__ import annotations

# A table whose rows are looked up by place, and stored in that order: no index beside it.
_BY_PLACE = "PRIMARY KEY ({}) ) WITHOUT ROWID"

_ANSWER = "answer TEXT, failed INTEGER, op INTEGER, oo INTEGER, at INTEGER"
_OTHER = "repeats INTEGER DEFAULT 0, other TEXT, other_op INTEGER, other_oo INTEGER"

TABLES = (
    f"CREATE TABLE outcome (p INTEGER, o INTEGER, number INTEGER, id TEXT, {_ANSWER}, {_OTHER}, "
    + _BY_PLACE.format("p, o, number"),
    "CREATE TABLE leg (id TEXT, participant TEXT, number INTEGER, p INTEGER, o INTEGER, "
    f"{_ANSWER}, {_OTHER}, " + _BY_PLACE.format("id, participant, number"),
    "CREATE TABLE unnumbered (p INTEGER, o INTEGER, own TEXT, id TEXT, participant TEXT, "
    f"{_ANSWER})",
    "CREATE TABLE foreign_ids (p INTEGER, o INTEGER, own TEXT, id TEXT, participant TEXT, "
    "answer TEXT, op INTEGER, oo INTEGER)",
    # Outcomes of records of another topic.
    "CREATE TABLE stranger (op INTEGER, oo INTEGER, source TEXT, id TEXT)",
    "CREATE TABLE put_off (p INTEGER, o INTEGER, " + _BY_PLACE.format("p, o"),
    "CREATE TABLE leg_put_off (id TEXT, participant TEXT, p INTEGER, o INTEGER, "
    + _BY_PLACE.format("id, participant"),
    # ``t``: 0 for a record of events, 1 for one of retries.
    "CREATE TABLE letter (t INTEGER, p INTEGER, o INTEGER, number INTEGER, lp INTEGER, lo INTEGER, "
    "digest BLOB, bare INTEGER, at INTEGER, " + _BY_PLACE.format("t, p, o, lp, lo"),
    "CREATE TABLE digest (t INTEGER, p INTEGER, o INTEGER, digest BLOB, "
    + _BY_PLACE.format("t, p, o"),
    # ``ro``: the offset of the copy in retries.
    "CREATE TABLE copy (p INTEGER, o INTEGER, ro INTEGER, number INTEGER, id TEXT, judged INTEGER, "
    + _BY_PLACE.format("p, o, ro"),
    # Records of retries that are of no record of events.
    "CREATE TABLE stray (p INTEGER, ro INTEGER, id TEXT, judged INTEGER)",
    "CREATE TABLE event (p INTEGER, o INTEGER, id TEXT, judged INTEGER, "
    + _BY_PLACE.format("p, o"),
    # What Kafka says: where the group stands, and from where to where events goes.
    "CREATE TABLE committed (p INTEGER PRIMARY KEY, o INTEGER)",
    "CREATE TABLE committed_returns (p INTEGER PRIMARY KEY, o INTEGER)",
    "CREATE TABLE bounds (p INTEGER PRIMARY KEY, begin INTEGER, end INTEGER)",
)

# An outcome that comes again is counted, and the first one that says otherwise is kept.
_OTHERWISE = "CASE WHEN other IS NULL AND answer <> excluded.answer THEN excluded.{} ELSE {} END"
_AGAIN = (
    "DO UPDATE SET repeats = repeats + 1, "
    f"other_op = {_OTHERWISE.format('op', 'other_op')}, "
    f"other_oo = {_OTHERWISE.format('oo', 'other_oo')}, "
    f"other = {_OTHERWISE.format('answer', 'other')}"
)

INSERTS = {
    "outcome": "INSERT INTO outcome (p, o, number, id, answer, failed, op, oo, at) "
    f"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (p, o, number) {_AGAIN}",
    "leg": "INSERT INTO leg (id, participant, number, p, o, answer, failed, op, oo, at) "
    f"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id, participant, number) {_AGAIN}",
    "unnumbered": "INSERT INTO unnumbered VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "foreign": "INSERT INTO foreign_ids VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    "stranger": "INSERT INTO stranger VALUES (?, ?, ?, ?)",
    "put_off": "INSERT OR IGNORE INTO put_off VALUES (?, ?)",
    "leg_put_off": "INSERT OR IGNORE INTO leg_put_off VALUES (?, ?, ?, ?)",
    "letter": "INSERT OR IGNORE INTO letter VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "digest": "INSERT OR IGNORE INTO digest VALUES (?, ?, ?, ?)",
    "copy": "INSERT OR IGNORE INTO copy VALUES (?, ?, ?, ?, ?, ?)",
    "stray": "INSERT INTO stray VALUES (?, ?, ?, ?)",
    "event": "INSERT OR IGNORE INTO event VALUES (?, ?, ?, ?)",
    "committed": "INSERT INTO committed VALUES (?, ?)",
    "committed_returns": "INSERT INTO committed_returns VALUES (?, ?)",
    "bounds": "INSERT INTO bounds VALUES (?, ?, ?)",
}
