"""The durable journal: one SQLite file in WAL mode, synced at every commit, one writer.

Group commit: what arrives while a commit runs is the next batch. A batch is decided and inserted
on the loop's own thread, and only its COMMIT, which syncs, runs on a helper thread: the
interpreter's lock changes hands once a batch. (Measured against inserting on the thread, with a
busy loop: see `benchmarks/journal.py`.)

When storing fails:

* full or busy: the batch is rolled back, its outcomes stay open, and the next batch tries again;
* one draft that can't be applied or stored: the others of its batch are stored without it;
* anything else, a failed sync above all: the outcomes are unknown. The connection is closed and
  opened again, and the state is read anew; what had reached the disk is fed, nothing is retried.
"""

import asyncio
import contextlib
import sqlite3
from collections import deque
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ipcchat.entries import Entry
from ipcchat.errors import JournalError, JournalUnavailable, JournalUnwritable
from ipcchat.journal import tables
from ipcchat.journal.apply import Decision, apply
from ipcchat.journal.drafts import Draft, Outcome
from ipcchat.journal.lock import Lock
from ipcchat.journal.overlay import Overlay
from ipcchat.journal.reader import Reader, damaged, is_damage
from ipcchat.journal.schema import migrate
from ipcchat.journal.state import State

__all__ = ["NAME", "SqliteJournal"]

NAME = "journal.sqlite"
"""The file's name in the data directory."""
_CHECKPOINT = 8000
"""Pages in the WAL at which SQLite moves them to the file."""
_PROBE = 1.0
"""Seconds between two tries to store while nothing can be stored."""
_OPEN_CODES = {sqlite3.SQLITE_FULL: "full", sqlite3.SQLITE_BUSY: "busy"}
_Future = asyncio.Future[list[Outcome]]


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT}")
        db.execute("PRAGMA cache_size = -65536")
        migrate(db)
    except BaseException:
        db.close()
        raise
    return db


class _Batch:
    """What one transaction decides."""

    __slots__ = ("decided", "jobs", "overlay")

    def __init__(self, jobs: list[tuple[Sequence[Draft], _Future]], overlay: Overlay) -> None:
        self.jobs = jobs
        self.overlay = overlay
        self.decided: list[tuple[Draft, Decision]] = []


class SqliteJournal:
    """The journal's contract on a file. Make it with `open`."""

    def __init__(
        self, folder: Path, batch_drafts: int, feed_batches: int, pending_drafts: int
    ) -> None:
        self.path = folder / NAME
        self._loop = asyncio.get_running_loop()
        self._cap = batch_drafts
        self._bound = pending_drafts
        self._feed_bound = feed_batches
        self._lock = Lock(folder)
        try:
            self._db = _open(self.path)
            self.epoch = tables.meta(self._db, "epoch")
            self.state: State = tables.load(self._db)
            unclean = tables.meta(self._db, "clean") == "0"
            tables.set_meta(self._db, "clean", 0)
        except sqlite3.Error as error:
            self._lock.release()
            if is_damage(error):
                raise damaged(self.path, str(error)) from None
            raise JournalUnwritable(
                f"cannot use {self.path}: {error}", "choose another data directory: --data DIR"
            ) from None
        except BaseException:
            self._lock.release()
            raise
        self._trouble = ""
        self._broken: JournalError | None = None
        self._waiting: deque[tuple[Sequence[Draft], _Future]] = deque()
        self._pending = 0
        self._running: _Batch | None = None
        self._scheduled = False
        self._probe: asyncio.TimerHandle | None = None
        self._feed: deque[list[Entry]] = deque()
        self._fed = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False
        self._ended = False
        self._committer = ThreadPoolExecutor(1, "journal-commit")
        self.reader = Reader(self.path)
        self._check = self._loop.create_task(self._quick_check()) if unclean else None

    # --- appending --------------------------------------------------------------------

    @property
    def trouble(self) -> str:
        return str(self._broken) if self._broken is not None else self._trouble

    def append(self, drafts: Sequence[Draft]) -> _Future:
        future: _Future = self._loop.create_future()
        if self._broken is not None:
            future.set_exception(JournalError(self._broken.text, self._broken.hint))
        elif self._closed:
            future.set_exception(JournalUnavailable("the journal is closed", code="busy"))
        elif self._pending + len(drafts) > self._bound:
            future.set_exception(JournalUnavailable("too much waits to be stored", code="busy"))
        else:
            self._waiting.append((drafts, future))
            self._pending += len(drafts)
            self._idle.clear()
            self._schedule()
        return future

    def _schedule(self) -> None:
        # On the next turn of the loop, so that everything of this turn is one batch.
        if not self._scheduled and self._running is None and self._waiting:
            self._scheduled = True
            self._loop.call_soon(self._start)

    def _start(self) -> None:
        self._scheduled = False
        if self._running is not None or not self._waiting:
            return
        if len(self._feed) >= self._feed_bound:
            return  # whoever reads the feed starts the next batch
        jobs: list[tuple[Sequence[Draft], _Future]] = []
        count = 0
        while self._waiting and (not jobs or count + len(self._waiting[0][0]) <= self._cap):
            jobs.append(self._waiting.popleft())
            count += len(jobs[-1][0])
        self._pending -= count
        batch = _Batch(jobs, Overlay(self.state))
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._decide(batch)
        except sqlite3.Error as error:
            self._fail(batch, error)
            return
        self._running = batch
        commit = self._loop.run_in_executor(self._committer, self._db.execute, "COMMIT")
        commit.add_done_callback(self._committed)

    def _decide(self, batch: _Batch) -> None:
        drafts = [draft for job, _ in batch.jobs for draft in job]
        try:
            self._decide_all(batch, drafts)
            tables.write(self._db, batch.overlay, batch.decided)
        except sqlite3.Error:
            raise
        except Exception:
            self._db.execute("ROLLBACK")
            self._db.execute("BEGIN IMMEDIATE")
            self._decide_each(batch, drafts)

    def _decide_all(self, batch: _Batch, drafts: list[Draft]) -> None:
        fresh: dict[tuple[int, str], tuple[Outcome, bytes]] = {}
        for draft in drafts:
            batch.decided.append((draft, self._decide_one(batch.overlay, draft, fresh)))

    def _decide_one(
        self,
        overlay: Overlay,
        draft: Draft,
        fresh: dict[tuple[int, str], tuple[Outcome, bytes]],
    ) -> Decision:
        key = (draft.account, draft.id)
        if draft.kind == "read":
            return apply(overlay, draft, None)
        decision = apply(overlay, draft, fresh.get(key) or tables.earlier(self._db, draft))
        overlay.applied += 1
        if decision.stored:
            fresh[key] = (decision.outcome, draft.content)
        return decision

    def _decide_each(self, batch: _Batch, drafts: list[Draft]) -> None:
        """The slow way, for a batch with a draft that can't be applied: each on its own."""
        overlay = batch.overlay = Overlay(self.state)
        batch.decided = []
        fresh: dict[tuple[int, str], tuple[Outcome, bytes]] = {}
        for draft in drafts:
            before = overlay.copy()
            self._db.execute("SAVEPOINT draft")
            try:
                decision = self._decide_one(overlay, draft, fresh)
                tables.write(self._db, overlay, [(draft, decision)])
            except sqlite3.Error:
                raise
            except Exception:
                self._db.execute("ROLLBACK TO draft")
                fresh.pop((draft.account, draft.id), None)
                overlay = before
                decision = Decision(Outcome(time=draft.time, code="internal"), stored=False)
            self._db.execute("RELEASE draft")
            batch.decided.append((draft, decision))
        batch.overlay = overlay

    def _committed(self, commit: asyncio.Future[sqlite3.Cursor]) -> None:
        batch, self._running = self._running, None
        assert batch is not None
        error = commit.exception()
        if error is not None:
            self._fail(batch, error)
            return
        self._trouble = ""
        batch.overlay.merge()
        entries = [item.entry for _, item in batch.decided if item.entry is not None]
        if entries:
            self._feed.append(entries)
            self._fed.set()
        self._start()  # the next commit begins before the last one's outcomes are told
        outcomes = iter([decision.outcome for _, decision in batch.decided])
        for drafts, future in batch.jobs:
            own = [next(outcomes) for _ in drafts]
            if not future.done():
                future.set_result(own)
        self._settle()

    def _settle(self) -> None:
        if self._running is None and not self._waiting:
            self._idle.set()

    # --- when storing fails -----------------------------------------------------------

    def _fail(self, batch: _Batch, error: BaseException) -> None:
        code = _OPEN_CODES.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
        with contextlib.suppress(sqlite3.Error):
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        failure: JournalError
        if code is not None:
            text = "the disk is full" if code == "full" else "the journal's file is locked"
            self._trouble = f"nothing can be stored: {text}"
            failure = JournalUnavailable(self._trouble, "make room; it goes on by itself", code)
            self._arm_probe()
        elif isinstance(error, sqlite3.Error) and is_damage(error):
            failure = self._broken = damaged(self.path, str(error))
        else:
            failure = JournalError(f"a commit failed, its outcome is unknown: {error}")
            self._recover()
        for _, future in batch.jobs:
            if not future.done():
                future.set_exception(failure)
        if self._broken is not None:
            self._refuse_waiting(self._broken)
        self._schedule()
        self._settle()

    def _refuse_waiting(self, failure: JournalError) -> None:
        while self._waiting:
            drafts, future = self._waiting.popleft()
            self._pending -= len(drafts)
            if not future.done():
                future.set_exception(failure)

    def _recover(self) -> None:
        """Opens the file again and takes what is in it as what happened."""
        with contextlib.suppress(sqlite3.Error):
            self._db.close()
        heads = {number: room.head for number, room in self.state.rooms.items()}
        try:
            self._db = _open(self.path)
            fresh = tables.load(self._db)
            missed = [
                entry
                for number, room in fresh.rooms.items()
                for entry in tables.entries_after(self._db, number, heads.get(number, 0))
                if entry.seq <= room.head
            ]
        except (sqlite3.Error, JournalError) as error:
            self._broken = JournalError(
                f"the journal {self.path} can't be written any more: {error}",
                "stop the server, look at the disk, then start again",
            )
            return
        tables.copy(fresh, self.state)
        if missed:
            self._feed.append(missed)
            self._fed.set()

    def _arm_probe(self) -> None:
        if self._probe is None and not self._closed:
            self._probe = self._loop.call_later(_PROBE, self._try_again)

    def _try_again(self) -> None:
        """Finds out whether there is room again, without waiting for somebody to talk."""
        self._probe = None
        if self._trouble and self._running is None and not self._closed:
            self._waiting.append(([], self._loop.create_future()))
            self._start()

    async def _quick_check(self) -> None:
        """After an unclean stop; what it finds ends all writing."""
        found = await self.reader.check()
        if found:
            self._broken = damaged(self.path, found)
            self._refuse_waiting(self._broken)

    # --- reading ----------------------------------------------------------------------

    async def feed(self) -> AsyncIterator[list[Entry]]:
        while True:
            while not self._feed:
                if self._ended:
                    return
                self._fed.clear()
                await self._fed.wait()
            entries = self._feed.popleft()
            self._schedule()
            yield entries

    async def read(self, room: int, *, after: int, upto: int, limit: int, size: int) -> list[Entry]:
        known = self.state.rooms.get(room)
        head = min(upto, known.head) if known is not None else 0
        return await self.reader.page(room, after, head, limit, size)

    async def read_back(self, room: int, *, before: int, limit: int, size: int) -> list[Entry]:
        known = self.state.rooms.get(room)
        head = min(before - 1, known.head) if known is not None else 0
        return await self.reader.page(room, 0, head, limit, size, backwards=True)

    async def mark(self, room: int, seq: int) -> str | None:
        known = self.state.rooms.get(room)
        if known is None or not 0 < seq <= known.head:
            return None
        return await self.reader.mark(room, seq)

    # --- the end ----------------------------------------------------------------------

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._probe is not None:
            self._probe.cancel()
        while not self._idle.is_set():
            if len(self._feed) >= self._feed_bound:  # nobody reads it any more
                self._feed_bound = len(self._feed) + 1
                self._schedule()
            await self._idle.wait()
        self._ended = True
        self._fed.set()
        if self._check is not None:
            self._check.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._check
        await self._loop.run_in_executor(self._committer, self._finish)
        self._committer.shutdown()
        self.reader.close()
        self._lock.release()

    def _finish(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            if self._broken is None:
                tables.set_meta(self._db, "clean", 1)
        with contextlib.suppress(sqlite3.Error):
            self._db.close()
