"""Makes the index anew while no server runs: beside the old one, which it then replaces."""

import contextlib
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from ipcchat.entries import SYSTEM_ROOM
from ipcchat.errors import FileError, JournalError, JournalLocked
from ipcchat.journal import tables
from ipcchat.journal.faults import not_opened
from ipcchat.journal.lock import Lock
from ipcchat.journal.schema import NAME as JOURNAL
from ipcchat.journal.schema import connect_to_read, version
from ipcchat.search.batches import move
from ipcchat.search.schema import NAME, Stale, connect, remove

__all__ = ["reindex"]

_BATCH = 10_000
_EVERY = 1.0
"""Seconds between two lines of progress."""


def reindex(folder: Path, tell: Callable[[str], None]) -> int:
    """Makes the index of a data directory; `tell` hears how far it is, a line each.

    Returns how many entries can be found. It blocks. Raises JournalLocked where a server runs,
    FileError, JournalError.
    """
    path = folder / JOURNAL
    if not path.is_file():
        raise FileError(f"there is no journal at {path}", "name its directory: --data DIR")
    try:
        lock = Lock(folder)
    except JournalLocked as error:
        raise JournalLocked(error.text, "stop that server first") from None
    try:
        epoch, heads = _heads(path)
        return _build(folder, epoch, heads, tell)
    finally:
        lock.release()


def _heads(path: Path) -> tuple[str, dict[int, int]]:
    """The journal's epoch, and the last number of each room."""
    try:
        with contextlib.closing(connect_to_read(path)) as db:
            if not version(db):
                raise JournalError(f"{path} is no journal of ipcchat")
            rooms = db.execute("SELECT number, head FROM rooms WHERE number != ?", (SYSTEM_ROOM,))
            return tables.meta(db, "epoch"), dict(rooms.fetchall())
    except sqlite3.Error as error:
        raise not_opened(path, error) from None


def _build(folder: Path, epoch: str, heads: dict[int, int], tell: Callable[[str], None]) -> int:
    part = folder / f"{NAME}.part"
    try:
        remove(part)
        with contextlib.closing(connect(folder, epoch, part.name)) as db:
            found = _fill(db, heads, tell)
        remove(folder / NAME)
        part.replace(folder / NAME)
    except (sqlite3.Error, OSError, Stale) as error:
        with contextlib.suppress(OSError):
            remove(part)
        reason = (getattr(error, "strerror", "") or str(error)).lower()
        raise FileError(
            f"cannot make the search index in {folder}: {reason}", "is there room on the disk?"
        ) from None
    except BaseException:
        with contextlib.suppress(OSError):
            remove(part)
        raise
    return found


def _fill(db: sqlite3.Connection, heads: dict[int, int], tell: Callable[[str], None]) -> int:
    total, done, found = sum(heads.values()), 0, 0
    told = time.monotonic()
    for room, head in sorted(heads.items()):
        for low in range(0, head, _BATCH):
            high = min(low + _BATCH, head)
            found += move(db, [(room, low, high)])
            done += high - low
            if time.monotonic() - told >= _EVERY:
                told = time.monotonic()
                tell(f"{done:,} of {total:,} entries")
    return found
