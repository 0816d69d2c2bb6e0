"""Where things live: configuration, data, state, sockets.

The XDG variables decide, elsewhere the platform's habit. Asking for a path makes nothing, but for
the runtime directory, which must be private before a socket is in it. Who writes a file first
calls `private_dir`. Nothing is ever looked for in the current directory.
"""

import getpass
import hashlib
import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

import platformdirs

from ipcchat.errors import EXIT_SETTING, FileError

__all__ = [
    "MAX_SOCKET_PATH",
    "MEMORY",
    "config_dirs",
    "control_path",
    "data_dir",
    "login_name",
    "private_dir",
    "runtime_dir",
    "state_dir",
]

MAX_SOCKET_PATH = 99
"""Bytes in a socket's path: macOS has room for 104 with the terminating zero, Linux for 108."""

_APP = "ipcchat"
_SYSTEM_CONFIG = Path("/etc") / _APP
MEMORY = ":memory:"
"""The data directory of a server that keeps nothing."""
_SHORT = Path("/tmp")


def data_dir() -> Path:
    """The server's journal: `$XDG_DATA_HOME/ipcchat`."""
    return platformdirs.user_data_path(_APP)


def state_dir() -> Path:
    """Profiles, pins, drafts: `$XDG_STATE_HOME/ipcchat`."""
    return platformdirs.user_state_path(_APP)


def config_dirs(environ: Mapping[str, str] = os.environ) -> list[Path]:
    """Where configuration is looked for: the user's directory, then the machine's."""
    home = environ.get("XDG_CONFIG_HOME", "")
    # A relative one is invalid: it would depend on the current directory.
    user = Path(home, _APP) if Path(home).is_absolute() else platformdirs.user_config_path(_APP)
    return [user, _SYSTEM_CONFIG]


def private_dir(path: Path) -> Path:
    """Makes the directory, for its owner alone, and those above it. Raises FileError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        text = f"cannot make the directory {error.filename or path}: {reason}"
        hint = "choose a place of yours: XDG_STATE_HOME, XDG_RUNTIME_DIR"
        raise FileError(text, hint, EXIT_SETTING) from None
    return path


def runtime_dir() -> Path:
    """Sockets: `$XDG_RUNTIME_DIR/ipcchat`, else a directory of the user's own beside the temporary
    files. It is made, for its owner alone. Raises FileError where it is not safe to use."""
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    if Path(base).is_absolute() and Path(base).is_dir():
        return _own(private_dir(Path(base, _APP)))
    return _fallback(Path(tempfile.gettempdir()))


def control_path(data: str | Path) -> Path:
    """The control socket of the server that uses this data directory (or `:memory:`).

    The same for every spelling of the directory, and short enough for a socket. Raises FileError.
    """
    place = str(data) if str(data) == MEMORY else str(Path(data).expanduser().resolve())
    name = hashlib.sha256(os.fsencode(place)).hexdigest()[:16] + ".sock"
    path = runtime_dir() / name
    if len(os.fsencode(path)) > MAX_SOCKET_PATH:
        path = _fallback(_SHORT) / name
    return path


def login_name() -> str:
    """The name the user logged in with; empty where there is none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""


def _fallback(base: Path) -> Path:
    return _own(private_dir(base / f"{_APP}-{os.getuid()}"))


def _own(path: Path) -> Path:
    """Refuses a directory that another user made, or may write: a socket there could be theirs."""
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise FileError(f"{path} is not a directory of yours", "set XDG_RUNTIME_DIR to one that is")
    if found.st_mode & 0o077:
        path.chmod(0o700)
    return path
