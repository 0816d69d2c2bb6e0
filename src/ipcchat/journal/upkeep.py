"""Care of a journal's file from outside: back up, restore, check, read it all.

Nothing here needs a server, or disturbs one: what only reads takes one snapshot on a read-only
connection of its own, and `restore` takes the lock first. All of it blocks: for commands, not for
a running loop.
"""

import contextlib
import os
import secrets
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ipcchat.entries import SYSTEM_ROOM, Entry
from ipcchat.errors import FileError, JournalDamaged, JournalError, JournalUnwritable
from ipcchat.files import WholeFile, shown
from ipcchat.journal import tables
from ipcchat.journal.faults import damaged, not_opened
from ipcchat.journal.lock import Lock
from ipcchat.journal.schema import NAME, SEQ_BITS, connect, connect_to_read, pack, version
from ipcchat.journal.sight import PUBLIC

__all__ = ["Summary", "backup", "check", "export", "refuse_own", "restore"]

_SPACE = "is there room on the disk?"
_PAGES = 2048
"""Pages copied at a time, so that Ctrl+C is heard."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a journal holds."""

    path: Path
    rooms: int
    entries: int
    accounts: int
    size: int
    """Bytes of the file."""
    aside: Path | None = None
    """Where the journal that was there before has been put."""

    def __str__(self) -> str:
        return (
            f"{self.entries:,} entries in {self.rooms:,} rooms, {self.accounts:,} accounts, "
            f"{self.size / 2**20:,.1f} MiB"
        )


def _open(path: Path) -> sqlite3.Connection:
    """A journal to read. Raises FileError where there is none, JournalError."""
    if not path.is_file():
        raise FileError(f"there is no journal at {path}", "name its directory: --data DIR")
    try:
        db = connect_to_read(path)
        try:
            if not version(db):
                raise JournalError(f"{path} is no journal of ipcchat")
        except BaseException:
            db.close()
            raise
    except sqlite3.Error as error:
        raise not_opened(path, error) from None
    return db


@contextlib.contextmanager
def _snapshot(path: Path, source: Path | None = None) -> Iterator[sqlite3.Connection]:
    """A journal as it is at this moment, whatever is said meanwhile.

    `source`: the file that errors name, where this one is a copy of it.
    """
    with contextlib.closing(_open(path)) as db:
        try:
            db.execute("BEGIN")
            db.execute("SELECT count(*) FROM meta").fetchone()
            yield db
        except sqlite3.Error as error:
            raise not_opened(source or path, error) from None


def _summary(db: sqlite3.Connection, path: Path, aside: Path | None = None) -> Summary:
    (rooms,) = db.execute("SELECT count(*) FROM rooms WHERE number != 0").fetchone()
    (entries,) = db.execute("SELECT count(*) FROM entries WHERE id >= ?", (pack(1, 0),)).fetchone()
    (accounts,) = db.execute("SELECT count(*) FROM accounts").fetchone()
    return Summary(path, rooms, entries, accounts, path.stat().st_size, aside)


def refuse_own(data: Path, target: Path) -> None:
    """Raises FileError for a file that a server writes itself: it would be pulled from under it."""
    if target.resolve().parent == data.resolve() and target.name.startswith(NAME.partition(".")[0]):
        raise FileError(f"{shown(target)} is the server's own file", "choose another name")


# --- backup -------------------------------------------------------------------------------


def backup(data: Path, target: Path, *, force: bool = False) -> Summary:
    """Copies the journal of a data directory, one that is in use too, to a new file.

    The file is complete and checked, or is not there. Raises FileError, JournalError.
    """
    refuse_own(data, target)
    with WholeFile(target, force=force) as file:
        with _snapshot(data / NAME) as db:
            _copy(db, file.part)
        found = _proved(file.part, data / NAME)
        file.commit()
    return replace(found, path=target)


def _copy(db: sqlite3.Connection, target: Path) -> None:
    """Copies a database to an empty file, which then stands alone. Raises FileError."""
    try:
        with contextlib.closing(sqlite3.connect(target, isolation_level=None)) as copy:
            db.backup(copy, pages=_PAGES)
            copy.execute("PRAGMA journal_mode = DELETE")
            copy.execute("PRAGMA synchronous = FULL")
            tables.set_meta(copy, "clean", 1)
    except sqlite3.Error as error:
        raise FileError(f"cannot write to {shown(target.parent)}: {error}", _SPACE) from None


def _proved(path: Path, source: Path | None = None) -> Summary:
    """What a copy of `source` holds. Raises JournalDamaged."""
    with _snapshot(path, source) as db:
        found = [str(row[0]) for row in db.execute("PRAGMA quick_check(3)")]
        if found != ["ok"]:
            raise damaged(source or path, "; ".join(found))
        return _summary(db, path)


# --- restore ------------------------------------------------------------------------------


def restore(data: Path, source: Path) -> Summary:
    """Puts a backup into a data directory, as another history: with a new epoch.

    What was there before is put aside, whole. Raises JournalLocked where a server runs, FileError,
    JournalDamaged, JournalError.
    """
    _proved(source)
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise JournalUnwritable(f"cannot make {data}: {reason}") from None
    lock, path = Lock(data), data / NAME
    try:
        with WholeFile(path, force=True) as file:
            with _snapshot(source) as db:
                _copy(db, file.part)
            with contextlib.closing(connect(file.part)) as db:
                tables.set_meta(db, "epoch", secrets.token_hex(16))
            _proved(file.part)
            aside = _put_aside(path)
            file.commit()
    except sqlite3.Error as error:
        raise FileError(f"cannot restore into {shown(data)}: {error}", _SPACE) from None
    finally:
        lock.release()
    with _snapshot(path) as db:
        return _summary(db, path, aside)


def _put_aside(path: Path) -> Path | None:
    """Keeps a journal under another name, and removes what its WAL could do to its successor."""
    if not path.exists():
        return None
    # A sound one takes in its WAL first; a damaged one keeps it beside it.
    with contextlib.suppress(sqlite3.Error, JournalError), contextlib.closing(connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    name = f"{path.name}.before-{time.strftime('%Y%m%d-%H%M%S')}"
    aside, number = path.with_name(name), 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{name}-{number}")
    for suffix in ("", "-wal"):
        with contextlib.suppress(FileNotFoundError):
            os.link(f"{path}{suffix}", f"{aside}{suffix}")
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    return aside


# --- reading it all -----------------------------------------------------------------------


def export(data: Path) -> Iterator[tuple[str, Entry]]:
    """Every entry of every public room, room by room, ascending, with the room's name; of one
    moment.

    Raises FileError, JournalError.
    """
    with _snapshot(data / NAME) as db:
        access = "access" if version(db) >= 3 else "'public'"  # as it was before
        rooms = db.execute(
            f"SELECT number, name FROM rooms WHERE number != ? AND {access} = ? ORDER BY number",
            (SYSTEM_ROOM, PUBLIC),
        ).fetchall()
        for number, name in rooms:
            for entry in tables.each_entry(db, number, 0):
                yield name, entry


def check(data: Path) -> tuple[Summary, list[str]]:
    """Looks at every page, index and number of a journal; what is wrong, a line each.

    Raises FileError where there is none, JournalError where it can't be opened at all.
    """
    path = data / NAME
    with _snapshot(path) as db:
        try:
            found = [str(row[0]) for row in db.execute("PRAGMA integrity_check(20)")]
            wrong = [] if found == ["ok"] else found
            if not wrong:
                wrong = _numbers(db) + _outcomes(db)
            return _summary(db, path), wrong
        except (sqlite3.DatabaseError, JournalDamaged) as error:
            return Summary(path, 0, 0, 0, path.stat().st_size), [str(error)]


def _numbers(db: sqlite3.Connection) -> list[str]:
    """Whether the numbers of each room go from its first to its head, without gap."""
    wrong = []
    mask = (1 << SEQ_BITS) - 1
    for number, name, first, head in db.execute("SELECT number, name, first, head FROM rooms"):
        count, low, high = db.execute(
            f"SELECT count(*), min(id & {mask}), max(id & {mask}) FROM entries"
            " WHERE id > ? AND id < ?",
            (pack(number, 0), pack(number + 1, 0)),
        ).fetchone()
        if (count, low, high) != (head - first + 1, first if count else None, head or None):
            shown = name or ("a direct room" if number else "the server's own room")
            wrong.append(f"{shown}: {count} entries from {low} to {high}, not {first} to {head}")
    return wrong


def _outcomes(db: sqlite3.Connection) -> list[str]:
    """Whether each accepted draft's entry is where its outcome says."""
    (count,) = db.execute(
        f"SELECT count(*) FROM outcomes AS o WHERE o.code = '' AND o.seq > 0 AND NOT EXISTS"
        f" (SELECT 1 FROM entries AS e WHERE e.id = (o.room << {SEQ_BITS} | o.seq)"
        " AND e.draft = o.draft)"
    ).fetchone()
    return [f"{count} outcomes without their entry"] if count else []
