"""`ipcchat-server invite` and `token`: who may come in, with a proof that is shown once."""

import argparse
import asyncio
import sys
from datetime import datetime
from typing import Any

from ipcchat.address import parse_address
from ipcchat.cli import control, joining, run
from ipcchat.client import intake
from ipcchat.client.chat import Chat
from ipcchat.client.outbox import new_draft
from ipcchat.errors import Refused, UsageError
from ipcchat.server.access import token_hash
from ipcchat.settings import Row, ServerSettings
from ipcchat.text import check_nick, check_room
from ipcchat.trust.certificate import shown
from ipcchat.wire import messages

__all__ = ["COMMANDS", "add", "duration", "moment"]

PROGRAM = "ipcchat-server"
_WEEK = 7 * 86_400.0
_TIME = Row("expires", _WEEK, "s", "", 1.0, 366 * 86_400.0, (), True)
_USES = Row("uses", 1, "accounts", "", 1, 10_000, (), True)
_EXAMPLES = {
    "invite": """\
  ipcchat-server invite                       for one person, within a week
  ipcchat-server invite --uses 30 --expires 2h
  ipcchat-server invite list
  ipcchat-server invite revoke 3f2a
""",
    "token": """\
  ipcchat-server token robot                  all rooms
  ipcchat-server token backup --rooms '#ops,#backup' > token
""",
}
_ABOUT = {
    "invite": (
        "let people at other machines join",
        "Prints a join link for each address of this machine; in a pipe the links alone, as words "
        "for a shell. Who has one may make an account. `list` shows the invites there are, "
        "`revoke` ends the one whose name begins so.",
    ),
    "token": (
        "let a script log in",
        "Prints a token, once, by which a script in any language logs in (docs/protocol.md, method "
        "`token`): as NAME, whose account is made where there is none.",
    ),
}


def duration(text: str) -> float:
    """An argument such as `90s`, `2h` or `7d`, in seconds; a year at most."""
    return float(_parsed(_TIME, text))


def moment(time: int) -> str:
    """Milliseconds since 1970 UTC, as people here write it."""
    return f"{datetime.fromtimestamp(time / 1000).astimezone():%Y-%m-%d %H:%M}"


def _parsed(row: Row, text: str) -> Any:
    try:
        return row.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None


def _number(text: str) -> int:
    return int(_parsed(_USES, text))


def _rooms(text: str) -> list[str]:
    return [check_room(word.strip()) for word in text.split(",") if word.strip()]


def add(commands: Any) -> None:
    """The subcommands' arguments."""
    for name, (help, about) in _ABOUT.items():
        made: argparse.ArgumentParser = commands.add_parser(
            name, help=help, about=about, examples=_EXAMPLES[name]
        )
        if name == "token":
            made.add_argument("nick", metavar="NAME")
            made.add_argument("--rooms", metavar="ROOMS", help="those alone (default: all)")
        else:
            made.add_argument("action", nargs="?", choices=tuple(_ACTIONS), help="(default: make)")
            made.add_argument("prefix", nargs="?", metavar="NAME", help="of the one to revoke")
            made.add_argument(
                "--uses", type=_number, metavar="N", help="accounts that it makes (default: 1)"
            )
            made.add_argument(
                "--expires", type=duration, metavar="TIME", help="such as 2h or 30d (default: 7d)"
            )
            made.add_argument(
                "--address",
                metavar="HOST:PORT",
                help="where others find this server (default: each address of this machine)",
            )
        run.add_data(made)


# --- invites ------------------------------------------------------------------------------


def _invite(settings: ServerSettings, options: argparse.Namespace) -> int:
    action = options.action or "make"
    made = [options.uses, options.expires, options.address]
    if action != "make" and any(value is not None for value in made):
        raise UsageError(f"{action} makes no invite", f"usage: {PROGRAM} invite {action}")
    if (action == "revoke") != (options.prefix is not None):
        what = "revoke needs a name" if action == "revoke" else f"{action} takes no name"
        raise UsageError(what, f"usage: {PROGRAM} invite revoke NAME; {PROGRAM} invite list")
    return run.run(_ACTIONS[action](settings, options))


async def _make(settings: ServerSettings, options: argparse.Namespace) -> int:
    uses = options.uses or 1
    seconds = int(options.expires or _WEEK)
    given = [parse_address(options.address)] if options.address else []
    token = joining.new_token()
    digest = token_hash(token)
    async with control.operator(settings) as chat:
        status = intake.clean_status(await chat.request(messages.Status(0)))
        places = given or await asyncio.to_thread(joining.reachable, status.listening)
        if not places:
            raise UsageError(
                f"no other machine reaches this server: it listens on "
                f"{', '.join(status.listening)}",
                "who is on this machine needs no invite; else name the address that others use: "
                "--address HOST:PORT",
            )
        links = joining.links(places, status.fingerprint, token)  # may refuse: before it is made
        await chat.request(messages.Invite(0, new_draft(), digest, uses, seconds))
    words = [joining.quoted(link) for link in links]
    if not _on_terminal():
        run.show("".join(f"{word}\n" for word in words))
        return 0
    lines = "".join(f"  ipcchat-client {word}\n" for word in words)
    if status.fingerprint:
        lines += f"\nfingerprint {shown(status.fingerprint)}"
    who = "one person" if uses == 1 else f"{uses} people"
    run.show(
        f"{who} may join until {_until(seconds)}, with{' one of' * (len(words) > 1)}:\n\n"
        f"{lines}\n"
        f"to end it: {PROGRAM} invite revoke {digest[: joining.SHORT]}\n"
    )
    return 0


def _until(seconds: int) -> str:
    return moment(int(datetime.now().astimezone().timestamp() + seconds) * 1000)


def _on_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()


async def _invites(chat: Chat) -> list[messages.InviteInfo]:
    """All there are, made safe to show."""
    found: list[messages.InviteInfo] = []
    place = ""
    while True:
        page: messages.InvitesOk = await chat.request(messages.Invites(0, place))
        found += map(intake.clean_invite, page.items)
        if page.next <= place:
            return found
        place = page.next


async def _show(settings: ServerSettings, options: argparse.Namespace) -> int:
    async with control.operator(settings) as chat:
        found = await _invites(chat)
    for item in sorted(found, key=lambda item: item.expires):
        run.show(
            f"{item.hash[: joining.SHORT]}  {item.uses:5} left  until {moment(item.expires)}  "
            f"by {item.by}\n",
            flush=False,
        )
    if not found and _on_terminal():
        run.say(PROGRAM, "there are no invites")
    return 0


async def _revoke(settings: ServerSettings, options: argparse.Namespace) -> int:
    prefix = options.prefix.lower()
    async with control.operator(settings) as chat:
        found = [item for item in await _invites(chat) if item.hash.startswith(prefix)]
        if len(found) != 1:
            what = f"{len(found)} invites have names that begin" if found else "no invite begins"
            raise UsageError(f"{what} with {prefix!r}", f"see {PROGRAM} invite list")
        await chat.request(messages.Revoke(0, new_draft(), found[0].hash))
    run.show(f"revoked {found[0].hash[: joining.SHORT]}: who joined by it stays\n")
    return 0


_ACTIONS = {"make": _make, "list": _show, "revoke": _revoke}


# --- tokens -------------------------------------------------------------------------------


def _token(settings: ServerSettings, options: argparse.Namespace) -> int:
    rooms = _rooms(options.rooms or "")
    if options.rooms is not None and not rooms:
        raise UsageError("--rooms names no room", "leave it out for all rooms")
    return run.run(_give_token(settings, check_nick(options.nick), rooms))


async def _give_token(settings: ServerSettings, nick: str, rooms: list[str]) -> int:
    token = joining.new_token()
    async with control.operator(settings) as chat:
        try:
            await chat.request(messages.Token(0, new_draft(), token_hash(token), nick, rooms))
        except Refused as error:
            hint = _REFUSED.get(error.code, "")
            raise Refused(error.code, error.text, hint=hint) from None
    if not _on_terminal():
        run.show(f"{token}\n")
        return 0
    where = f" in {', '.join(rooms)} alone" if rooms else ""
    run.show(
        f"{token}\n\n"
        f"This is shown once: whoever has it is {nick}. A script logs in with\n"
        f'  {{"type": "login", "method": "token", "token": "…"}}\n'
        f"and hears and speaks{where or ' everywhere'} (see docs/protocol.md).\n"
        f"to end it: {PROGRAM} ban {nick}\n"
    )
    return 0


_REFUSED = {
    "no_room": "the rooms of a token must be there: join them first",
    "nick_taken": "tokens are for accounts of scripts alone: choose another name",
}

COMMANDS = {"invite": _invite, "token": _token}
