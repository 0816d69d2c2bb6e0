"""The index of a journal, as the server uses it: told of what was said, asked for what is found.

Nothing here waits on the loop's thread: one thread writes, others search.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ipcchat.entries import Entry
from ipcchat.journal.schema import SEQ_BITS
from ipcchat.search.query import Query, terms
from ipcchat.search.ranges import Place, cursor, place, readable
from ipcchat.search.reader import Job, Reader
from ipcchat.search.writer import Writer

__all__ = ["DEADLINE", "MOST_RESULTS", "Found", "Index"]

MOST_RESULTS = 100
"""Results of a page."""
DEADLINE = 2.0
"""Seconds that a search may take, unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Found:
    """A page of results."""

    places: list[tuple[int, int, int]]
    """(room, seq, time in milliseconds), newest first."""
    next: str = ""
    """Where the next page begins; empty on the last one."""
    cut: bool = False
    """Not everything was looked at: the deadline came, or the index is being made or unusable."""
    at: tuple[Place, ...] = ()
    """Where each result is in the order of pages."""

    def after(self, count: int) -> str:
        """Where the page begins that follows the first `count` results of this one."""
        return cursor(self.at[count - 1])


class Index:
    """Full-text search over the messages and topics of a journal.

    `folder` is the journal's, or None for one that keeps nothing on disk; `report` hears of
    faults, a line each, on the loop's thread. To be closed before the journal is.
    """

    def __init__(self, folder: Path | None, epoch: str, report: Callable[[str], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._tell = report
        self._writer = Writer(folder, epoch, self._report)
        self._reader = Reader(folder, self._writer, self._report)
        self._jobs: set[Job] = set()
        self._closed = False

    def _report(self, line: str) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._tell, line)

    # --- being told -------------------------------------------------------------------

    def note(self, entries: Sequence[Entry]) -> None:
        """These were committed: a batch of the journal's feed."""
        self._writer.note(entries)

    def catch_up(self, heads: Mapping[int, int]) -> None:
        """At the start: every room, and the number of its last entry."""
        self._writer.catch_up(heads)

    @property
    def lag(self) -> int:
        """Entries that are not indexed yet."""
        return self._writer.lag

    def behind(self, ranges: Sequence[tuple[int, int, int]]) -> int:
        """How many entries of these (room, first seq, last seq) are not indexed yet."""
        done = self._writer.done
        return sum(max(0, high - max(done.get(room, 0), low - 1)) for room, low, high in ranges)

    # --- being asked ------------------------------------------------------------------

    async def search(
        self,
        query: Query,
        ranges: Sequence[tuple[int, int, int]],
        limit: int = MOST_RESULTS,
        before: str = "",
        *,
        deadline: float = DEADLINE,
    ) -> Found:
        """A page of what fits a query, newest first; nothing outside `ranges` is ever found.

        `ranges`: (room, first seq, last seq), what the asker may read. `limit`: 1 to MOST_RESULTS.
        `before`: the `next` of the page before. Newest: by time, where a room's times never run
        backwards; then by room and seq. Raises QueryError.
        """
        end, spans = place(before), readable(ranges)
        limit = max(1, min(limit, MOST_RESULTS))
        job = Job(query, terms(query.text), spans, limit + 1, end)
        if not spans:
            return Found([])
        if self._closed:
            return Found([], cut=True)
        self._jobs.add(job)
        if deadline <= 0:
            job.interrupt()
        timer = self._loop.call_later(deadline, job.interrupt)
        try:
            whole = await self._loop.run_in_executor(self._reader.pool, self._reader.run, job)
        except asyncio.CancelledError:
            job.interrupt()
            raise
        finally:
            timer.cancel()
            self._jobs.discard(job)
        mask = (1 << SEQ_BITS) - 1
        hits = job.found[:limit]
        more = whole and len(job.found) > limit
        return Found(
            [(key >> SEQ_BITS, key & mask, time) for _, key, time in hits],
            cursor(hits[-1][:2]) if more else "",
            not (whole and self._writer.complete),
            tuple(hit[:2] for hit in hits),
        )

    # --- the end ----------------------------------------------------------------------

    async def close(self) -> None:
        """Ends the threads and lets go of the files. What is not indexed yet is so later."""
        if self._closed:
            return
        self._closed = True
        for job in self._jobs:
            job.interrupt()
        await self._loop.run_in_executor(None, self._finish)

    def _finish(self) -> None:
        self._reader.close()  # first: the last connection to close must be one that may write
        self._writer.stop()
        self._writer.join()
