"""The queries of the judge, one for each promise. The tables are in ``schema.py``."""

from __future__ import annotations

# Whether the record of an outcome is in the stretch of time that is judged.
_IN_EVENTS = "EXISTS (SELECT 1 FROM event e WHERE e.p = x.p AND e.o = x.o)"
_IN_STRETCH = f"(:whole OR {_IN_EVENTS})"

# A record that has an outcome of any number, or a copy in retries that is looked at by itself.
_HAS_OUTCOME = "EXISTS (SELECT 1 FROM outcome x WHERE x.p = e.p AND x.o = e.o)"
_HAS_COPY = "EXISTS (SELECT 1 FROM copy y WHERE y.p = e.p AND y.o = e.o)"

# The last record of each partition that was worked on.
_LAST = (
    "SELECT p, max(o) AS last FROM (SELECT p, max(o) AS o FROM outcome GROUP BY p "
    "UNION ALL SELECT p, max(o) FROM copy GROUP BY p "
    "UNION ALL SELECT p, max(o) FROM put_off GROUP BY p) GROUP BY p"
)

UNDECIDED = f"""
SELECT e.p, e.o, e.id, c.o, l.last
FROM event e JOIN committed c ON c.p = e.p LEFT JOIN ({_LAST}) l ON l.p = e.p
WHERE e.judged AND e.o < c.o AND NOT {_HAS_OUTCOME} AND NOT {_HAS_COPY}
ORDER BY e.p, e.o
"""

PAST_THE_END = """
SELECT c.p, c.o, b.end FROM committed c JOIN bounds b ON b.p = c.p WHERE c.o > b.end ORDER BY c.p
"""

DELETED = """
SELECT c.p, c.o, b.begin, (
    SELECT count(*) FROM (
        SELECT o FROM outcome x WHERE x.p = c.p AND x.o >= c.o AND x.o < b.begin
        UNION SELECT o FROM copy y WHERE y.p = c.p AND y.o >= c.o AND y.o < b.begin))
FROM committed c JOIN bounds b ON b.p = c.p WHERE c.o < b.begin ORDER BY c.p
"""

# Of a redrive an earlier outcome is none. What was decided in an earlier life of the log may be
# any of its redrives.
RETURNS = """
SELECT y.p, y.o, y.ro, y.number, y.id, c.o
FROM copy y JOIN committed_returns c ON c.p = y.p
WHERE y.judged AND y.ro < c.o
AND NOT EXISTS (SELECT 1 FROM copy z
    WHERE z.p = y.p AND z.o = y.o AND z.ro > y.ro AND z.number >= y.number)
AND NOT EXISTS (SELECT 1 FROM outcome x
    WHERE x.p = y.p AND x.o = y.o AND (x.number >= y.number OR x.number < 0))
ORDER BY y.p, y.ro
"""

UNTOLD_LEGS = """
SELECT l.id, l.participant, l.p, l.o FROM leg_put_off l JOIN committed_returns c ON c.p = l.p
WHERE NOT EXISTS (SELECT 1 FROM leg x WHERE x.id = l.id AND x.participant = l.participant)
AND NOT EXISTS (SELECT 1 FROM copy y WHERE y.id = l.id AND y.p = l.p AND y.ro >= c.o)
ORDER BY l.p, l.o
"""

DIFFERENT = f"""
SELECT * FROM (
    SELECT p, o, id, NULL, answer, op, oo, other, other_op, other_oo FROM outcome x
    WHERE other IS NOT NULL AND number >= 0 AND {_IN_STRETCH}
    UNION ALL
    SELECT p, o, id, participant, answer, op, oo, other, other_op, other_oo FROM leg x
    WHERE other IS NOT NULL AND {_IN_STRETCH})
ORDER BY 1, 2
"""

FOREIGN = f"SELECT * FROM foreign_ids x WHERE {_IN_STRETCH} ORDER BY p, o"

STRANGERS = "SELECT op, oo, source, id FROM stranger ORDER BY op, oo"

# A stretch of time leaves records out: then only an offset that no record has yet is known to be
# none.
_NO_RECORD = (
    "(b.p IS NULL OR x.o >= b.end OR (:whole AND x.o >= b.begin AND NOT EXISTS "
    "(SELECT 1 FROM event e WHERE e.p = x.p AND e.o = x.o)))"
)
OF_NOTHING = f"""
SELECT * FROM (
    SELECT x.p, x.o, x.id, NULL, x.op, x.oo FROM outcome x LEFT JOIN bounds b ON b.p = x.p
    WHERE x.number <> :earlier AND {_NO_RECORD}
    UNION ALL
    SELECT x.p, x.o, x.id, x.participant, x.op, x.oo FROM leg x LEFT JOIN bounds b ON b.p = x.p
    WHERE {_NO_RECORD})
ORDER BY 5, 6
"""

# What was put off, or redriven, is told when its time comes: later ones go first, and rightly so.
OUT_OF_ORDER = """
SELECT p, o, id, op, oo, later FROM (
    SELECT x.p, x.o, x.id, x.op, x.oo, min(x.oo) OVER (
        PARTITION BY x.p, x.op, x.id ORDER BY x.o DESC
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS later
    FROM outcome x JOIN event e ON e.p = x.p AND e.o = x.o AND e.judged
    WHERE x.number = 0 AND x.id IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM copy y WHERE y.p = x.p AND y.o = x.o)
    AND NOT EXISTS (SELECT 1 FROM put_off d WHERE d.p = x.p AND d.o = x.o))
WHERE oo > later ORDER BY p, o
"""

_KEPT = "(:since IS NULL OR x.at >= :since)"
WITHOUT_LETTER = f"""
SELECT * FROM (
    SELECT p, o, id, NULL, answer, op, oo FROM outcome x
    WHERE failed AND number <> :earlier AND {_KEPT} AND {_IN_STRETCH}
    AND NOT EXISTS (SELECT 1 FROM letter l
        WHERE l.t = 0 AND l.p = x.p AND l.o = x.o AND l.number = x.number)
    UNION ALL
    SELECT p, o, id, participant, answer, op, oo FROM leg x
    WHERE failed AND {_KEPT} AND {_IN_STRETCH}
    AND NOT EXISTS (SELECT 1 FROM letter l WHERE l.t = 0 AND l.p = x.p AND l.o = x.o))
ORDER BY 1, 2
"""

STRAYS_WITHOUT_LETTER = """
SELECT s.p, s.ro, s.id FROM stray s JOIN committed_returns c ON c.p = s.p
WHERE s.judged AND s.ro < c.o
AND NOT EXISTS (SELECT 1 FROM letter l WHERE l.t = 1 AND l.p = s.p AND l.o = s.ro)
ORDER BY s.p, s.ro
"""

CHANGED = """
SELECT l.t, l.p, l.o, l.lp, l.lo FROM letter l JOIN digest d USING (t, p, o)
WHERE NOT l.bare AND l.digest <> d.digest ORDER BY l.lp, l.lo
"""

_OPEN = "FROM event e WHERE NOT " + _HAS_OUTCOME
COUNTS = {
    "records": "SELECT count(*) FROM event",
    "olderThanKept": "SELECT count(*) FROM event WHERE NOT judged",
    "open": f"SELECT count(*) {_OPEN} AND NOT {_HAS_COPY} AND NOT EXISTS "
    "(SELECT 1 FROM committed c WHERE c.p = e.p AND e.o < c.o)",
    "waiting": f"SELECT count(*) {_OPEN} AND {_HAS_COPY}",
    "decided": "SELECT count(*) FROM outcome WHERE number = 0",
    "redriven": "SELECT count(*) FROM outcome WHERE number > 0",
    "ofEarlierLife": "SELECT count(*) FROM outcome WHERE number < 0",
    "legs": "SELECT count(*) FROM leg",
    "publishedAgain": "SELECT (SELECT coalesce(sum(repeats), 0) FROM outcome) + "
    "(SELECT coalesce(sum(repeats), 0) FROM leg)",
    "putOff": "SELECT count(*) FROM copy",
    "deadLetters": "SELECT count(*) FROM letter",
}

DECISIONS = """
SELECT kind, decision, substr(rest, 1, instr(rest, ' ') - 1) AS reason, count(*) FROM (
    SELECT kind, substr(answer, 1, instr(answer, ' ') - 1) AS decision,
        substr(answer, instr(answer, ' ') + 1) AS rest
    FROM (SELECT '' AS kind, answer FROM outcome UNION ALL SELECT 'leg ', answer FROM leg))
GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3
"""

TOLD_OF = f"""
SELECT DISTINCT id FROM outcome x WHERE id IS NOT NULL AND number >= 0 AND {_IN_STRETCH}
"""

CLAIMS = """
SELECT id, NULL, p, o, answer, op, oo FROM outcome WHERE number >= 0 AND id IN (:ids)
UNION ALL SELECT id, participant, p, o, answer, op, oo FROM leg WHERE id IN (:ids)
ORDER BY 6, 7
"""
