"""`ipcchat-client`: the screen; `send`, `tail` for scripts; `identity`, `forget`: what it keeps."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Sequence

from ipcchat.address import Address, parse_address
from ipcchat.cli import forget, identity, run, send, tail
from ipcchat.client.profile import Profile, open_profile
from ipcchat.client.unsent import Unsent
from ipcchat.configuration import add_flags
from ipcchat.errors import UsageError
from ipcchat.settings import ClientSettings, rows
from ipcchat.text import check_room

__all__ = ["main"]

PROGRAM = "ipcchat-client"
_EXAMPLES = """\
  ipcchat-client lab:5555 --name ann            talk, on the screen
  ipcchat-client 'ipcchat://lab:5555/?fp=…'     the same, by a join link
  make 2>&1 | ipcchat-client send '#builds' -   say what a command printed
"""
_COMMANDS = {
    "forget": forget.forget,
    "identity": identity.identity,
    "send": send.send,
    "tail": tail.tail,
}
_BARE = {"-h", "--help", "--version"} | {
    f"--{row.name.replace('_', '-')}" for row in rows(ClientSettings) if row.kind == "yes or no"
}
"""Flags without a value."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    place = _first_word(given)
    if place is not None and given[place] in _COMMANDS:
        command = _COMMANDS[given.pop(place)]
        return run.command(PROGRAM, lambda: command(PROGRAM, given))
    return run.command(PROGRAM, lambda: _main(given))


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
    check_room(settings.room)
    if not run.on_terminal():
        raise UsageError(
            "the screen needs a terminal", "for scripts: ipcchat-client send, ipcchat-client tail"
        )
    with open_profile(settings.name, interactive=True) as profile:
        unsent = Unsent(profile, str(address)) if profile.locked else None
        return run.run(_screen(address, profile, settings, unsent))


async def _screen(
    address: Address, profile: Profile, settings: ClientSettings, unsent: Unsent | None
) -> int:
    # Imported here, for `send` and `tail` need neither the screen nor its library.
    from ipcchat.client.link import Credentials
    from ipcchat.client.outbox import new_draft
    from ipcchat.client.session import Session
    from ipcchat.tui.app import run as run_screen

    code = 0
    main = asyncio.current_task()
    assert main is not None

    def end(number: int) -> None:
        nonlocal code
        code = 128 + number
        main.cancel()

    # The terminal must be as it was before, however we end. Not all systems have these.
    with contextlib.suppress(NotImplementedError, AttributeError):
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, end, number)
    credentials = Credentials(
        profile.nick,
        profile.secret,
        profile.identity,
        profile.asked,
        moved=profile.moved,
        moved_at=profile.moved_at,
        invite=address.invite,
        token=settings.token,
        device=new_draft(),
    )
    session = Session(address, credentials, settings, unsent=unsent)
    try:
        await session.start()
        await run_screen(session, settings, greeting=profile.said)
    except asyncio.CancelledError:
        if not code:
            raise
    finally:
        await session.close()
    return code
