"""Files that are there whole or not at all: written beside their place, synced, then put there.

Nothing is ever written over without being told to, a symbolic link included. All of it may block
on the disk. After a FileError nothing is left behind.
"""

import errno
import os
import secrets
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from ipcchat.errors import FileError
from ipcchat.text import visible

__all__ = ["WholeFile", "shown"]

_BUFFER = 256 * 1024
"""Characters that wait before they are written."""


def shown(path: Path) -> str:
    """A path as part of a line, which it can't end."""
    return visible(str(path)).replace("\n", "\u240a").replace("\t", "\u2409")


class WholeFile:
    """A file being written, for its owner alone; `commit` puts it in place, `abort` undoes it."""

    def __init__(self, path: Path, *, force: bool = False) -> None:
        """`force`: a file that is there is replaced. Raises FileError where that can't be."""
        self.path = path
        self._force = force
        self._waiting: list[str] = []
        self._size = 0
        self._file = -1
        self._check_place()
        # A name of its own length: the path's may be as long as names can be.
        self.part = path.with_name(f".ipcchat-{secrets.token_hex(8)}.part")
        """Where it lies until then, for who writes it by other means."""
        try:
            self._file = _create(self.part)
        except OSError as error:
            raise _file_error(path, error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.abort()

    def put(self, text: str) -> None:
        """Writes a text, in UTF-8. Raises FileError."""
        self._waiting.append(text)
        self._size += len(text)
        if self._size > _BUFFER:
            self._flush()

    def commit(self) -> None:
        """Puts the whole file in place, on disk. Raises FileError."""
        self._flush()
        try:
            os.fsync(self._file)
            self._place()
            _sync_directory(self.path.parent)
        except OSError as error:
            raise _file_error(self.path, error) from None
        finally:
            self.abort()

    def abort(self) -> None:
        """Leaves nothing behind; without effect after `commit`."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
            with suppress(OSError):
                self.part.unlink()

    def _check_place(self) -> None:
        """Refuses early what `commit` would refuse after all the work."""
        try:
            if "\0" in str(self.path):
                raise OSError(errno.EINVAL, "not a file name")
            if self.path.is_dir():
                raise IsADirectoryError(errno.EISDIR, "is a directory")
            if self._force and self.path.exists() and not self.path.is_file():
                raise OSError(errno.EINVAL, "it is not a regular file")
            if not self._force and (self.path.exists() or self.path.is_symlink()):
                raise FileExistsError(errno.EEXIST, "exists")
        except OSError as error:
            raise _file_error(self.path, error) from None

    def _flush(self) -> None:
        data = memoryview("".join(self._waiting).encode())
        self._waiting.clear()
        self._size = 0
        try:
            while data:
                data = data[os.write(self._file, data) :]
        except OSError as error:
            self.abort()
            raise _file_error(self.path, error) from None

    def _place(self) -> None:
        if self._force:
            self.part.replace(self.path)
            return
        try:
            self.path.hardlink_to(self.part)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            # A file system without links: claim the name first, then replace what is ours.
            os.close(_create(self.path))
            try:
                self.part.replace(self.path)
            except OSError:
                self.path.unlink()
                raise


def _create(path: Path) -> int:
    """A new file, never one that is there, for its owner alone."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)


def _sync_directory(path: Path) -> None:
    """Makes a new name last. Some file systems can't; the file itself is synced."""
    with suppress(OSError):
        directory = os.open(path, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EOPNOTSUPP)
_FORCE = "give another name, or use --force to replace it"
_REASONS = {
    errno.EEXIST: ("the file exists", _FORCE),
    errno.EACCES: ("no permission", "choose a directory of yours"),
    errno.EPERM: ("no permission", "choose a directory of yours"),
    errno.EISDIR: ("it is a directory", "give the name of a file"),
    errno.ENOENT: ("no such directory", "make it first, or choose another"),
    errno.ENOTDIR: ("no such directory", "make it first, or choose another"),
    errno.ENOSPC: ("the disk is full", "make room, or choose another disk"),
    errno.EDQUOT: ("the disk quota is used up", "make room, or choose another disk"),
    errno.EFBIG: ("the file would be too large", "raise the limit (ulimit -f)"),
    errno.EROFS: ("the disk is read-only", "choose another disk"),
    errno.ENAMETOOLONG: ("the name is too long", "give a shorter one"),
}


def _file_error(path: Path, error: OSError) -> FileError:
    reason, hint = _REASONS.get(error.errno or 0, ((error.strerror or str(error)).lower(), ""))
    return FileError(f"cannot write {shown(path)}: {reason}", hint)
