"""A journal that keeps nothing: for trying out, for tests, and to tell delivery from storage."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence

from ipcchat.entries import Entry
from ipcchat.errors import JournalUnavailable
from ipcchat.journal.apply import apply
from ipcchat.journal.drafts import Draft, Outcome
from ipcchat.journal.overlay import Overlay
from ipcchat.journal.state import State

__all__ = ["MemoryJournal"]


class MemoryJournal:
    """The journal's contract in plain lists and dictionaries."""

    trouble = ""

    def __init__(self, pending_drafts: int = 16384) -> None:
        self.epoch = secrets.token_hex(16)
        self.state = State()
        self._loop = asyncio.get_running_loop()
        self._entries: dict[int, list[Entry]] = {}
        self._outcomes: dict[tuple[int, str], tuple[Outcome, bytes]] = {}
        self._waiting: list[tuple[Sequence[Draft], asyncio.Future[list[Outcome]]]] = []
        self._pending = 0
        self._bound = pending_drafts
        self._feed: asyncio.Queue[list[Entry] | None] = asyncio.Queue()
        self._closed = False

    def append(self, drafts: Sequence[Draft]) -> asyncio.Future[list[Outcome]]:
        future: asyncio.Future[list[Outcome]] = self._loop.create_future()
        if self._closed or self._pending + len(drafts) > self._bound:
            future.set_exception(JournalUnavailable("too much waits to be stored", code="busy"))
            return future
        if not self._waiting:
            self._loop.call_soon(self._commit)
        self._waiting.append((drafts, future))
        self._pending += len(drafts)
        return future

    def _commit(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._pending = 0
        overlay = Overlay(self.state)
        entries: list[Entry] = []
        results: list[list[Outcome]] = []
        for drafts, _ in waiting:
            outcomes = []
            for draft in drafts:
                earlier = self._outcomes.get((draft.account, draft.id))
                decision = apply(overlay, draft, earlier)
                if decision.stored:
                    self._outcomes[draft.account, draft.id] = (decision.outcome, draft.content)
                if decision.entry is not None:
                    entries.append(decision.entry)
                outcomes.append(decision.outcome)
            results.append(outcomes)
        overlay.merge()
        for entry in entries:
            self._entries.setdefault(entry.room, []).append(entry)
        if entries:
            self._feed.put_nowait(entries)
        for (_, future), outcomes in zip(waiting, results, strict=True):
            if not future.done():
                future.set_result(outcomes)

    async def feed(self) -> AsyncIterator[list[Entry]]:
        while True:
            entries = await self._feed.get()
            if entries is None:
                return
            yield entries

    async def read(self, room: int, *, after: int, upto: int, limit: int, size: int) -> list[Entry]:
        entries = self._entries.get(room, [])
        found: list[Entry] = []
        for entry in entries[after : min(upto, after + limit)]:
            size -= len(entry.text)
            if size < 0 and found:
                break
            found.append(entry)
        return found

    async def read_back(self, room: int, *, before: int, limit: int, size: int) -> list[Entry]:
        entries = self._entries.get(room, [])
        found: list[Entry] = []
        for entry in reversed(entries[max(0, before - 1 - limit) : before - 1]):
            size -= len(entry.text)
            if size < 0 and found:
                break
            found.append(entry)
        return found[::-1]

    async def mark(self, room: int, seq: int) -> str | None:
        entries = self._entries.get(room, [])
        return entries[seq - 1].draft if 0 < seq <= len(entries) else None

    async def close(self) -> None:
        if self._waiting:
            self._commit()
        if not self._closed:
            self._closed = True
            self._feed.put_nowait(None)
