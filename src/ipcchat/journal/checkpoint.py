"""Moves what the WAL holds into the file, beside the commits, which go on meanwhile.

SQLite's own checkpoint runs inside a COMMIT, which then takes ten times as long. This one has a
connection and a thread of its own; a commit waits for it only where the WAL has grown to
`schema.CHECKPOINT` pages all the same.
"""

import asyncio
import contextlib
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

__all__ = ["Checkpoint"]

_EVERY = 4000
"""Pages in the WAL, about, after which it begins."""
_PASSES = 4
"""The WAL starts over where a pass leaves nothing; commits that came meanwhile need another pass,
which is short."""
_COMMIT = 5
"""Pages that the smallest commit writes; and how many drafts fill one more."""
_DRAFTS = 10


class Checkpoint:
    """Owns the connection. Its methods are called on the loop's thread and do not wait."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, "journal-checkpoint")
        self._db: sqlite3.Connection | None = None
        self._pages = 0
        """In the WAL, estimated."""
        self._running: asyncio.Future[int] | None = None

    def note(self, drafts: int) -> None:
        """So many were committed together."""
        self._pages += _COMMIT + drafts // _DRAFTS
        if self._pages >= _EVERY and self._running is None:
            self._running = self._loop.run_in_executor(self._thread, self._run)
            self._running.add_done_callback(self._ran)

    def _run(self) -> int:
        """Returns how many pages are left. What fails is tried again by the next one, and in the
        end by a commit."""
        left = 0
        with contextlib.suppress(sqlite3.Error):
            if self._db is None:
                self._db = sqlite3.connect(
                    self._path, isolation_level=None, check_same_thread=False, timeout=0
                )
            for _ in range(_PASSES):
                row = self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                left = max(0, row[1] - row[2])
                if not left:
                    break
        return left

    def _ran(self, running: asyncio.Future[int]) -> None:
        self._running = None
        self._pages = 0 if running.cancelled() or running.exception() else running.result()

    async def close(self) -> None:
        """Waits for the one under way, and lets go of the file."""
        if self._running is not None:
            await asyncio.wait([self._running])
        await self._loop.run_in_executor(self._thread, self._close)
        self._thread.shutdown()

    def _close(self) -> None:
        if self._db is not None:
            self._db.close()
