"""`ipcchat-client`: the screen; `send`, `tail`, `search` for scripts; `identity`, `forget`: what it
keeps."""

import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from ipcchat.address import parse_address
from ipcchat.cli import run
from ipcchat.cli.screen import quick_start, screen
from ipcchat.configuration import add_flags
from ipcchat.errors import UsageError
from ipcchat.settings import ClientSettings, rows

__all__ = ["main"]

PROGRAM = "ipcchat-client"
_EXAMPLES = """\
  ipcchat-client lab:5555 --name ann            talk, on the screen
  ipcchat-client 'ipcchat://lab:5555/?fp=…'     the same, by a join link
  make 2>&1 | ipcchat-client send '#builds' -   say what a command printed
"""
_COMMANDS = ("forget", "identity", "search", "send", "tail")
"""Each a function of the module that has its name. Only the one that is used is imported."""
_BARE = {"-h", "--help", "--version"} | {
    f"--{row.name.replace('_', '-')}" for row in rows(ClientSettings) if row.kind == "yes or no"
}
"""Flags without a value."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    place = _first_word(given)
    if place is not None and given[place] in _COMMANDS:
        name = given.pop(place)
        return run.command(PROGRAM, lambda: _command(name)(PROGRAM, given))
    with quick_start():
        return run.command(PROGRAM, lambda: _main(given))


def _command(name: str) -> Callable[[str, list[str]], int]:
    found: Callable[[str, list[str]], int] = getattr(import_module(f"ipcchat.cli.{name}"), name)
    return found


def _first_word(arguments: Sequence[str]) -> int | None:
    """The place of the first argument that is neither a flag nor a flag's value."""
    value = False
    for place, word in enumerate(arguments):
        if value or word in _BARE:
            value = False
        elif word.startswith("--"):
            value = "=" not in word
        else:
            return place
    return None


def _main(arguments: list[str]) -> int:
    parser = run.Parser(PROGRAM, "Joins a group chat, from a terminal or a script.", _EXAMPLES)
    parser.add_argument("address", nargs="?", metavar="SERVER", help="a server, or a join link")
    add_flags(parser, ClientSettings)
    parser.epilog = f"commands: {', '.join(_COMMANDS)} (each has its own --help)"
    options = parser.parse_args(arguments)
    if options.address is not None:
        if options.server is not None:
            raise UsageError("the server is named twice", "usage: ipcchat-client SERVER")
        options.server = options.address
    settings = run.read_settings(PROGRAM, ClientSettings, options)
    address = parse_address(settings.server)
    run.check_target(settings.room)
    if not run.on_terminal() and not settings.plain:
        raise UsageError(
            "the screen needs a terminal",
            "for scripts: ipcchat-client send, ipcchat-client tail; or --plain",
        )
    return run.run(screen(address, settings))
