"""The tables of the SQLite journal, and how an older file becomes a present one.

An entry's key is packed: `room << 40 | seq`, so that a room's history lies together. It never
leaves this package.
"""

import secrets
import sqlite3
from collections.abc import Callable

from ipcchat.errors import JournalError

__all__ = ["SEQ_BITS", "VERSION", "migrate", "pack"]

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


MIGRATIONS: list[Callable[[sqlite3.Connection], None]] = [_version_1]
"""Step n makes version n + 1 of version n."""
VERSION = len(MIGRATIONS)


def migrate(db: sqlite3.Connection) -> None:
    """Brings a file to the present version, one transaction a step.

    Raises JournalError for a file made by a newer version.
    """
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise JournalError(
            f"the journal was made by a newer version of ipcchat (format {version})",
            f"this one knows formats up to {VERSION}: upgrade ipcchat",
        )
    for number in range(version, VERSION):
        db.execute("BEGIN IMMEDIATE")
        try:
            MIGRATIONS[number](db)
            db.execute(f"PRAGMA user_version = {number + 1}")
        except BaseException:
            db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")
