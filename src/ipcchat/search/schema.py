"""The index's file: its tables, and whether a file that is there may be used.

    words        FTS5 without content: the tokens of an entry, and one that names its author;
                 its row is the entry's key in the journal (`room << 40 | seq`)
    moments      of each entry: the latest time said in its room so far, and how far its own time
                 is behind that. Clocks jump, but moments only grow within a room: results ordered
                 by them are ordered by their numbers too, so rooms can be merged and pages hold
    vocabulary   each word once, with the number of entries it is in
    parts        FTS5 without content: the trigrams of each word of the vocabulary. So a part of a
                 word costs a row a word, not a row a message
    rooms        how far each room is indexed, committed with what it speaks of

The tokenizer is `ascii`: it takes ASCII letters and digits apart from the rest and lowers them, and
keeps other characters, which `fold` has prepared. The journal is attached as `journal`, read-only;
for one that keeps nothing on disk, a table in memory has its place.
"""

import contextlib
import os
import sqlite3
from pathlib import Path

from ipcchat.journal.schema import NAME as JOURNAL
from ipcchat.search.fold import fold

__all__ = ["AUTHOR", "NAME", "Stale", "connect", "connect_in_memory", "connect_to_read", "remove"]

NAME = "search.sqlite"
"""The file's name in the data directory."""

AUTHOR = "\ue000"
"""Begins the token of an author; no word has it."""

_APPLICATION = 0x49504353
"""Marks a SQLite file as an index ("IPCS")."""
_VERSION = 1
_WAL_PAGES = 4096
"""Pages in the WAL at which a commit moves them to the file."""
_WAL_KEPT = 32 << 20
_CACHE = 32 << 10
"""KiB of pages the writer keeps in memory, and each reader."""

_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE rooms (room INTEGER PRIMARY KEY, seq INTEGER NOT NULL, moment INTEGER NOT NULL,
    behind INTEGER NOT NULL);
CREATE TABLE moments (id INTEGER PRIMARY KEY, moment INTEGER NOT NULL, behind INTEGER NOT NULL);
CREATE TABLE vocabulary (number INTEGER PRIMARY KEY, word TEXT NOT NULL UNIQUE,
    entries INTEGER NOT NULL);
CREATE VIRTUAL TABLE words USING fts5(text, content='', columnsize=0, tokenize='ascii');
CREATE VIRTUAL TABLE parts USING fts5(word, content='', columnsize=0, detail=none,
    tokenize='trigram');
"""
_SCRATCH = """
CREATE TEMP TABLE batch (id INTEGER PRIMARY KEY, time INTEGER NOT NULL, by INTEGER NOT NULL,
    text TEXT NOT NULL);
CREATE VIRTUAL TABLE temp.fresh USING fts5(text, content='', columnsize=0, detail=none,
    tokenize='ascii');
CREATE VIRTUAL TABLE temp.counts USING fts5vocab('temp', 'fresh', 'row');
"""
_STAND_IN = """
CREATE TABLE journal.entries (id INTEGER PRIMARY KEY, time INTEGER NOT NULL, by INTEGER NOT NULL,
    kind TEXT NOT NULL, text TEXT NOT NULL);
"""


class Stale(Exception):
    """The file is not the index of this journal; it says why. It can be made anew."""


def _open(target: str) -> sqlite3.Connection:
    db = sqlite3.connect(target, uri=True, isolation_level=None, check_same_thread=False)
    try:
        db.create_function("fold", 1, fold, deterministic=True)
        db.execute("PRAGMA temp_store = MEMORY")
        db.execute(f"PRAGMA cache_size = -{_CACHE}")
    except BaseException:
        db.close()
        raise
    return db


def _attach(db: sqlite3.Connection, folder: Path) -> None:
    uri = (folder / JOURNAL).absolute().as_uri()
    db.execute("ATTACH ? AS journal", (f"{uri}?mode=ro",))


def connect(folder: Path, epoch: str, name: str = NAME) -> sqlite3.Connection:
    """The writer's connection to the index of a data directory, made where there is none.

    Raises Stale, sqlite3.Error, OSError.
    """
    path = folder / name
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    db = _open(f"{path.absolute().as_uri()}?mode=rw")
    try:
        if db.execute("SELECT count(*) FROM sqlite_master").fetchone() != (0,):
            _prove(db, epoch)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
        db.execute(f"PRAGMA journal_size_limit = {_WAL_KEPT}")
        _make(db, epoch)
        _attach(db, folder)
    except BaseException:
        db.close()
        raise
    return db


def connect_in_memory(epoch: str) -> sqlite3.Connection:
    """An index that is gone with its connection; `journal.entries` is to be filled by its owner."""
    db = _open(":memory:")
    db.execute("ATTACH ':memory:' AS journal")
    db.executescript(_STAND_IN)
    _make(db, epoch)
    return db


def connect_to_read(folder: Path) -> sqlite3.Connection:
    """A connection for a thread that searches. Raises sqlite3.Error."""
    db = _open(f"{(folder / NAME).absolute().as_uri()}?mode=ro")
    try:
        _attach(db, folder)
    except BaseException:
        db.close()
        raise
    return db


def _prove(db: sqlite3.Connection, epoch: str) -> None:
    """Raises Stale, sqlite3.Error."""
    (application,) = db.execute("PRAGMA application_id").fetchone()
    if application != _APPLICATION:
        raise Stale("it is another program's file")
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version != _VERSION:
        raise Stale(f"it has format {version}, not {_VERSION}")
    try:
        found = db.execute("SELECT value FROM meta WHERE name = 'epoch'").fetchone()
    except sqlite3.OperationalError:
        found = None
    if found != (epoch,):
        raise Stale("it is of another history")


def _make(db: sqlite3.Connection, epoch: str) -> None:
    if db.execute("PRAGMA user_version").fetchone() == (0,):
        db.execute("BEGIN IMMEDIATE")
        try:
            for statement in filter(str.strip, _TABLES.split(";\n")):
                db.execute(statement)
            db.execute("INSERT INTO meta VALUES ('epoch', ?)", (epoch,))
            db.execute(f"PRAGMA application_id = {_APPLICATION}")
            db.execute(f"PRAGMA user_version = {_VERSION}")
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
    db.executescript(_SCRATCH)


def remove(path: Path) -> None:
    """Removes an index with what belongs to it. Raises OSError."""
    for suffix in ("-wal", "-shm", ""):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
