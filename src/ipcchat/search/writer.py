"""The one thread that changes the index: it opens the file, indexes what is new, and begins anew
with a file that can't be used.

    stale     another journal's, version's or program's file, or one that is ahead of the journal:
              it is removed and made again, with a line of report
    damaged   likewise; but where it is damaged again before all was indexed, the fault is elsewhere
    trouble   a full disk, no permission: told once; searches find what is indexed; tried again
"""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ipcchat.entries import SYSTEM_ROOM, Entry
from ipcchat.journal.faults import is_damage, open_outcome
from ipcchat.journal.schema import pack
from ipcchat.search import batches
from ipcchat.search.batches import Span
from ipcchat.search.schema import NAME, Stale, connect, connect_in_memory, remove

__all__ = ["Writer"]

_BATCH = 5000
"""Entries of a transaction."""
_GATHER = 0.2
"""Seconds between two batches where nothing lags: what comes meanwhile is the next one."""
_YIELD = 6.0
_LONGEST_REST = 0.35
"""So many times as long as a batch took the thread rests after it, up to so many seconds: beside a
flood, the processors and SQLite's one lock for memory are the commits' first."""
_FLOOD = 20.0
_LONGEST_FLOOD = 1.5
"""The same while more than a batch lags and more comes: then it can't keep up, and the less it does
the sooner the flood is stored."""
_LOOK = 5.0
"""Seconds between two looks whether the file is still there, where nothing is said."""
_AGAIN = 5.0
"""Seconds between two tries while nothing can be written."""
_STORE = "INSERT OR REPLACE INTO journal.entries VALUES (?, ?, ?, ?, ?)"


class Writer:
    """Owns the thread and its connection. Only `join` waits."""

    def __init__(self, folder: Path | None, epoch: str, report: Callable[[str], None]) -> None:
        self._folder = folder
        self._epoch = epoch
        self._report = report
        """Called on this thread."""
        self._heads: dict[int, int] = {}
        """Room → what is there; changed by the loop's thread alone."""
        self.done: dict[int, int] = {}
        """Room → what is indexed; changed by this thread alone."""
        self._given: list[Entry] = []
        """Without a file: entries that are not indexed yet; the loop's thread adds at the end, this
        one removes from the beginning."""
        self._known: Mapping[int, int] | None = None
        """The heads at the start, until they are compared with the file."""
        self._told = folder is None
        """Whether all rooms' heads are known."""
        self._suspicion = ""
        self._again = False
        """Whether the file was made anew because of damage, and never complete since."""
        self.trouble = ""
        """Why nothing can be indexed at present."""
        self.tries = 0
        """How often that was found."""
        self.lock = threading.Lock()
        """Held while the connection is in use, where readers share it."""
        self.db: sqlite3.Connection | None = None
        self._inode = 0
        """Of the file that is open."""
        self.complete = False
        """Whether everything was indexed once since the file was opened: what lags is new."""
        self.generation = 0
        """Grows with each file that was opened; 0 before the first."""
        self.ready = threading.Event()
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="search-index", daemon=True)
        self._thread.start()

    # --- on the loop's thread ---------------------------------------------------------

    def note(self, entries: Sequence[Entry]) -> None:
        """These were committed, in the order of their rooms."""
        if self._folder is None:
            self._given.extend(entries)
        else:
            heads = self._heads
            for entry in entries:
                heads[entry.room] = entry.seq
            heads.pop(SYSTEM_ROOM, None)
        if not self._wake.is_set():
            self._wake.set()

    def catch_up(self, heads: Mapping[int, int]) -> None:
        """All rooms, and the last number of each. Without a file there is nothing to catch up."""
        if self._folder is None:
            return
        known = {room: head for room, head in heads.items() if room != SYSTEM_ROOM}
        for room, head in known.items():
            self._heads[room] = max(head, self._heads.get(room, 0))
        self._known = known
        self._wake.set()

    @property
    def lag(self) -> int:
        """Entries that are not indexed yet."""
        if self._folder is None:
            return len(self._given)
        done = self.done
        heads = dict(self._heads)  # the other thread may add to it meanwhile
        return sum(max(0, head - done.get(room, 0)) for room, head in heads.items())

    def distrust(self, reason: str) -> None:
        """A reader found the file damaged."""
        self._suspicion = reason
        self._wake.set()

    def stop(self) -> None:
        """Ends the thread, soon."""
        self._ended.set()
        self._wake.set()
        db = self.db
        if db is not None and self._folder is not None:
            with contextlib.suppress(sqlite3.Error):
                db.interrupt()

    def join(self) -> None:
        """Waits for the thread; blocks."""
        self._thread.join()

    # --- on its own -------------------------------------------------------------------

    def _run(self) -> None:
        while not self._ended.is_set():
            begun = time.monotonic()
            try:
                rest = self._turn()
            except Stale as error:
                rest = self._begin_anew(str(error))
            except Exception as error:  # whatever it is: it is told, and tried again
                rest = self._fail(error)
            now = time.monotonic()
            spent = now - begun
            end = now + max(rest, self._rest(spent))
            while rest and not self.trouble and not self._ended.is_set():
                if self._wake.wait(_LOOK):
                    break
                if self._gone():
                    break
            self._ended.wait(max(0.0, end - time.monotonic()))
        self._close()

    def _gone(self) -> bool:
        """Whether the file that is open is no longer the one of that name."""
        if self._folder is None or self.db is None:
            return False
        try:
            return (self._folder / NAME).stat().st_ino != self._inode
        except OSError:
            return True

    def _rest(self, spent: float) -> float:
        """Seconds of rest after a turn that took so many."""
        if not self.complete:
            return spent  # old history takes half of the time
        if self._wake.is_set() and self.lag > _BATCH:
            return min(spent * _FLOOD, _LONGEST_FLOOD)
        return min(spent * _YIELD, _LONGEST_REST)

    def _turn(self) -> float:
        """One batch. Returns in how many seconds the next one may be, if there is something new."""
        self._wake.clear()
        if self._gone():
            return self._begin_anew("it was removed")
        if self._suspicion:
            reason, self._suspicion = self._suspicion, ""
            return self._distrusted(reason)
        if self.db is None:
            self._open()
        known, self._known = self._known, None
        if known is not None:
            self._told = True
            self._compare(known)
        if self._folder is None:
            return self._take_given()
        spans = self._spans()
        if spans:
            batches.move(self._connection, spans)
            done = self.done | {room: high for room, _, high in spans}
            self.complete = self.complete or (self._told and not self._lacking(done))
            self.done = done
            self._recovered()
        if self.lag:
            return 0.0
        self.complete, self._again = self.complete or self._told, False
        return _GATHER

    def _compare(self, known: Mapping[int, int]) -> None:
        """At the start: raises Stale where the index is not of what the journal holds now."""
        heads = self._heads
        if any(s > known.get(n, 0) and s > heads.get(n, 0) for n, s in self.done.items()):
            raise Stale("it is ahead of the journal")
        if batches.differs(self._connection):
            raise Stale("the journal has another history")

    @property
    def _connection(self) -> sqlite3.Connection:
        assert self.db is not None
        return self.db

    def _open(self) -> None:
        if self._folder is None:
            self.db = connect_in_memory(self._epoch)
            self.complete = True
        else:
            self.db = connect(self._folder, self._epoch)
            self._inode = (self._folder / NAME).stat().st_ino
        self.done = batches.places(self.db)
        self.generation += 1
        self.ready.set()

    def _spans(self) -> list[Span]:
        """The next batch: rooms that lack little first, so that old history delays nobody."""
        done = self.done
        spans, left = [], _BATCH
        for lag, room in sorted(self._lacking(done)):
            low = done.get(room, 0)
            spans.append((room, low, low + min(lag, left)))
            left -= min(lag, left)
            if not left:
                break
        return spans

    def _lacking(self, done: Mapping[int, int]) -> list[tuple[int, int]]:
        """Rooms of which not all is indexed: (entries that lack, room)."""
        return [
            (head - done.get(room, 0), room)
            for room, head in dict(self._heads).items()
            if head > done.get(room, 0)
        ]

    def _take_given(self) -> float:
        """Without a file: stores the entries, then indexes them from there."""
        taken = self._given[:_BATCH]
        if not taken:
            return _GATHER
        found = [entry for entry in taken if entry.room != SYSTEM_ROOM]
        spans: dict[int, Span] = {}
        for entry in found:
            _, low, _ = spans.get(entry.room, (0, entry.seq - 1, 0))
            spans[entry.room] = (entry.room, low, entry.seq)
        with self.lock:
            self._connection.executemany(
                _STORE,
                [(pack(e.room, e.seq), e.time, e.by, e.kind, e.text) for e in found],
            )
            batches.move(self._connection, list(spans.values()))
        self.done = self.done | {room: high for room, _, high in spans.values()}
        del self._given[: len(taken)]
        return _GATHER if not self._given else 0.0

    def _recovered(self) -> None:
        if self.trouble:
            self.trouble = ""
            self._report("the search index is written again")

    # --- when it fails ----------------------------------------------------------------

    def _fail(self, error: Exception) -> float:
        if self._ended.is_set():
            return 0.0
        if is_damage(error):
            return self._distrusted(str(error))
        if not self.trouble:
            full = self._folder is not None and open_outcome(error, self._folder) == "full"
            reason = "the disk is full" if full else str(error)
            self._report(f"the search index can't be written: {reason}; it is tried again")
        self.trouble = str(error)
        self.tries += 1
        return _AGAIN

    def _distrusted(self, reason: str) -> float:
        if self._again:
            self._close()
            return self._fail(sqlite3.OperationalError(reason))
        self._again = True
        return self._begin_anew(f"it is damaged: {reason}")

    def _begin_anew(self, reason: str) -> float:
        """Throws the file away."""
        self._close()
        self.done = {}
        if self._folder is not None:
            try:
                remove(self._folder / NAME)
            except OSError as error:
                return self._fail(error)
        self._report(f"the search index is made again: {reason}")
        return 0.0

    def _close(self) -> None:
        self.ready.clear()
        self.complete = False
        db, self.db = self.db, None
        if db is not None:
            with self.lock, contextlib.suppress(sqlite3.Error):
                # An interrupt that met no statement would meet the checkpoint of the last close.
                db.execute("SELECT 1")
            with self.lock, contextlib.suppress(sqlite3.Error):
                db.close()
