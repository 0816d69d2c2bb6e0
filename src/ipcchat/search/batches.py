"""Moves entries from the journal into the index, a batch a transaction.

A batch is a few statements that run inside SQLite, off the interpreter's lock; text that is not
ASCII is folded in one go, since a busy loop makes each return to Python wait. Rows go in sorted by
key: in another order FTS5 costs several times as much.
"""

import json
import sqlite3
from collections.abc import Sequence

from ipcchat.journal.schema import SEQ_BITS, pack
from ipcchat.search.fold import fold
from ipcchat.search.schema import AUTHOR

__all__ = ["Span", "differs", "move", "places"]

Span = tuple[int, int, int]
"""Entries of a room: (room, seq before the first, last seq)."""

_TAKE = """
INSERT INTO temp.batch
SELECT e.id, e.time, e.by, e.text FROM json_each(?1) AS span CROSS JOIN journal.entries AS e
WHERE e.id > (span.value ->> 0) AND e.id <= (span.value ->> 1) AND e.kind IN ('message', 'topic')
"""
# NUL ends what length() counts, so text that has one is folded too.
_FOREIGN = """
SELECT json_group_array(json_array(id, text)) FROM temp.batch
WHERE length(CAST(text AS BLOB)) != length(text)
"""
_FOLDED = """
UPDATE temp.batch SET text = folded.text
FROM (SELECT value ->> 0 AS id, value ->> 1 AS text FROM json_each(?1)) AS folded
WHERE batch.id = folded.id
"""
_WORDS = f"""
INSERT INTO words (rowid, text) SELECT id, text || ' {AUTHOR}' || by FROM temp.batch ORDER BY id
"""
_MOMENTS = f"""
INSERT INTO moments SELECT id, moment, moment - time FROM (
  SELECT id, time, max(
    coalesce((SELECT r.moment FROM rooms AS r WHERE r.room = id >> {SEQ_BITS}), 0),
    max(time) OVER (PARTITION BY id >> {SEQ_BITS} ORDER BY id)) AS moment
  FROM temp.batch)
"""
_FRESH = "INSERT INTO temp.fresh (rowid, text) SELECT id, text FROM temp.batch ORDER BY id"
_VOCABULARY = """
INSERT INTO vocabulary (word, entries) SELECT term, doc FROM temp.counts WHERE true
ON CONFLICT (word) DO UPDATE SET entries = entries + excluded.entries
"""
_PARTS = """
INSERT INTO parts (rowid, word)
SELECT number, word FROM vocabulary WHERE number > ? AND length(word) > 2 ORDER BY number
"""
_ROOMS = f"""
INSERT OR REPLACE INTO rooms
SELECT room, high & {(1 << SEQ_BITS) - 1},
       coalesce((SELECT moment FROM moments WHERE id > room << {SEQ_BITS} AND id <= high
                 ORDER BY id DESC LIMIT 1), 0),
       max(coalesce((SELECT r.behind FROM rooms AS r WHERE r.room = span.room), 0),
           coalesce((SELECT max(behind) FROM moments WHERE id > low AND id <= high), 0))
FROM (SELECT value ->> 0 AS low, value ->> 1 AS high, (value ->> 1) >> {SEQ_BITS} AS room
      FROM json_each(?1)) AS span
"""


def move(db: sqlite3.Connection, spans: Sequence[Span]) -> int:
    """Indexes these entries, all or none; returns how many of them can be found.

    Each room may be there once. Raises sqlite3.Error.
    """
    bounds = json.dumps([(pack(room, low), pack(room, high)) for room, low, high in sorted(spans)])
    db.execute("BEGIN IMMEDIATE")
    try:
        (known,) = db.execute("SELECT coalesce(max(number), 0) FROM vocabulary").fetchone()
        count = db.execute(_TAKE, (bounds,)).rowcount
        if count:
            _fold_foreign(db)
            for statement in (_WORDS, _MOMENTS, _FRESH, _VOCABULARY):
                db.execute(statement)
            db.execute(_PARTS, (known,))
            db.execute("INSERT INTO temp.fresh (fresh) VALUES ('delete-all')")
            db.execute("DELETE FROM temp.batch")
        db.execute(_ROOMS, (bounds,))
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return count


def _fold_foreign(db: sqlite3.Connection) -> None:
    """Folds the texts of the batch that are not ASCII."""
    (rows,) = db.execute(_FOREIGN).fetchone()
    if folded := [(key, fold(text)) for key, text in json.loads(rows)]:
        db.execute(_FOLDED, (json.dumps(folded),))


def places(db: sqlite3.Connection) -> dict[int, int]:
    """Room → the seq up to which it is indexed. Raises sqlite3.Error."""
    return dict(db.execute("SELECT room, seq FROM rooms"))


_LAST = f"""
SELECT count(*) FROM rooms AS r JOIN moments AS m ON m.id = (r.room << {SEQ_BITS} | r.seq)
LEFT JOIN journal.entries AS e ON e.id = m.id WHERE e.time IS NOT m.moment - m.behind
"""


def differs(db: sqlite3.Connection) -> bool:
    """Whether the journal's entry at a watermark is not the one that was indexed, by its time.
    Raises sqlite3.Error."""
    (count,) = db.execute(_LAST).fetchone()
    return bool(count)
