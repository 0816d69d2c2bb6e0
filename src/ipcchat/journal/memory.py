"""A journal that keeps nothing: for trying out, for tests, and to tell delivery from storage."""

import asyncio
import secrets
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence

from ipcchat.entries import Entry
from ipcchat.journal.apply import decide, isolate
from ipcchat.journal.drafts import Decision, Draft, Outcome
from ipcchat.journal.feed import Feed
from ipcchat.journal.state import Overlay, State, Stored
from ipcchat.journal.waiting import Waiting, answer

__all__ = ["MemoryJournal"]


class MemoryJournal:
    """The journal's contract in plain lists and dictionaries."""

    trouble = ""

    def __init__(
        self,
        batch_drafts: int,
        feed_batches: int,
        pending_drafts: int,
        report: Callable[[str], None],
    ) -> None:
        self.epoch = secrets.token_hex(16)
        self.state = State()
        self._report = report
        self._loop = asyncio.get_running_loop()
        self._cap = batch_drafts
        self._entries: defaultdict[int, list[Entry]] = defaultdict(list)
        self._outcomes: dict[tuple[int, str], Stored] = {}
        self._waiting = Waiting(pending_drafts)
        self._feed = Feed(feed_batches, self._schedule)
        self.linger: Callable[[], float] = float  # not asked: nothing is synced here
        self._scheduled = False

    # --- appending --------------------------------------------------------------------

    def append(
        self, drafts: Sequence[Draft], gathered: bool = False
    ) -> asyncio.Future[list[Outcome]]:
        future = self._waiting.put(drafts)
        if gathered and not self._scheduled:
            self._commit()
        else:
            self._schedule()
        return future

    def _schedule(self) -> None:
        # On the next turn of the loop, so that everything of this turn is one batch.
        if not self._scheduled and self._waiting:
            self._scheduled = True
            self._loop.call_soon(self._commit)

    def _commit(self) -> None:
        self._scheduled = False
        if not self._waiting or self._feed.full:
            return  # whoever reads the feed starts the next batch
        jobs = self._waiting.take(self._cap)
        drafts = [draft for job in jobs for draft in job.drafts]
        overlay = Overlay(self.state)
        try:
            decisions = self._attempt(overlay, drafts)
        except Exception:
            overlay, decisions = isolate(Overlay(self.state), drafts, self._attempt, self._blame)
        overlay.merge()
        self._outcomes |= overlay.outcomes
        entries = [item.entry for item in decisions if item.entry is not None]
        for entry in entries:
            self._entries[entry.room].append(entry)
        self._feed.put(entries)
        answer(jobs, decisions)
        self._schedule()

    def _attempt(self, overlay: Overlay, drafts: Sequence[Draft]) -> list[Decision]:
        return decide(overlay, drafts, self._outcomes.get)

    def _blame(self, error: Exception) -> None:
        self._report(f"a draft could not be applied: {error!r}")

    # --- reading ----------------------------------------------------------------------

    def feed(self) -> AsyncIterator[list[Entry]]:
        return self._feed.read()

    async def read(self, room: int, *, after: int, upto: int, limit: int, size: int) -> list[Entry]:
        entries = self._entries.get(room, [])
        low = max(0, after)
        return _page(entries[low : max(low, min(upto, low + limit))], size)

    async def read_back(self, room: int, *, before: int, limit: int, size: int) -> list[Entry]:
        last = max(0, before - 1)
        entries = self._entries.get(room, [])[:last]
        return _page(entries[::-1][: max(0, limit)], size)[::-1]

    async def pick(self, places: Sequence[tuple[int, int]]) -> list[Entry]:
        found = [self._entries.get(room, [])[seq - 1 : seq] for room, seq in places if seq > 0]
        return [entry for one in found for entry in one]

    async def mark(self, room: int, seq: int) -> str | None:
        entries = self._entries.get(room, [])
        return entries[seq - 1].draft if 0 < seq <= len(entries) else None

    # --- the end ----------------------------------------------------------------------

    async def close(self) -> None:
        self._waiting.close()
        self._feed.release()
        while self._waiting:
            self._commit()
        self._feed.end()


def _page(entries: list[Entry], size: int) -> list[Entry]:
    """The first entries until `size` bytes of text are reached; one at least."""
    total, size = 0, max(1, size)
    for count, entry in enumerate(entries):
        total += len(entry.text.encode())
        if total >= size:
            return entries[: count + 1]
    return entries
