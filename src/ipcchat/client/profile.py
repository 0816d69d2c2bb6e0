"""What a client keeps for one account, in the state directory: key, nick, unsent drafts.

    profiles/ann/profile.json   {"nick": "ann", "key": "43 characters of base64url"}
    profiles/ann/unsent.json    {"lines": [{"room": "#lobby", "text": "…", …}]}
    profiles/ann/lock           held while somebody types under this profile
    profiles/ann/change         held while profile.json is read and replaced by what follows from it

A profile of an older client has a "secret" (32 hexadecimal digits) and no key. It gets a key when
it is opened, and keeps the secret for servers at which its account has not moved to the key.

Files are for their owner alone and are replaced whole, on disk before they count. Nothing here is
to be called on a running loop: it waits for the disk.
"""

import contextlib
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipcchat import paths
from ipcchat.errors import FileError, TextError
from ipcchat.text import check_nick, fold, safe_nick
from ipcchat.trust.identity import Identity

if TYPE_CHECKING:
    from ipcchat.client.link import Credentials

if sys.platform != "win32":
    import fcntl

__all__ = ["Profile", "import_identity", "open_profile"]

_SECRET = re.compile(r"[0-9a-f]{32}")
_MOST = 9
"""Interactive clients of one user at the same time that get a profile by themselves."""


class Profile:
    """One account's files. Close it, or use it as a context manager: that frees the lock."""

    def __init__(
        self,
        directory: Path,
        nick: str,
        identity: Identity,
        secret: str,
        asked: bool,
        moved_at: frozenset[str] = frozenset(),
    ) -> None:
        self.directory = directory
        self.nick = nick
        """The nick that a new account asks for."""
        self.identity = identity
        """The key that proves the account."""
        self.secret = secret
        """What proved the account before it had a key; empty: it never had one."""
        self.moved_at = moved_at
        """Epochs of the servers at which the secret is worth nothing any more."""
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
    def path(self) -> Path:
        """The file with the key."""
        return self.directory / "profile.json"

    def moved(self, epoch: str) -> None:
        """The account at the server with this history has moved to the key: the secret is never
        shown there again. It stays for other servers that know one by it. Raises FileError."""
        if not self.secret or epoch in self.moved_at:
            return
        with _changing(self.directory):
            found = _read(self.path)
            # Another key may have come in by import meanwhile.
            if found is not None and _parsed(self.path, found) == (self.identity, self.secret):
                self.moved_at = _epochs(found) | {epoch}
                _write(self.path, {**found, "moved": sorted(self.moved_at)})

    @property
    def locked(self) -> bool:
        """Whether this is the one that somebody types under, and keeps the unsent lines."""
        return self._lock is not None

    def credentials(
        self, *, quiet: bool = False, invite: str = "", token: str = "", device: str = ""
    ) -> "Credentials":
        """Who one is for a server; see `link.Credentials`. Loads the library of the key: call it
        off the loop."""
        from ipcchat.client.link import Credentials

        self.identity.public  # noqa: B018
        return Credentials(
            self.nick,
            self.secret,
            self.identity,
            self.asked,
            quiet,
            moved=self.moved,
            moved_at=self.moved_at,
            invite=invite,
            token=token,
            device=device,
        )

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
    base = _base(state_dir)
    if name:
        profile = _open(base, check_nick(name), asked=True)
        if interactive:
            profile.lock()  # in use already: a further session of the same account
        return profile
    own = _own_nick()
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


def import_identity(
    identity: Identity, name: str = "", *, state_dir: Path | None = None, force: bool = False
) -> Profile:
    """Puts a key made elsewhere into the profile of that name (without one, the login name's),
    which is made where there is none.

    A profile that has another key or a secret is somebody already: only with `force` it becomes
    the imported one, and what it had is lost. Raises TextError for a bad name, FileError.
    """
    nick = check_nick(name) if name else _own_nick()
    path = _place(_base(state_dir), nick)
    with _changing(path.parent):
        content = _content(nick, identity)
        _write(path, content, new=True)  # not over one that is there, even since this moment
        if _parsed(path, _read(path) or {})[0] == identity:
            pass
        elif force:
            _write(path, content)
        else:
            raise FileError(
                f"{nick} has a key already",
                "export that first, then use --force to replace it; or choose another --name",
            )
    return _open(path.parent.parent, nick, asked=bool(name))


def _content(nick: str, identity: Identity) -> dict[str, Any]:
    """A new profile's file."""
    return {"nick": nick, "key": identity.stored}


def _base(state_dir: Path | None) -> Path:
    return (state_dir or paths.state_dir()) / "profiles"


def _own_nick() -> str:
    return safe_nick(paths.login_name(), "guest")


def _place(base: Path, nick: str) -> Path:
    """Where the profile of that nick is, in a directory that is made where there is none."""
    for directory in (base.parent, base, base / fold(nick)):
        paths.private_dir(directory)
    return base / fold(nick) / "profile.json"


def _open(base: Path, nick: str, *, asked: bool) -> Profile:
    path = _place(base, nick)
    found = _read(path)
    if found is None:
        _write(path, _content(nick, Identity.make()), new=True)
        found = _read(path) or {}
    identity, secret = _parsed(path, found)
    if identity is None:
        identity, secret = _give_key(path)
    return Profile(path.parent, nick, identity, secret, asked, _epochs(found))


def _epochs(found: dict[str, Any]) -> frozenset[str]:
    """The histories in which the account is found by the key now."""
    moved = found.get("moved")
    if not isinstance(moved, list):
        return frozenset()
    return frozenset(item for item in moved if isinstance(item, str))


def _give_key(path: Path) -> tuple[Identity, str]:
    """A key for a profile that has a secret alone; of two clients that do it at once, the first
    one's counts."""
    with _changing(path.parent):
        found = _read(path) or {}
        identity, secret = _parsed(path, found)
        if identity is None:
            identity = Identity.make()
            _write(path, {**found, "key": identity.stored})
    return identity, secret


def _parsed(path: Path, found: dict[str, Any]) -> tuple[Identity | None, str]:
    """The key and the secret in a profile's file, which has at least one of them."""
    key, secret = found.get("key", ""), found.get("secret", "")
    if not (isinstance(key, str) and isinstance(secret, str) and (key or secret)):
        raise _damaged(path)
    if secret and not _SECRET.fullmatch(secret):
        raise _damaged(path)
    try:
        return Identity.from_stored(key) if key else None, secret
    except TextError:
        raise _damaged(path) from None


# --- files --------------------------------------------------------------------------------


@contextlib.contextmanager
def _changing(directory: Path) -> Iterator[None]:
    """Between reading and replacing profile.json nobody else does."""
    path = directory / "change"
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if sys.platform != "win32":
                fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError:
            os.close(lock)
            raise
    except OSError as error:
        raise _failed("lock", path, error) from None
    try:
        yield
    finally:
        os.close(lock)


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
            _sync_directory(path.parent)
        finally:
            with contextlib.suppress(FileNotFoundError):
                Path(made).unlink()
    except (OSError, UnicodeEncodeError) as error:
        raise _failed("write", path, error) from None


def _sync_directory(path: Path) -> None:
    """Makes a new name last: an account must not hang on a key that a power cut takes away. Some
    file systems can't; the file itself is synced."""
    with contextlib.suppress(OSError):
        directory = os.open(path, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def _failed(verb: str, path: Path, error: Exception) -> FileError:
    reason = getattr(error, "strerror", None) or str(error)
    return FileError(f"cannot {verb} {path}: {reason.lower()}")


def _damaged(path: Path) -> FileError:
    return FileError(
        f"{path} is damaged: it is no ipcchat profile", "move it away; a new one is made then"
    )
