"""Finds a page of results, newest first, in few statements that each give one JSON text: the
interpreter's lock changes hands a few times a search, however much is looked at.

Where few entries can fit, they are all fetched by one statement, which drops what the asker may not
read. Otherwise each range gives its newest few, and those that may have more among the page's
results are asked again.
"""

import json
import sqlite3
from collections.abc import Callable, Sequence

from ipcchat.journal.schema import SEQ_BITS
from ipcchat.search.plan import Plan, make_plan
from ipcchat.search.query import Query, Term
from ipcchat.search.ranges import Place, Range, narrowed

__all__ = ["Hit", "find"]

Hit = tuple[int, int, int]
"""(moment, key, time in milliseconds)."""

_FEW = 4096
"""Entries that are all fetched."""
_AT_ONCE = 64
"""Ranges asked by one statement."""

_TEXT = (
    "' ' || CASE WHEN length(CAST(e.text AS BLOB)) = length(e.text) THEN lower(e.text)"
    " ELSE fold(e.text) END"
)
_ROW = "json_group_array(json_array(moment, id, moment - behind))"
_ALL = f"""
SELECT {_ROW} FROM (
  SELECT m.moment, m.id, m.behind FROM {{source}}
  WHERE {{condition}}
    AND m.id <= (SELECT high FROM temp.ranges WHERE low <= m.id ORDER BY low DESC LIMIT 1)
  ORDER BY m.moment DESC, m.id DESC LIMIT :limit)
"""
_EACH = f"""
SELECT json_group_array(json_array(low, json(hits))) FROM (
  SELECT r.value ->> 0 AS low, (
    SELECT {_ROW} FROM (
      SELECT m.moment, m.id, m.behind FROM {{source}}
      WHERE {{condition}} AND {{key}} BETWEEN (r.value ->> 0) AND (r.value ->> 1)
      ORDER BY {{key}} DESC LIMIT :limit)) AS hits
  FROM json_each(:ranges) AS r)
"""


def _statement(frame: str, plan: Plan, query: Query) -> tuple[str, dict[str, object]]:
    values: dict[str, object] = {"match": plan.match, "after": query.after, "before": query.before}
    source, conditions, key = "moments AS m", ["1"], "m.id"
    if plan.match:
        source = "words CROSS JOIN moments AS m ON m.id = words.rowid"
        conditions, key = ["words MATCH :match"], "words.rowid"
    if plan.tests:
        source += " CROSS JOIN journal.entries AS e ON e.id = m.id"
    for number, pattern in enumerate(plan.tests):
        values[f"test{number}"] = pattern
        conditions.append(f"{_TEXT} GLOB :test{number}")
    if query.after:
        conditions.append("m.moment - m.behind >= :after")
    if query.before:
        conditions.append("m.moment - m.behind < :before")
    return frame.format(source=source, condition=" AND ".join(conditions), key=key), values


def find(
    db: sqlite3.Connection,
    query: Query,
    terms: Sequence[Term],
    ranges: list[Range],
    limit: int,
    end: Place | None,
    partly: Callable[[list[Hit]], None],
) -> list[Hit]:
    """The newest `limit` results below `end`, in a transaction of the caller's.

    `partly` gets what is known so far, for the case that the work is interrupted. Raises
    sqlite3.Error.
    """
    (total,) = db.execute("SELECT coalesce(sum(seq), 0) FROM rooms").fetchone()
    ranges = narrowed(db, ranges, query, end)
    if not ranges:
        return []
    size = sum(high - low + 1 for low, high in ranges)
    plan = make_plan(db, terms, query.by, len(ranges), limit, size, total)
    if plan is None:
        return []
    if plan.most is not None and plan.most <= _FEW and len(ranges) > 1:
        return _all(db, plan, query, ranges, limit)
    return _each(db, plan, query, ranges, limit, partly)


def _all(
    db: sqlite3.Connection, plan: Plan, query: Query, ranges: list[Range], limit: int
) -> list[Hit]:
    statement, values = _statement(_ALL, plan, query)
    db.execute("CREATE TEMP TABLE IF NOT EXISTS ranges (low INTEGER PRIMARY KEY, high INTEGER)")
    db.execute("DELETE FROM temp.ranges")
    db.execute(
        "INSERT INTO temp.ranges SELECT value ->> 0, value ->> 1 FROM json_each(?)",
        (json.dumps(ranges),),
    )
    (rows,) = db.execute(statement, {**values, "limit": limit}).fetchone()
    return [(moment, key, time) for moment, key, time in json.loads(rows)]


def _each(
    db: sqlite3.Connection,
    plan: Plan,
    query: Query,
    ranges: list[Range],
    limit: int,
    partly: Callable[[list[Hit]], None],
) -> list[Hit]:
    statement, values = _statement(_EACH, plan, query)
    found: list[Hit] = []
    highs = dict(_newest_first(db, ranges))
    lows = list(highs)
    share = limit if len(lows) == 1 else min(limit, 1 + limit // len(lows))
    while lows:
        edges: dict[int, Hit] = {}  # the first key of a range that may have more → its last hit
        for at in range(0, len(lows), _AT_ONCE):
            asked = json.dumps([(low, highs[low]) for low in lows[at : at + _AT_ONCE]])
            (rows,) = db.execute(statement, {**values, "limit": share, "ranges": asked}).fetchone()
            for low, hits in json.loads(rows):
                found.extend((moment, key, time) for moment, key, time in hits)
                if len(hits) == share and hits[-1][1] > low:
                    edges[low] = found[-1]
            found.sort(reverse=True)
            del found[limit:]
            partly(found)
        # Only a range whose last hit is on the page can have more on it.
        full = len(found) == limit
        lows = [low for low, edge in edges.items() if not full or edge >= found[-1]]
        highs = {low: edges[low][1] - 1 for low in lows}
        share = min(limit, share * 4)
    return found


def _newest_first(db: sqlite3.Connection, ranges: list[Range]) -> list[Range]:
    """So that what an interruption leaves is the newest."""
    latest = dict(db.execute("SELECT room, moment FROM rooms"))
    return sorted(ranges, key=lambda span: latest.get(span[0] >> SEQ_BITS, 0), reverse=True)
