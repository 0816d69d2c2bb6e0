"""What an error of SQLite means here: whose fault it is, and what its user is told."""

import os
import sqlite3
from pathlib import Path

from ipcchat.errors import JournalDamaged, JournalError, JournalUnavailable, JournalUnwritable

__all__ = ["damaged", "is_damage", "is_poison", "not_opened", "open_outcome", "unavailable"]

_ROOM = 1 << 20
"""Bytes free on a disk below which a failed write means a full one."""
_ELSEWHERE = "choose another data directory: --data DIR"
_FULL_HINT = "make room on the disk; it goes on by itself"
_BUSY_HINT = "another program writes to the file; it goes on by itself when that one has ended"
_FROM_ROWS = (
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_RANGE,
    sqlite3.SQLITE_TOOBIG,
)
# Failed in the middle of writing, before anything was synced.
_WRITING = (
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_SHMSIZE,
    sqlite3.SQLITE_IOERR_TRUNCATE,
)


def _code(error: BaseException) -> int | None:
    """The extended code; None where the sqlite3 module itself found the fault."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return code


def is_damage(error: BaseException) -> bool:
    """Whether the file is no database, or a damaged one."""
    return (_code(error) or 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_poison(error: Exception) -> bool:
    """Whether what was to be written is at fault, rather than file or disk."""
    if not isinstance(error, sqlite3.Error):
        return True
    code = _code(error)
    return code is None or code & 0xFF in _FROM_ROWS


def open_outcome(error: BaseException, folder: Path) -> str:
    """`full` or `busy` where nothing was stored and later tries may succeed; else empty."""
    code = _code(error) or 0
    if code & 0xFF == sqlite3.SQLITE_FULL or (code in _WRITING and _no_room(folder)):
        return "full"
    return "busy" if code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) else ""


def _no_room(folder: Path) -> bool:
    try:
        found = os.statvfs(folder)
    except OSError:
        return False
    return found.f_bavail * found.f_frsize < _ROOM


def damaged(path: Path, reason: str) -> JournalDamaged:
    """The error for a damaged file, with the way out."""
    return JournalDamaged(
        f"the journal {path} is damaged: {reason}",
        "look at it with: ipcchat-server check; then restore a backup, or move it away",
    )


def unavailable(code: str) -> JournalUnavailable:
    """The error for a journal that can't store at present."""
    if code == "full":
        return JournalUnavailable("the disk is full: nothing can be stored", _FULL_HINT, code)
    return JournalUnavailable("the journal's file is locked by another program", _BUSY_HINT, code)


def not_opened(path: Path, error: Exception) -> JournalError:
    """The error for a file that could not be opened, read or begun."""
    if isinstance(error, OSError):
        reason = (error.strerror or str(error)).lower()
        return JournalUnwritable(f"cannot write to {path}: {reason}", _ELSEWHERE)
    if is_damage(error) or isinstance(error, ValueError):  # a row that can't be one
        return damaged(path, str(error))
    code = open_outcome(error, path.parent)
    if code:
        failure = unavailable(code)
        hint = "make room on the disk" if code == "full" else "end the other program"
        return JournalUnavailable(failure.text, f"{hint}, then start again", code)
    if (_code(error) or 0) & 0xFF in (
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_PERM,
    ):
        return JournalUnwritable(f"cannot write to {path}: {error}", _ELSEWHERE)
    return JournalError(f"cannot use the journal {path}: {error}", "look at the disk")
