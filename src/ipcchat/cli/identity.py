"""`ipcchat-client identity`: shows the key that one is known by, and carries it elsewhere."""

import argparse
import getpass
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from ipcchat.cli import run
from ipcchat.client.profile import import_identity, open_profile
from ipcchat.configuration import add_flags
from ipcchat.errors import FileError, UsageError
from ipcchat.files import WholeFile, shown
from ipcchat.settings import ClientSettings
from ipcchat.trust.identity import Identity

__all__ = ["identity"]

_EXAMPLES = """\
  ipcchat-client identity
  ipcchat-client identity export ann.key
  ssh laptop ipcchat-client identity export | ipcchat-client identity import
"""
_LONGEST = 4096
"""Bytes of the input that may be one line."""


def identity(program: str, arguments: Sequence[str]) -> int:
    """Runs the command; returns the exit code. Raises IpcchatError."""
    parser = run.Parser(
        f"{program} identity",
        "Shows, exports or imports the key that proves to servers who you are. It is one line of "
        "text: whoever has it is you.",
        _EXAMPLES,
    )
    parser.add_argument(
        "action", nargs="?", choices=tuple(_ACTIONS), default="show", help="(default: show)"
    )
    parser.add_argument(
        "file", nargs="?", metavar="FILE", help="(default, or -: standard output or input)"
    )
    parser.add_argument("--force", action="store_true", help="over a file, or a key, that is there")
    add_flags(parser, ClientSettings, ("name",))
    options = parser.parse_intermixed_args(arguments)
    settings = run.read_settings(program, ClientSettings, options)
    return _ACTIONS[options.action](program, settings.name, options)


def _show(program: str, name: str, options: argparse.Namespace) -> int:
    if options.file is not None or options.force:
        raise UsageError("show has no FILE and no --force", "to write a file: identity export FILE")
    with open_profile(name) as profile:
        run.show(
            f"nick         {profile.nick}\n"
            f"profile      {shown(profile.path)}\n"
            f"fingerprint  {profile.identity.fingerprint}\n"
        )
    return 0


def _export(program: str, name: str, options: argparse.Namespace) -> int:
    with open_profile(name) as profile:
        line = profile.identity.exported + "\n"
    if options.file in (None, "-"):
        if sys.stdout is not None and sys.stdout.isatty():
            run.say(program, f"whoever has this line is {profile.nick}: keep it like a password")
        run.show(line)
        return 0
    path = Path(options.file)
    with WholeFile(path, force=options.force) as file:
        file.put(line)
        file.commit()
    run.show(f"exported the key of {profile.nick} to {shown(path)}: whoever has it is you\n")
    return 0


def _import(program: str, name: str, options: argparse.Namespace) -> int:
    made = Identity.from_exported(_line(options.file))
    with import_identity(made, name, force=options.force) as profile:
        run.show(f"{profile.nick} has the key {made.fingerprint} now\n")
    return 0


_ACTIONS: dict[str, Callable[[str, str, argparse.Namespace], int]] = {
    "show": _show,
    "export": _export,
    "import": _import,
}


# --- the line -----------------------------------------------------------------------------


def _line(file: str | None) -> str:
    """The first line of the file or of the standard input. Raises FileError, UsageError."""
    if file in (None, "-"):
        return _typed() if _asks() else _decoded(_piped())
    path = Path(file or "")
    try:
        with path.open("rb") as stream:
            return _decoded(stream.readline(_LONGEST))
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise FileError(f"cannot read {shown(path)}: {reason}") from None


def _asks() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _typed() -> str:
    """What is pasted on a terminal, which doesn't show it."""
    try:
        return getpass.getpass("paste the line that export printed (it is not shown): ")
    except EOFError:
        raise UsageError("nothing was pasted") from None


def _piped() -> bytes:
    if sys.stdin is None:
        raise UsageError("no key to import", "name a file, or give the line to standard input")
    try:
        return sys.stdin.buffer.readline(_LONGEST)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise FileError(f"cannot read the input: {reason}") from None


def _decoded(line: bytes) -> str:
    """Bytes that are no ASCII can't be part of a key, and needn't survive."""
    return line.decode("ascii", "replace")
