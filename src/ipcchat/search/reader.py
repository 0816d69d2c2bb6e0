"""The threads that search, each with a read-only connection, and what ends a search early.

A journal that keeps nothing on disk has one connection, which its one reader shares with the
writer.
"""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ipcchat.journal.faults import is_damage
from ipcchat.search.finder import Hit, find
from ipcchat.search.query import Query, Term
from ipcchat.search.ranges import Place, Range
from ipcchat.search.schema import connect_to_read
from ipcchat.search.writer import Writer

__all__ = ["Job", "Reader"]

_THREADS = 2
_PATIENCE = 0.5
"""Seconds that a search waits for an index that is about to be complete: after a start."""
_BROKEN = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISMATCH)
"""The statements are sound, so the tables are not."""


class _Late(Exception):
    """The deadline came between two statements."""


class Job:
    """A search that can be ended from another thread."""

    def __init__(
        self,
        query: Query,
        terms: Sequence[Term],
        ranges: list[Range],
        limit: int,
        end: Place | None,
    ) -> None:
        self.query = query
        self.terms = terms
        self.ranges = ranges
        self.limit = limit
        self.end = end
        self.found: list[Hit] = []
        self.late = False
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None

    def interrupt(self) -> None:
        """Ends the statement that runs, and what would come after it."""
        with self._lock:
            self.late = True
            if self._db is not None:
                self._db.interrupt()

    def run(self, db: sqlite3.Connection) -> bool:
        """Searches; whether everything was looked at. Raises sqlite3.Error."""
        with self._lock:
            self._db = db
        try:
            db.execute("BEGIN")
            self._note(self.found)
            self.found = find(
                db, self.query, self.terms, self.ranges, self.limit, self.end, self._note
            )
        except _Late:
            return False
        finally:
            with self._lock:
                self._db = None
            with contextlib.suppress(sqlite3.Error):
                if db.in_transaction:
                    db.execute("ROLLBACK")
        return True

    def _note(self, found: list[Hit]) -> None:
        self.found = list(found)
        if self.late:
            raise _Late


class Reader:
    """Runs jobs. `report` is called on its threads."""

    def __init__(self, folder: Path | None, writer: Writer, report: Callable[[str], None]) -> None:
        self._folder = folder
        self._writer = writer
        self._report = report
        self._told = ""
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self.pool = ThreadPoolExecutor(1 if folder is None else _THREADS, "search-reader")

    def run(self, job: Job) -> bool:
        """Does a job, on a thread of `pool`; returns whether everything was looked at."""
        while not self._writer.ready.wait(0.05):
            if job.late or self._writer.trouble:
                return False
        patience = time.monotonic() + _PATIENCE
        while not (self._writer.complete or self._writer.trouble or job.late):
            if time.monotonic() > patience:
                break
            time.sleep(0.01)
        if job.late:
            return False
        generation = self._writer.generation
        try:
            if self._folder is None:
                with self._writer.lock:
                    shared = self._writer.db
                    return shared is not None and job.run(shared)
            whole = job.run(self._connection(self._folder, generation))
        except sqlite3.Error as error:
            return self._fail(job, error, generation)
        if generation != self._writer.generation:
            job.found = []  # it was the results of a file that was thrown away meanwhile
            return False
        self._told = ""
        return whole

    def _connection(self, folder: Path, generation: int) -> sqlite3.Connection:
        made, db = getattr(self._local, "connection", (0, None))
        if db is None or made != generation:
            self._drop()
            db = connect_to_read(folder)
            self._local.connection = generation, db
            self._opened.append(db)
        found: sqlite3.Connection = db
        return found

    def _drop(self) -> None:
        _, db = getattr(self._local, "connection", (0, None))
        self._local.connection = 0, None
        if db is not None:
            self._opened.remove(db)
            db.close()

    def _fail(self, job: Job, error: sqlite3.Error, generation: int) -> bool:
        code = getattr(error, "sqlite_errorcode", 0)
        if code == sqlite3.SQLITE_INTERRUPT:
            return False
        if self._folder is not None:
            self._drop()
        if generation != self._writer.generation or not self._writer.ready.is_set():
            job.found = []
        elif is_damage(error) or code in _BROKEN:
            job.found = []
            self._writer.distrust(str(error))
        elif self._told != str(error):
            self._told = str(error)
            self._report(f"a search failed: {error}")
        return False

    def close(self) -> None:
        """Waits for the threads and closes their connections; blocks."""
        self.pool.shutdown(wait=True)
        for db in self._opened:
            with contextlib.suppress(sqlite3.Error):
                db.close()
