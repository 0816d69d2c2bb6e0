"""`ipcchat-server op`, `ban` and their kin: what an operator asks of people, as one table."""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from msgspec import Struct

from ipcchat.cli import control, run
from ipcchat.cli.invites import duration, moment
from ipcchat.client import intake, queries
from ipcchat.client.outbox import new_draft
from ipcchat.errors import Refused
from ipcchat.settings import ServerSettings
from ipcchat.text import check_room, clean_line
from ipcchat.wire import messages

__all__ = ["COMMANDS", "add"]

PROGRAM = "ipcchat-server"


@dataclass(frozen=True, slots=True)
class _Order:
    """A row: one subcommand."""

    help: str
    make: Callable[[argparse.Namespace, int], Struct]
    """The request; gets the arguments and the room's number (0: none was named)."""
    done: str
    """What is printed then; `{nick}` and `{room}` stand for the arguments."""
    words: tuple[str, ...] = ("nick",)
    """Arguments: `room`, `nick`, and the flags `reason` and `for` (how long)."""
    hints: Mapping[str, str] = field(default_factory=dict)
    """What helps against which refusal."""


def _role(role: str, options: argparse.Namespace, room: int) -> Struct:
    return messages.Role(0, new_draft(), options.nick, role)


def _kick(options: argparse.Namespace, room: int) -> Struct:
    return messages.Kick(0, new_draft(), room, options.nick, options.reason)


def _ban(options: argparse.Namespace, room: int) -> Struct:
    seconds = int(options.time or 0)
    return messages.Ban(0, new_draft(), options.nick, seconds, options.reason)


def _simple(cls: Callable[[int, str, str], Struct], options: argparse.Namespace, _: int) -> Struct:
    return cls(0, new_draft(), options.nick)


_FIRST_DEOP = {"forbidden": f"operators can't be: {PROGRAM} deop NICK first"}
_OWN = {"forbidden": "the server's own operator stays one"}
_ASKED = {"no_account": "only who was turned away since the server's start can be admitted"}

_ORDERS = {
    "op": _Order("make somebody an operator", partial(_role, "operator"), "{nick} is an operator"),
    "deop": _Order(
        "make an operator a member again",
        partial(_role, "member"),
        "{nick} is no operator",
        hints=_OWN,
    ),
    "kick": _Order(
        "remove somebody from a room",
        _kick,
        "{nick} is no member of {room} any more",
        ("room", "nick", "reason"),
    ),
    "ban": _Order(
        "keep somebody out, for a while or for ever",
        _ban,
        "{nick} is banned",
        ("nick", "reason", "for"),
        _FIRST_DEOP,
    ),
    "unban": _Order(
        "let somebody in again", partial(_simple, messages.Unban), "{nick} is not banned"
    ),
    "release": _Order(
        "free a nick whose owner lost the key",
        partial(_simple, messages.Release),
        "{nick} can be taken by somebody else",
        hints=_FIRST_DEOP,
    ),
    "admit": _Order(
        "let in who asked to join under this nick, within a day",
        partial(_simple, messages.Admit),
        "{nick} may join",
        hints=_ASKED,
    ),
}
_EXAMPLES = {
    "kick": "'#lobby' bob --reason 'too many jokes'",
    "ban": "bob --for 2h",
}
_BANS = "who is banned"


def add(commands: Any) -> None:
    """The subcommands' arguments."""
    for name, order in _ORDERS.items():
        made = _parser(commands, name, order.help, _EXAMPLES.get(name, "bob"))
        if "room" in order.words:
            made.add_argument("room", metavar="ROOM", help="with or without its #")
        made.add_argument("nick", metavar="NICK")
        if "reason" in order.words:
            made.add_argument("--reason", default="", metavar="TEXT", help="for everybody to read")
        if "for" in order.words:
            made.add_argument(
                "--for",
                dest="time",
                type=duration,
                metavar="TIME",
                help="such as 2h or 30d (default: for ever)",
            )
        run.add_data(made)
    run.add_data(_parser(commands, "bans", f"show {_BANS}", ""))


def _parser(commands: Any, name: str, help: str, example: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = commands.add_parser(
        name,
        help=help,
        about=f"Asks the running server to {help}." if name in _ORDERS else f"Prints {_BANS}.",
        examples=f"  {PROGRAM} {name} {example}".rstrip() + "\n",
    )
    return made


def _do(name: str, settings: ServerSettings, options: argparse.Namespace) -> int:
    return run.run(_ask(_ORDERS[name], settings, options))


async def _ask(order: _Order, settings: ServerSettings, options: argparse.Namespace) -> int:
    room = check_room(options.room) if "room" in order.words else ""
    async with control.operator(settings) as chat:
        try:
            number = (await queries.find_room(chat.request, room)).room if room else 0
            await chat.request(order.make(options, number))
        except Refused as error:
            hint = order.hints.get(error.code, "")
            raise Refused(error.code, error.text, hint=hint) from None
    run.show(order.done.format(nick=clean_line(options.nick), room=room) + "\n")
    return 0


def _bans(settings: ServerSettings, options: argparse.Namespace) -> int:
    return run.run(_show_bans(settings))


async def _show_bans(settings: ServerSettings) -> int:
    place = 0
    async with control.operator(settings) as chat:
        while True:
            page: messages.BansOk = await chat.request(messages.Bans(0, place))
            for item in map(intake.clean_ban, page.items):
                until = f"until {moment(item.until)}" if item.until else "for ever"
                run.show(f"{item.nick}  {until}\n", flush=False)
            if page.next <= place:
                return 0
            place = page.next


COMMANDS: dict[str, Callable[[ServerSettings, argparse.Namespace], int]] = {
    **{name: partial(_do, name) for name in _ORDERS},
    "bans": _bans,
}
