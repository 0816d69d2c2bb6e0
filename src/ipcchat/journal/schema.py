"""The tables of the SQLite journal, and how an older file becomes a present one.

An entry's key is packed: `room << 40 | seq`, so that a room's history lies together. It never
leaves this package. `fact` holds what the entry does not show but a rebuild needs, as a JSON object
(in format 1: the canonical name and the credential, a line each).
"""

import contextlib
import os
import secrets
import sqlite3
from collections.abc import Callable
from pathlib import Path

from ipcchat import names
from ipcchat.errors import JournalError

__all__ = [
    "CHECKPOINT",
    "NAME",
    "SEQ_BITS",
    "VERSION",
    "connect",
    "connect_to_read",
    "migrate",
    "pack",
    "version",
]

NAME = "journal.sqlite"
"""The file's name in the data directory."""

SEQ_BITS = 40
"""A room may have 2^40 entries, and there may be 2^23 rooms."""


def pack(room: int, seq: int) -> int:
    """The key of an entry."""
    return room << SEQ_BITS | seq


def _version_1(db: sqlite3.Connection) -> None:
    db.execute("CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID")
    db.execute(
        "CREATE TABLE entries (id INTEGER PRIMARY KEY, time INTEGER NOT NULL,"
        " by INTEGER NOT NULL, nick TEXT NOT NULL, kind TEXT NOT NULL, draft BLOB NOT NULL,"
        " text TEXT NOT NULL, style TEXT NOT NULL, target INTEGER NOT NULL, fact TEXT NOT NULL)"
    )
    db.execute(
        "CREATE TABLE outcomes (account INTEGER NOT NULL, draft BLOB NOT NULL,"
        " room INTEGER NOT NULL, seq INTEGER NOT NULL, time INTEGER NOT NULL, code TEXT NOT NULL,"
        " content BLOB NOT NULL, PRIMARY KEY (account, draft)) WITHOUT ROWID"
    )
    db.execute(
        "CREATE TABLE rooms (number INTEGER PRIMARY KEY, name TEXT NOT NULL,"
        " key TEXT NOT NULL UNIQUE, head INTEGER NOT NULL, topic TEXT NOT NULL,"
        " first INTEGER NOT NULL)"
    )
    db.execute(
        "CREATE TABLE accounts (number INTEGER PRIMARY KEY, nick TEXT NOT NULL, key TEXT NOT NULL)"
    )
    db.execute(
        "CREATE TABLE credentials (credential TEXT PRIMARY KEY, account INTEGER NOT NULL)"
        " WITHOUT ROWID"
    )
    db.execute(
        "CREATE TABLE members (room INTEGER NOT NULL, account INTEGER NOT NULL,"
        " PRIMARY KEY (room, account)) WITHOUT ROWID"
    )
    db.execute(
        "CREATE TABLE markers (account INTEGER NOT NULL, room INTEGER NOT NULL,"
        " seq INTEGER NOT NULL, PRIMARY KEY (account, room)) WITHOUT ROWID"
    )
    meta = {"epoch": secrets.token_hex(16), "last_room": 0, "last_account": 0, "applied": 0}
    db.executemany("INSERT INTO meta VALUES (?, ?)", [*meta.items(), ("clean", 1)])


def _version_2(db: sqlite3.Connection) -> None:
    """Roles, look-alikes, invites, bans; names compare by another key."""
    for table in ("rooms", "accounts"):
        if table == "accounts":
            db.execute("ALTER TABLE accounts ADD COLUMN role TEXT NOT NULL DEFAULT 'member'")
        db.execute(f"ALTER TABLE {table} ADD COLUMN skeleton TEXT NOT NULL DEFAULT ''")
    db.execute(
        "UPDATE accounts SET role = 'operator' WHERE number IN"
        " (SELECT account FROM credentials WHERE credential = 'console')"
    )
    db.execute(
        "CREATE TABLE scopes (credential TEXT PRIMARY KEY, rooms TEXT NOT NULL) WITHOUT ROWID"
    )
    db.execute(
        "CREATE TABLE invites (hash TEXT PRIMARY KEY, by INTEGER NOT NULL, uses INTEGER NOT NULL,"
        " expires INTEGER NOT NULL) WITHOUT ROWID"
    )
    db.execute(
        "CREATE TABLE admitted (credential TEXT PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID"
    )
    db.execute("CREATE TABLE bans (account INTEGER PRIMARY KEY, until INTEGER NOT NULL)")
    db.execute(
        "CREATE TABLE reserved (key TEXT PRIMARY KEY, account INTEGER NOT NULL,"
        " until INTEGER NOT NULL, skeleton TEXT NOT NULL) WITHOUT ROWID"
    )
    _name_again(db, "rooms", "name")
    _name_again(db, "accounts", "nick")


def _version_3(db: sqlite3.Connection) -> None:
    """Private and direct rooms, since when a member may read, when a room was made."""
    db.execute("ALTER TABLE rooms ADD COLUMN access TEXT NOT NULL DEFAULT 'public'")
    for column in ("maker", "peer", "made"):
        db.execute(f"ALTER TABLE rooms ADD COLUMN {column} INTEGER NOT NULL DEFAULT 0")
    first = f"(SELECT {{}} FROM entries WHERE id = number << {SEQ_BITS} | first)"
    db.execute(
        f"UPDATE rooms SET maker = ifnull({first.format('by')}, 0),"
        f" made = ifnull({first.format('time')}, 0) WHERE number != 0"
    )
    db.execute("ALTER TABLE members ADD COLUMN since INTEGER NOT NULL DEFAULT 1")
    db.execute("ALTER TABLE members ADD COLUMN at INTEGER NOT NULL DEFAULT 0")
    db.execute(
        "CREATE TABLE room_invites (room INTEGER NOT NULL, account INTEGER NOT NULL,"
        " by INTEGER NOT NULL, PRIMARY KEY (room, account)) WITHOUT ROWID"
    )
    db.execute(
        "CREATE TABLE hidden (account INTEGER NOT NULL, room INTEGER NOT NULL,"
        " seq INTEGER NOT NULL, PRIMARY KEY (account, room)) WITHOUT ROWID"
    )
    # Which entries are no messages: few, and what unread counts leave out.
    db.execute("CREATE INDEX facts ON entries (id) WHERE kind != 'message'")


def _name_again(db: sqlite3.Connection, table: str, column: str) -> None:
    """Gives names their present keys and skeletons. Where two become one, the older has it and the
    other keeps its key: both stay valid."""
    named = db.execute(
        f"SELECT number, {column}, key FROM {table} WHERE {column} != '' ORDER BY number"
    ).fetchall()
    keys = {key: number for number, _, key in named}
    looks: set[str] = set()
    for number, name, key in named:
        wanted = names.key(name)
        if keys.get(wanted, number) == number:
            del keys[key]
            keys[wanted] = number
        else:
            wanted = key
        look = names.skeleton(name)
        look = "" if look in looks else look  # the oldest of those that look alike has it
        looks.add(look)
        db.execute(
            f"UPDATE {table} SET key = ?, skeleton = ? WHERE number = ?", (wanted, look, number)
        )


_APPLICATION = 0x49504343
"""Marks a SQLite file as a journal ("IPCC")."""
MIGRATIONS: list[Callable[[sqlite3.Connection], None]] = [_version_1, _version_2, _version_3]
"""Step n makes version n + 1 of version n."""
VERSION = len(MIGRATIONS)


def version(db: sqlite3.Connection) -> int:
    """The file's version. Raises JournalError for a newer one, or another program's file."""
    (version,) = db.execute("PRAGMA user_version").fetchone()
    (_, _, path) = db.execute("PRAGMA database_list").fetchone()
    (application,) = db.execute("PRAGMA application_id").fetchone()
    used = db.execute("SELECT count(*) FROM sqlite_master").fetchone() != (0,)
    if used and application != _APPLICATION:
        raise JournalError(
            f"{path} is a database of another program", "choose another data directory: --data DIR"
        )
    if version > VERSION:
        raise JournalError(
            f"the journal was made by a newer version of ipcchat (format {version})",
            f"this one knows formats up to {VERSION}: upgrade ipcchat",
        )
    return int(version)


def migrate(db: sqlite3.Connection) -> None:
    """Brings a file to the present version, one transaction a step.

    Raises JournalError for a file made by a newer version, or by another program.
    """
    for number in range(version(db), VERSION):
        db.execute("BEGIN IMMEDIATE")
        try:
            MIGRATIONS[number](db)
            db.execute(f"PRAGMA application_id = {_APPLICATION}")
            db.execute(f"PRAGMA user_version = {number + 1}")
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise


CHECKPOINT = 16_000
"""Pages in the WAL at which a commit moves them to the file itself; see `checkpoint`."""
_WAL_KEPT = 64 << 20
"""Bytes of a WAL file that are kept for reuse after a checkpoint."""
_CACHE = 64 << 10
"""KiB of pages the writer keeps in memory."""


def connect(path: Path) -> sqlite3.Connection:
    """The writer's connection, to a file at the present version; made where there is none.

    It never waits for a lock. Raises sqlite3.Error, OSError, JournalError.
    """
    # A file that is there is not opened here: closing it would drop this process's locks on it,
    # those of the readers' connections too, and another program could then remove the WAL.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0)
    try:
        version(db)  # before anything is changed
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT}")
        db.execute(f"PRAGMA journal_size_limit = {_WAL_KEPT}")
        db.execute(f"PRAGMA cache_size = -{_CACHE}")
        migrate(db)
    except BaseException:
        db.close()
        raise
    return db


def connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection that can't change anything, for a thread that reads. Raises sqlite3.Error."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    db = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA query_only = ON")
    except BaseException:
        db.close()
        raise
    return db
