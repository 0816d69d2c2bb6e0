"""What operators' commands do to people: roles, removals, bans, nicks, invites.

The server decides who may; what it refuses is said here in words that help.
"""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from ipcchat.actions import operations
from ipcchat.actions.face import Action, Face, current_room
from ipcchat.clock import local
from ipcchat.commands import Invocation, seconds
from ipcchat.errors import Refused, UsageError

__all__ = ["PEOPLE"]

_WEEK = 7 * 86_400
_SHORT = 8
"""Digits of an invite's hash that are shown."""
_SPARED = {
    "ban": "operators can't be banned: /deop NICK first",
    "deop": "the server's own operator stays one",
    "op": "the server's own operator is one",
    "release": "an operator's nick can't be freed: /deop NICK first",
}
"""Why an operator's order may be refused."""

Order: TypeAlias = Callable[[Face, Invocation], Awaitable[None]]


def _order(deed: Order) -> Action:
    """The action of an order: `forbidden` may mean that one is no operator any more."""

    async def action(face: Face, call: Invocation) -> None:
        try:
            await deed(face, call)
        except Refused as error:
            if error.code != "forbidden":
                raise
            name = call.command.name
            if await operations.learn_role(face.session) != "operator":
                raise UsageError(f"/{name} is for operators") from None
            raise Refused(error.code, error.text, hint=_SPARED.get(name, "")) from None

    return action


def _argument(call: Invocation, place: int) -> str:
    return call.arguments[place] if len(call.arguments) > place else ""


def _until(time: int) -> str:
    """A time in milliseconds, for people; 0: never."""
    if not time:
        return "for ever"
    at = local(time)
    return f"until {at:%a} {at.day} {at:%b %Y %H:%M}"


# --- people -------------------------------------------------------------------------------


async def _op(face: Face, call: Invocation) -> None:
    await operations.set_role(face.session, call.arguments[0], "operator")
    face.show(f"{call.arguments[0]} is an operator now")


async def _deop(face: Face, call: Invocation) -> None:
    await operations.set_role(face.session, call.arguments[0], "member")
    face.show(f"{call.arguments[0]} is a member now")


async def _kick(face: Face, call: Invocation) -> None:
    room = current_room(face)
    await operations.kick(face.session, room.number, call.arguments[0], _argument(call, 1))


async def _ban(face: Face, call: Invocation) -> None:
    nick, time = call.arguments[0], _argument(call, 1)
    await operations.ban(face.session, nick, seconds(time), _argument(call, 2))
    face.show(f"{nick} is banned {f'for {time}' if time else 'for ever'} – /unban {nick} ends it")


async def _unban(face: Face, call: Invocation) -> None:
    await operations.unban(face.session, call.arguments[0])
    face.show(f"{call.arguments[0]} is not banned")


async def _bans(face: Face, call: Invocation) -> None:
    found = await operations.bans(face.session)
    lines = [f"{item.nick}  {_until(item.until)}" for item in found]
    face.show("\n".join(lines) or "nobody is banned", "help")


async def _release(face: Face, call: Invocation) -> None:
    await operations.release(face.session, call.arguments[0])
    face.show(f"the nick {call.arguments[0]} is free")


async def _admit(face: Face, call: Invocation) -> None:
    try:
        await operations.admit(face.session, call.arguments[0])
    except Refused as error:
        if error.code != "no_account":
            raise
        raise Refused(
            error.code,
            f"nobody asks to join as {call.arguments[0]}",
            hint="who tries to join is told here",
        ) from None
    face.show(f"{call.arguments[0]} may join now, within 24 hours")


# --- invites ------------------------------------------------------------------------------


async def _link(face: Face, call: Invocation) -> None:
    uses, time = int(_argument(call, 0) or 1), _argument(call, 1)
    known = face.desk.links if face.desk is not None else ()
    links = await operations.invite(face.session, uses, seconds(time) or _WEEK, known)
    people = "1 person" if uses == 1 else f"{uses:,} people"
    which = "this join link" if len(links) == 1 else "any of these join links"
    face.show(f"for {people}, for {time or '7d'}: {which}, in quotes on a command line", "help")
    for one in links:
        face.show(one, "bare")


async def _links(face: Face, call: Invocation) -> None:
    found = await operations.invites(face.session)
    lines = [
        f"{item.hash[:_SHORT]}  for {item.uses:,} more  {_until(item.expires)}  by {item.by}"
        for item in found
    ]
    face.show("\n".join(lines) or "there are no invites", "help")


async def _revoke(face: Face, call: Invocation) -> None:
    ended = await operations.revoke(face.session, call.arguments[0])
    face.show(f"the invite {ended.hash[:_SHORT]} is worth nothing now")


PEOPLE: dict[str, Action] = {
    "op": _order(_op),
    "deop": _order(_deop),
    "kick": _order(_kick),
    "ban": _order(_ban),
    "unban": _order(_unban),
    "bans": _order(_bans),
    "release": _order(_release),
    "admit": _order(_admit),
    "link": _order(_link),
    "links": _order(_links),
    "revoke": _order(_revoke),
}
