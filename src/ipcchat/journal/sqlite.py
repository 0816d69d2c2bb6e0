"""The durable journal: one SQLite file in WAL mode, synced at every commit, one writer.

Group commit: what arrives while a commit runs is the next batch. A batch is decided and inserted
on the loop's own thread, and only its COMMIT, which syncs, runs on a helper thread: the
interpreter's lock changes hands once a batch. (Measured against inserting on the thread, with a
busy loop: `benchmarks/journal.py`.)

When storing fails:

* full or busy: the batch is rolled back, its outcomes stay open, and the next batch tries again;
* drafts that can't be applied or stored: the others of their batch are stored without them;
* damage: nothing is written any more; what is readable is read;
* anything else, a failed sync above all: the outcomes are unknown. The connection is closed and
  opened again, and the state is read anew; what reached the file is fed, nothing is retried.
"""

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from ipcchat.entries import Entry
from ipcchat.errors import JournalDamaged, JournalError
from ipcchat.journal import tables
from ipcchat.journal.apply import StoreFailure, decide, isolate
from ipcchat.journal.checkpoint import Checkpoint
from ipcchat.journal.drafts import Decision, Draft, Outcome
from ipcchat.journal.faults import (
    damaged,
    is_damage,
    is_poison,
    not_opened,
    open_outcome,
    unavailable,
)
from ipcchat.journal.feed import Feed
from ipcchat.journal.lock import Lock
from ipcchat.journal.reader import Reader
from ipcchat.journal.schema import NAME, connect
from ipcchat.journal.state import Overlay, State
from ipcchat.journal.waiting import Job, Waiting, answer

__all__ = ["SqliteJournal"]

_SMALL = 16
"""Drafts of a batch that does not wait to become larger."""
_PROBE = 1.0
"""Seconds between two tries to store while nothing can be stored."""
_PATIENCE = 5000
"""Milliseconds that a reopened file's checkpoint waits for its readers."""


class _Batch(NamedTuple):
    """What one transaction decides."""

    jobs: list[Job]
    overlay: Overlay
    decisions: list[Decision]


class SqliteJournal:
    """The journal's contract on a file.

    Raises JournalLocked, JournalUnwritable, JournalDamaged, JournalUnavailable, JournalError.
    """

    def __init__(
        self,
        folder: Path,
        batch_drafts: int,
        feed_batches: int,
        pending_drafts: int,
        report: Callable[[str], None],
    ) -> None:
        self.path = folder / NAME
        self._loop = asyncio.get_running_loop()
        self._report = report
        self._cap = batch_drafts
        self._lock = Lock(folder)
        try:
            unclean = self._open()
        except (sqlite3.Error, OSError, ValueError) as error:
            self._lock.release()
            raise not_opened(self.path, error) from None
        except BaseException:
            self._lock.release()
            raise
        self._trouble = ""
        self._broken: JournalError | None = None
        self._waiting = Waiting(pending_drafts)
        self._feed = Feed(feed_batches, self._schedule)
        self.linger: Callable[[], float] = float
        self._scheduled = False
        self._timer: asyncio.TimerHandle | None = None
        self._busy = False
        """Whether the helper thread has the connection."""
        self._idle = asyncio.Event()
        self._idle.set()
        self._probe: asyncio.TimerHandle | None = None
        self._closed = False
        self._helper = ThreadPoolExecutor(1, "journal-commit")
        self.reader = Reader(self.path)
        self._checkpoint = Checkpoint(self.path)
        self._sound = not unclean
        """Whether the next start needs no check."""
        self._check = self._loop.create_task(self._quick_check()) if unclean else None

    def _open(self) -> bool:
        """Opens the file and reads the state; returns whether the last end was unclean."""
        self._db = connect(self.path)
        try:
            self.epoch = tables.meta(self._db, "epoch")
            self.state: State = tables.load(self._db)
            clean = tables.meta(self._db, "clean")
            tables.set_meta(self._db, "clean", 0)
        except BaseException:
            self._db.close()
            raise
        return clean == "0"

    # --- appending --------------------------------------------------------------------

    @property
    def trouble(self) -> str:
        return str(self._broken or self._trouble)

    def append(
        self, drafts: Sequence[Draft], gathered: bool = False
    ) -> asyncio.Future[list[Outcome]]:
        future = self._waiting.put(drafts)
        self._schedule(gathered)
        return future

    def _schedule(self, at_once: bool = False) -> None:
        # On the next turn of the loop, so that all of this turn is one batch; or later, where
        # nobody needs it sooner.
        if self._waiting and not self._scheduled and not self._busy:
            self._idle.clear()
            self._scheduled = True
            if (wait := self._pause()) > 0:
                self._timer = self._loop.call_later(wait, self._start)
            elif at_once:
                self._start()
            else:
                self._loop.call_soon(self._start)
        elif self._timer is not None and len(self._waiting) >= _SMALL:
            self._hurry()

    def _pause(self) -> float:
        return 0.0 if self._closed or len(self._waiting) >= _SMALL else self.linger()

    def _hurry(self) -> None:
        """A batch that waits to become larger waits no longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._loop.call_soon(self._start)

    def _start(self) -> None:
        self._scheduled = False
        self._timer = None
        if self._waiting and not self._busy and not self._feed.full:
            self._commit(self._waiting.take(self._cap))
        if not self._waiting and not self._busy:
            self._idle.set()

    def _commit(self, jobs: list[Job]) -> None:
        drafts = [draft for job in jobs for draft in job.drafts]
        try:
            batch = _Batch(jobs, *self._decide(drafts))
        except (sqlite3.Error, StoreFailure) as error:
            self._fail(jobs, error.__cause__ or error)
            return
        self._busy = True
        self._helper.submit(self._sync, batch)

    def _sync(self, batch: _Batch) -> None:
        """On the helper thread. It tells the loop by itself: one turn less than a future takes."""
        error: BaseException | None = None
        try:
            self._db.execute("COMMIT")
        except BaseException as found:
            error = found
        self._loop.call_soon_threadsafe(self._committed, batch, error)

    def _decide(self, drafts: Sequence[Draft]) -> tuple[Overlay, list[Decision]]:
        """Begins a transaction, decides and stores in it."""
        self._db.execute("BEGIN IMMEDIATE")
        overlay = Overlay(self.state)
        try:
            return overlay, self._store(overlay, drafts)
        except StoreFailure:
            raise
        except Exception:
            self._db.execute("ROLLBACK")
            self._db.execute("BEGIN IMMEDIATE")
            return isolate(Overlay(self.state), drafts, self._attempt, self._blame)

    def _attempt(self, overlay: Overlay, drafts: Sequence[Draft]) -> list[Decision]:
        self._db.execute("SAVEPOINT attempt")
        try:
            decisions = self._store(overlay, drafts)
        except StoreFailure:
            raise
        except Exception:
            self._db.execute("ROLLBACK TO attempt")
            self._db.execute("RELEASE attempt")
            raise
        self._db.execute("RELEASE attempt")
        return decisions

    def _store(self, overlay: Overlay, drafts: Sequence[Draft]) -> list[Decision]:
        try:
            decisions = decide(overlay, drafts, tables.earlier(self._db, drafts).get)
            tables.write(self._db, overlay, drafts, decisions)
        except sqlite3.Error as error:
            if is_poison(error):
                raise
            raise StoreFailure from error
        return decisions

    def _blame(self, error: Exception) -> None:
        self._report(f"a draft could not be applied: {error!r}")

    def _committed(self, batch: _Batch, error: BaseException | None) -> None:
        self._busy = False
        if error is not None:
            self._fail(batch.jobs, error)
            return
        self._trouble = ""
        batch.overlay.merge()
        self._checkpoint.note(len(batch.decisions))
        self._feed.put([item.entry for item in batch.decisions if item.entry is not None])
        if self._waiting and self._pause() > 0:
            self._schedule()
        else:
            self._start()  # the next commit begins before the last one's outcomes are told
        answer(batch.jobs, batch.decisions)

    # --- when storing fails -----------------------------------------------------------

    def _fail(self, jobs: list[Job], error: BaseException) -> None:
        with contextlib.suppress(sqlite3.Error):
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        failure: JournalError
        code = open_outcome(error, self.path.parent)
        if code:
            failure = unavailable(code)
            self._trouble = failure.text
            self._try_later()
        elif is_damage(error):
            failure = damaged(self.path, str(error))
            self._break(failure)
        else:
            failure = JournalError(f"a commit failed, its outcome is unknown: {error}")
            self._recover()
        for job in jobs:
            job.fail(failure)
        self._schedule()
        if not self._waiting and not self._busy:
            self._idle.set()

    def _break(self, failure: JournalError) -> None:
        """Nothing is written any more."""
        if self._broken is None:
            self._broken = failure
            self._report(failure.text)
        self._waiting.close(failure)
        if not self._busy:
            self._idle.set()

    def _recover(self) -> None:
        self._report("a commit failed: opening the journal again")
        self._busy = True
        known = {number: room.head for number, room in self.state.rooms.items()}
        reopen = self._loop.run_in_executor(self._helper, self._reopen, known)
        reopen.add_done_callback(self._reopened)

    def _reopen(self, known: dict[int, int]) -> tuple[State, list[Entry]]:
        """Opens the file again; returns its state and the entries above the `known` heads.

        After a failed sync the system may take pages for written that are not, and say so at the
        next sync. So all that the WAL holds is written once more, to the file itself.
        """
        with contextlib.suppress(sqlite3.Error):
            self._db.close()
        self._db = connect(self.path)
        self._db.execute(f"PRAGMA busy_timeout = {_PATIENCE}")
        end = time.monotonic() + _PATIENCE / 1000
        # SQLite itself never waits for another checkpoint.
        while self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
            if time.monotonic() > end:
                raise sqlite3.OperationalError("its readers do not end")
            time.sleep(0.01)
        self._db.execute("PRAGMA busy_timeout = 0")
        state = tables.load(self._db)
        missed = [
            entry
            for number in state.rooms
            for entry in tables.each_entry(self._db, number, known.get(number, 0))
        ]
        return state, missed

    def _reopened(self, reopen: asyncio.Future[tuple[State, list[Entry]]]) -> None:
        self._busy = False
        error = reopen.exception()
        if error is not None:
            self._break(
                JournalError(
                    f"the journal {self.path} can't be written any more: {error}",
                    "stop the server, look at the disk, then start again",
                )
            )
            return
        state, missed = reopen.result()
        tables.copy(state, self.state)
        self._feed.put(missed)
        self._start()

    def _try_later(self) -> None:
        """Finds out whether there is room again, without waiting for somebody to talk."""
        if self._probe is None and not self._closed:
            self._probe = self._loop.call_later(_PROBE, self._try_again)

    def _try_again(self) -> None:
        self._probe = None
        if self._trouble and self._broken is None and not self._closed:
            # What it fails with is told by `trouble`.
            self.append([]).add_done_callback(asyncio.Future.exception)

    async def _quick_check(self) -> None:
        """After an unclean stop; what it finds ends all writing."""
        try:
            found = await self.reader.check()
        except JournalDamaged as error:
            self._break(error)
        except JournalError as error:
            self._report(f"the journal could not be checked: {error}")
        else:
            self._sound = not found
            if found:
                self._break(damaged(self.path, found))

    # --- reading ----------------------------------------------------------------------

    def feed(self) -> AsyncIterator[list[Entry]]:
        return self._feed.read()

    def _head(self, room: int) -> int:
        known = self.state.rooms.get(room)
        return 0 if known is None else known.head

    async def read(self, room: int, *, after: int, upto: int, limit: int, size: int) -> list[Entry]:
        high = min(upto, self._head(room))
        return await self.reader.page(room, max(0, after), high, limit, size)

    async def read_back(self, room: int, *, before: int, limit: int, size: int) -> list[Entry]:
        high = min(before - 1, self._head(room))
        return await self.reader.page(room, 0, high, limit, size, backwards=True)

    async def pick(self, places: Sequence[tuple[int, int]]) -> list[Entry]:
        return await self.reader.pick(places)

    async def mark(self, room: int, seq: int) -> str | None:
        return await self.reader.mark(room, seq) if 0 < seq <= self._head(room) else None

    # --- the end ----------------------------------------------------------------------

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._hurry()
        if self._broken is None:
            self._waiting.close()
        if self._probe is not None:
            self._probe.cancel()
        self._feed.release()
        await self._idle.wait()
        self._feed.end()
        if self._check is not None:
            self._check.cancel()
            await asyncio.wait([self._check])
        await self._checkpoint.close()
        self.reader.close()  # first: the last connection to close must be one that may write
        await self._loop.run_in_executor(self._helper, self._finish)
        self._helper.shutdown()
        self._lock.release()

    def _finish(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            if self._broken is None and self._sound:
                tables.set_meta(self._db, "clean", 1)
        with contextlib.suppress(sqlite3.Error):
            self._db.close()
