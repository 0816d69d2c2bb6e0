"""One server per journal: a lock that the operating system drops with the process."""

import contextlib
import fcntl
import os
from pathlib import Path

from ipcchat.errors import JournalLocked, JournalUnwritable

__all__ = ["Lock"]


class Lock:
    """An exclusive lock on `journal.lock` in a data directory.

    Raises JournalLocked, JournalUnwritable.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / "journal.lock"
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise JournalUnwritable(
                f"cannot write to {folder}: {(error.strerror or str(error)).lower()}",
                "choose another data directory: --data DIR",
            ) from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._file, 20).decode("ascii", "replace").strip()
            os.close(self._file)
            who = f" (process {holder})" if holder.isdigit() else ""
            raise JournalLocked(
                f"another server{who} uses the data in {folder}",
                "choose another data directory: --data DIR",
            ) from None
        except OSError as error:
            os.close(self._file)
            raise JournalUnwritable(
                f"cannot lock {path}: {(error.strerror or str(error)).lower()}",
                "choose a data directory on a local disk: --data DIR",
            ) from None
        with contextlib.suppress(OSError):  # a full disk: the lock holds, its holder's number lacks
            os.ftruncate(self._file, 0)
            os.write(self._file, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Gives the lock up; harmless when done twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
