"""What an asker may read, as ranges of keys; cut to a time, and to what is below a page's end.

Moments only grow within a room, so both cuts are found by halving, for all rooms in one statement.
"""

import json
import re
import sqlite3
from collections.abc import Iterable
from itertools import groupby

from ipcchat.journal.schema import SEQ_BITS, pack
from ipcchat.search.query import Query, QueryError

__all__ = ["Place", "Range", "cursor", "narrowed", "place", "readable"]

Range = tuple[int, int]
"""Keys from the first to the last, of one room."""
Place = tuple[int, int]
"""Where results are in their order: (moment, key)."""

_CURSOR = re.compile(r"([0-9a-f]{1,13})-([0-9a-f]{1,16})")
_TOP = (1 << SEQ_BITS) - 1
_KEYS = 1 << 63

# The last key of each range up to which all entries are before (?2, ?3), in the order of places.
# A row of `half` knows whether its middle is; `good` is, or is before the range, and `bad` is not.
_FITS = """coalesce((SELECT (m.moment, m.id) < ({{moment}}, ?3) FROM moments AS m
    WHERE m.id BETWEEN low AND {middle} ORDER BY m.id DESC LIMIT 1), 1)"""
# Keys may be above half of what an integer holds: their sum would overflow.
_MIDDLE = "(good + (bad - good) / 2)"
_NEXT = f"iif(fits, {_MIDDLE} + (bad - {_MIDDLE}) / 2, good + ({_MIDDLE} - good) / 2)"
_BELOW = f"""
WITH RECURSIVE span (low, good, bad) AS (
  SELECT value ->> 0, (value ->> 0) - 1, (value ->> 1) + 1 FROM json_each(?1)
), half (low, good, bad, fits) AS (
  SELECT low, good, bad, {_FITS.format(middle=_MIDDLE)} FROM span
  UNION ALL
  SELECT low, iif(fits, {_MIDDLE}, good), iif(fits, bad, {_MIDDLE}),
         {_FITS.format(middle=_NEXT)}
  FROM half WHERE bad - good > 1
)
SELECT json_group_array(json_array(low, good)) FROM half WHERE bad - good = 1
"""
_FIXED = _BELOW.format(moment="?2")
# A time may be so far behind its moment.
_BEHIND = _BELOW.format(
    moment=f"?2 + coalesce((SELECT behind FROM rooms WHERE room = low >> {SEQ_BITS}), 0)"
)


def readable(ranges: Iterable[tuple[int, int, int]]) -> list[Range]:
    """Ranges of (room, low, high), both inclusive, as ranges of keys that don't overlap, ascending.

    Those of room 0, and those without an entry, are left out.
    """
    found: list[Range] = []
    sound = sorted(
        (room, max(1, low), min(high, _TOP)) for room, low, high in ranges if 0 < room < 1 << 23
    )
    for room, spans in groupby(sound, key=lambda span: span[0]):
        last = 0
        for _, low, high in spans:
            low = max(low, last + 1)
            if low <= high:
                found.append((pack(room, low), pack(room, high)))
                last = high
    return found


def cursor(at: Place) -> str:
    """Where the next page begins, as its asker gets it."""
    return f"{at[0]:x}-{at[1]:x}"


def place(text: str) -> Place | None:
    """The place of a cursor; None of an empty one. Raises QueryError."""
    if not text:
        return None
    found = _CURSOR.fullmatch(text)
    if found is None or (key := int(found[2], 16)) >= _KEYS:
        raise QueryError("the place in the results is not one", "search again from the beginning")
    return int(found[1], 16), key


def _cut(db: sqlite3.Connection, statement: str, ranges: list[Range], at: Place) -> dict[int, int]:
    """The first key of each range → the last below a place."""
    (rows,) = db.execute(statement, (json.dumps(ranges), *at)).fetchone()
    return dict(json.loads(rows))


def narrowed(
    db: sqlite3.Connection, ranges: list[Range], query: Query, end: Place | None
) -> list[Range]:
    """The parts of ranges that can have results of a query's time below `end`.

    Raises sqlite3.Error.
    """
    if query.after:
        below = _cut(db, _FIXED, ranges, (query.after, 0))
        ranges = [(below[low] + 1, high) for low, high in ranges if below[low] < high]
    if query.before:
        below = _cut(db, _BEHIND, ranges, (query.before, 0))
        ranges = [(low, below[low]) for low, _ in ranges if below[low] >= low]
    if end is not None:
        below = _cut(db, _FIXED, ranges, end)
        ranges = [(low, below[low]) for low, _ in ranges if below[low] >= low]
    return ranges
