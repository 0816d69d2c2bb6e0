"""An index and the journal that it is of: on disk, or in memory."""

import asyncio
import contextlib
import secrets
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from ipcchat.entries import Entry
from ipcchat.journal.schema import NAME, connect, pack
from ipcchat.search.index import Found, Index
from ipcchat.search.query import Query

__all__ = ["EPOCH", "Shelf", "newest_first", "opened", "pages", "until"]

EPOCH = "e" * 32
_PUT = "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, '', 0, '')"


async def until(index: Index) -> None:
    """Waits until everything is indexed."""
    async with asyncio.timeout(10):
        while True:
            if not index.lag:
                return
            await asyncio.sleep(0.002)


class Shelf:
    """Says things, and looks for them."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.entries: list[Entry] = []
        self.heads: dict[int, int] = {}
        self.reports: list[str] = []
        self.db: sqlite3.Connection | None = None
        if folder is not None:
            folder.mkdir(exist_ok=True)
            self.db = connect(folder / NAME)
            for number, seq in self.db.execute("SELECT id >> 40, max(id) FROM entries GROUP BY 1"):
                self.heads[number] = seq & ((1 << 40) - 1)
        self.index = self.open()

    def open(self, epoch: str = EPOCH) -> Index:
        self.index = Index(self.folder, epoch, self.reports.append)
        self.index.catch_up(self.heads)
        return self.index

    def make(
        self, text: str, room: int = 1, *, by: int = 1, time: int = 0, kind: str = "message"
    ) -> Entry:
        """The next entry of a room."""
        seq = self.heads[room] = self.heads.get(room, 0) + 1
        at = time or 1000 * (len(self.entries) + 1)
        entry = Entry(room, seq, at, by, f"n{by}", kind, secrets.token_hex(16), text)
        self.entries.append(entry)
        return entry

    def commit(self, entries: Sequence[Entry]) -> None:
        if self.db is not None:
            rows = [
                (pack(e.room, e.seq), e.time, e.by, e.nick, e.kind, bytes.fromhex(e.draft), e.text)
                for e in entries
            ]
            self.db.execute("BEGIN")
            self.db.executemany(_PUT, rows)
            self.db.execute("COMMIT")
        self.index.note(entries)

    async def say(self, *texts: str, room: int = 1, by: int = 1, time: int = 0) -> list[Entry]:
        """Says these, and waits until they are indexed."""
        made = [self.make(text, room, by=by, time=time) for text in texts]
        self.commit(made)
        await until(self.index)
        return made

    @property
    def all(self) -> list[tuple[int, int, int]]:
        """Everything may be read."""
        return [(room, 1, head) for room, head in self.heads.items()]

    async def search(
        self,
        text: str = "",
        limit: int = 100,
        before: str = "",
        *,
        ranges: Sequence[tuple[int, int, int]] | None = None,
    ) -> Found:
        where = self.all if ranges is None else ranges
        return await self.index.search(Query(text), where, limit, before, deadline=10)

    async def texts(self, text: str) -> list[str]:
        """What is found, newest first."""
        found = await self.search(text)
        assert not found.cut
        said = {(entry.room, entry.seq): entry for entry in self.entries}
        for room, seq, time in found.places:
            assert said[room, seq].time == time
        return [said[room, seq].text for room, seq, _ in found.places]

    async def close(self) -> None:
        await self.index.close()
        if self.db is not None:
            self.db.close()
            self.db = None


@asynccontextmanager
async def opened(folder: Path | None) -> AsyncIterator[Shelf]:
    """A shelf that closes with the block."""
    shelf = Shelf(folder)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(shelf.close)
        yield shelf


async def pages(shelf: Shelf, text: str, limit: int) -> list[tuple[int, int, int]]:
    """All pages together."""
    found: list[tuple[int, int, int]] = []
    page = await shelf.search(text, limit)
    while True:
        assert not page.cut
        assert len(page.places) <= limit
        found += page.places
        if not page.next:
            return found
        page = await shelf.search(text, limit, page.next)


def newest_first(shelf: Shelf, kept: Sequence[bool]) -> list[tuple[int, int, int]]:
    """The order: by the latest time said in the room so far, then by room and seq."""
    latest: dict[int, int] = {}
    rows = []
    for entry, keep in zip(shelf.entries, kept, strict=True):
        moment = latest[entry.room] = max(latest.get(entry.room, 0), entry.time)
        if keep:
            rows.append((moment, entry.room, entry.seq, entry.time))
    return [row[1:] for row in sorted(rows, reverse=True)]
