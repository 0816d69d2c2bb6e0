"""What a client keeps for one account, in the state directory: secret, nick, unsent drafts.

    profiles/ann/profile.json   {"nick": "ann", "secret": "32 hexadecimal digits"}
    profiles/ann/unsent.json    {"lines": [{"room": "#lobby", "text": "…", …}]}
    profiles/ann/lock           held while somebody types under this profile

Files are for their owner alone and are replaced whole. Nothing here is to be called on a running
loop: it waits for the disk.
"""

import contextlib
import json
import os
import re
import secrets
import sys
import tempfile
from pathlib import Path
from typing import Any

from ipcchat import paths
from ipcchat.errors import FileError
from ipcchat.text import check_nick, fold, safe_nick

if sys.platform != "win32":
    import fcntl

__all__ = ["Profile", "open_profile"]

_SECRET = re.compile(r"[0-9a-f]{32}")
_MOST = 9
"""Interactive clients of one user at the same time that get a profile by themselves."""


class Profile:
    """One account's files. Close it, or use it as a context manager: that frees the lock."""

    def __init__(self, directory: Path, nick: str, secret: str, asked: bool) -> None:
        self.directory = directory
        self.nick = nick
        """The nick that a new account asks for."""
        self.secret = secret
        self.asked = asked
        """Whether the user asked for it by name."""
        self.said = ""
        """What the user has to be told about the choice; empty: nothing."""
        self._lock: int | None = None

    def __enter__(self) -> "Profile":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Frees the profile for other interactive clients."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def lock(self) -> bool:
        """Takes the profile for an interactive client; false where another one has it."""
        path = self.directory / "lock"
        try:
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _failed("write", path, error) from None
        if sys.platform != "win32":
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(lock)
                return False
        self._lock = lock
        return True

    @property
    def locked(self) -> bool:
        """Whether this is the one that somebody types under, and keeps the unsent lines."""
        return self._lock is not None

    def load_unsent(self) -> list[Any]:
        """What was said and had no outcome when the client ended. Raises FileError."""
        path = self.directory / "unsent.json"
        found = _read(path)
        lines = [] if found is None else found.get("lines")
        if not isinstance(lines, list):
            raise _damaged(path)
        return lines

    def save_unsent(self, lines: list[dict[str, str]]) -> None:
        """Keeps such lines, in place of those kept before. Raises FileError."""
        path = self.directory / "unsent.json"
        if lines or path.exists():
            _write(path, {"lines": lines})


def open_profile(
    name: str = "", *, state_dir: Path | None = None, interactive: bool = False
) -> Profile:
    """The profile of that name, made where there is none; without a name, the login name's.

    An interactive client without a name that finds its profile in use gets `ann-2` and its like,
    and `said` says so. Raises TextError for a bad name, FileError.
    """
    base = (state_dir or paths.state_dir()) / "profiles"
    if name:
        profile = _open(base, check_nick(name), asked=True)
        if interactive:
            profile.lock()  # in use already: a further session of the same account
        return profile
    own = safe_nick(paths.login_name(), "guest")
    profile = _open(base, own, asked=False)
    if not interactive or profile.lock():
        return profile
    for number in range(2, _MOST + 1):
        other = _open(base, f"{own[:30]}-{number}", asked=False)
        if other.lock():
            other.said = f"{own} is in use here already: you are {other.nick}"
            return other
    raise FileError(
        f"all profiles of {own} are in use here", "choose another name: ipcchat-client --name NAME"
    )


def _open(base: Path, nick: str, *, asked: bool) -> Profile:
    for directory in (base.parent, base, base / fold(nick)):
        paths.private_dir(directory)
    path = base / fold(nick) / "profile.json"
    found = _read(path)
    if found is None:
        _write(path, {"nick": nick, "secret": secrets.token_hex(16)}, new=True)
        found = _read(path) or {}
    secret = found.get("secret")
    if not isinstance(secret, str) or not _SECRET.fullmatch(secret):
        raise _damaged(path)
    return Profile(path.parent, nick, secret, asked)


# --- files --------------------------------------------------------------------------------


def _read(path: Path) -> dict[str, Any] | None:
    """A file's object, or None where there is no file."""
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _failed("read", path, error) from None
    except (ValueError, RecursionError):
        raise _damaged(path) from None
    if not isinstance(found, dict):
        raise _damaged(path)
    return found


def _write(path: Path, content: dict[str, Any], *, new: bool = False) -> None:
    """Writes a file whole, for its owner alone. `new`: one that is there by now stays."""
    try:
        handle, made = tempfile.mkstemp(dir=path.parent, prefix=".new-")  # has the mode 0600
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(content, file, ensure_ascii=False, indent=1)
                file.write("\n")
                file.flush()
                os.fsync(file.fileno())
            if new and hasattr(os, "link"):
                # Of two clients that make the same profile at once, the first one's secret counts.
                with contextlib.suppress(FileExistsError):
                    os.link(made, path)
            else:
                Path(made).replace(path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                Path(made).unlink()
    except (OSError, UnicodeEncodeError) as error:
        raise _failed("write", path, error) from None


def _failed(verb: str, path: Path, error: Exception) -> FileError:
    reason = getattr(error, "strerror", None) or str(error)
    return FileError(f"cannot {verb} {path}: {reason.lower()}")


def _damaged(path: Path) -> FileError:
    return FileError(
        f"{path} is damaged: it is no ipcchat profile", "move it away; a new one is made then"
    )
