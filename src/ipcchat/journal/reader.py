"""Reads of the past, off the loop, on read-only connections of their own.

A page is made one JSON text inside SQLite and decoded in one call: the interpreter's lock changes
hands twice a page instead of twice a row, which a busy loop would make last.
"""

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from msgspec import json

from ipcchat import entries
from ipcchat.entries import Entry
from ipcchat.errors import JournalError
from ipcchat.journal.faults import damaged, is_damage
from ipcchat.journal.schema import SEQ_BITS, connect_to_read, pack

__all__ = ["Reader"]

T = TypeVar("T")
_GENERIC = sqlite3.SQLITE_ERROR

# The window adds up the texts, so that a page ends where its bytes end; its first row counts 0.
_PAGE = f"""
SELECT json_group_array(json_array(id & {(1 << SEQ_BITS) - 1}, time, by, nick, kind, draft, text,
       style, target)) FROM
 (SELECT *, sum(length(CAST(text AS BLOB))) OVER (ORDER BY id {{order}}) AS total FROM
  (SELECT id, time, by, nick, kind, lower(hex(draft)) AS draft, text, style, target FROM entries
   WHERE id > ? AND id <= ? ORDER BY id {{order}} LIMIT ?))
 WHERE total - length(CAST(text AS BLOB)) < ?
"""
_PICK = f"""
SELECT json_group_array(json_array(id >> {SEQ_BITS}, id & {(1 << SEQ_BITS) - 1}, time, by, nick,
       kind, lower(hex(draft)), text, style, target))
 FROM (SELECT entries.* FROM json_each(?) AS asked CROSS JOIN entries ON entries.id = asked.value
  ORDER BY asked.key)
"""
_FORWARDS = _PAGE.format(order="ASC")
_BACKWARDS = _PAGE.format(order="DESC")


class Reader:
    """A few threads, each with a read-only connection."""

    def __init__(self, path: Path, threads: int = 2) -> None:
        self._path = path
        self._pool = ThreadPoolExecutor(threads, "journal-reader")
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._closed = False

    def _connection(self) -> sqlite3.Connection:
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if db is None:
            db = self._local.db = connect_to_read(self._path)
            self._opened.append(db)
        return db

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Runs `work` with a connection on a reader's thread. Raises JournalError."""

        def job() -> T:
            if self._closed:
                raise RuntimeError
            return work(self._connection())

        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, job)
        except sqlite3.Error as error:
            # The statements are sound, so it is a row that can't be decoded.
            odd = getattr(error, "sqlite_errorcode", _GENERIC) == _GENERIC
            if odd or is_damage(error):
                raise damaged(self._path, str(error)) from None
            raise JournalError(f"the journal could not be read: {error}") from None
        except RuntimeError:
            raise JournalError("the journal is closed") from None

    async def page(
        self, room: int, low: int, high: int, limit: int, size: int, *, backwards: bool = False
    ) -> list[Entry]:
        """Entries with low < seq <= high, ascending; kept from the low or the high end."""
        if high <= low or limit < 1:
            return []
        sql = _BACKWARDS if backwards else _FORWARDS
        bounds: tuple[Any, ...] = (pack(room, low), pack(room, high), limit, max(1, size))

        def work(db: sqlite3.Connection) -> str:
            return str(db.execute(sql, bounds).fetchone()[0])

        try:
            found = entries.from_rows(room, await self.run(work))
        except ValueError as error:
            raise damaged(self._path, str(error)) from None
        return found[::-1] if backwards else found

    async def pick(self, places: Sequence[tuple[int, int]]) -> list[Entry]:
        """The entries at these places (room, seq), in that order, without those that are none."""
        asked = json.encode([pack(room, seq) for room, seq in places]).decode()

        def work(db: sqlite3.Connection) -> str:
            return str(db.execute(_PICK, (asked,)).fetchone()[0])

        try:
            return entries.from_places(await self.run(work))
        except ValueError as error:
            raise damaged(self._path, str(error)) from None

    async def mark(self, room: int, seq: int) -> str | None:
        """The draft id of an entry, or None."""

        def work(db: sqlite3.Connection) -> str | None:
            row = db.execute(
                "SELECT lower(hex(draft)) FROM entries WHERE id = ?", (pack(room, seq),)
            ).fetchone()
            return None if row is None else str(row[0])

        return await self.run(work)

    async def check(self) -> str:
        """`quick_check` on a reader's thread: empty when the file is sound. Raises JournalError."""

        def work(db: sqlite3.Connection) -> str:
            found = [str(row[0]) for row in db.execute("PRAGMA quick_check(3)")]
            return "" if found == ["ok"] else "; ".join(found)

        return await self.run(work)

    def close(self) -> None:
        """Interrupts what still reads, and joins the threads."""
        self._closed = True  # what waits for a thread fails, rather than being cancelled
        for db in self._opened:
            with contextlib.suppress(sqlite3.Error):
                db.interrupt()
        self._pool.shutdown(wait=True)
        for db in self._opened:
            db.close()
        self._opened.clear()
