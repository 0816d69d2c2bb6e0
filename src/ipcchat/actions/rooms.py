"""Rooms, and what one says there by a command."""

import asyncio
from contextlib import suppress

from ipcchat import names
from ipcchat.actions.direct import peer, reach
from ipcchat.actions.face import Action, Face, current_room, named_room
from ipcchat.actions.moments import day
from ipcchat.actions.presence import somebody, unknown
from ipcchat.actions.question import Question
from ipcchat.client import queries
from ipcchat.client.model import Member, Pending, RoomView
from ipcchat.client.outbox import new_draft
from ipcchat.commands import Invocation
from ipcchat.errors import Refused, UsageError
from ipcchat.text import fold
from ipcchat.wire.messages import Done, Room, RoomInvite, RoomUninvite

__all__ = ["ROOMS"]

_LOOK = 0.02
"""Seconds between two looks whether the lines of a room have come."""


async def _join(face: Face, call: Invocation) -> None:
    name, private = call.arguments[0], "--private" in call.options
    if name.startswith("@"):
        if private:
            raise UsageError(f"{name} is for you two alone as it is", f"/join {name}")
        face.go_to((await reach(face, name[1:], "/join @NICK is for somebody else")).number)
        return
    known = face.model.room_by_name(name)
    if known is not None:
        if private and known.access != "private":
            raise UsageError(f"{known.name} is there, and open to everybody", "take another name")
        face.go_to(known.number)
        return
    invited = any(names.key(one.name) == names.key(name) for one in face.model.invited.values())
    try:
        room = await face.session.join(name, private=private)
    except Refused as error:
        if error.code != "room_taken":
            raise
        raise Refused(error.code, error.text, hint="take another name") from None
    face.go_to(room.number)
    if room.messages:
        said = _count(room.messages, "message")
        face.spawn(_tell_past(face, room, f"{room.name}: {said} since {day(room.since)}"))
    elif invited:
        past = "what was said before you came is not shown to you"
        face.spawn(_tell_past(face, room, f"{room.name}: {past}"))


async def _tell_past(face: Face, room: RoomView, told: str) -> None:
    """A line about a room's past stands below what is loaded of it: it waits for that."""
    with suppress(TimeoutError):
        async with asyncio.timeout(face.settings.connect_timeout):
            while room.joined and not room.live:  # noqa: ASYNC110 - plain state: it has no event
                await asyncio.sleep(_LOOK)
    if room.joined:
        face.model.note(room.number, told, "help")
        face.session.on_change()


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


async def _part(face: Face, call: Invocation) -> None:
    for item in face.model.invited.values() if call.arguments else ():
        if names.key(item.name) == names.key("#" + call.arguments[0].removeprefix("#")):
            await face.session.part(item.room)
            face.show(f"you declined the invitation to {item.name}")
            return
    room = named_room(face, call.arguments)
    count = sum(item.state != "sent" for item in room.pending)
    lose = [f"{_count(count, 'line')} not sent in {room.name}"] if count else []
    if room.access == "private":
        lose.append(f"only an invitation leads back to {room.name}, and not to what was said")
    if not lose:
        await _leave(face, room)
        return
    words = f"{'; '.join(lose)}: leave all the same?  y yes · n no"
    face.ask(Question(words, {"y": lambda: face.spawn(_leave(face, room))}))


async def _leave(face: Face, room: RoomView) -> None:
    await face.session.part(room.number)
    if room.access == "direct":
        nick = peer(room)
        face.show(f"{room.name} is hidden until one of you says something – /query {nick} shows it")


# --- private rooms ------------------------------------------------------------------------


def _private(face: Face, nick: str) -> tuple[RoomView, str]:
    """The current room, which has to be a private one, and who is meant, somebody else. Raises
    UsageError, TextError, Refused."""
    room = current_room(face)
    if room.access == "direct":
        raise UsageError(f"{room.name} is for you two alone", "/join --private ROOM is for more")
    if room.access != "private":
        hint = f"anybody may /join {room.name}; /join --private ROOM is for those you invite"
        if face.role == "operator" and nick[:1].isdigit():  # its name for that was this one once
            hint = f"/link {nick} makes a join link"
        raise UsageError(f"{room.name} is open to everybody", hint)
    return room, queries.nick_of(somebody(face, nick, "/part leaves the room"))


async def _invite(face: Face, call: Invocation) -> None:
    room, nick = _private(face, call.arguments[0])
    done = await _let(face, RoomInvite(0, new_draft(), room.number, nick))
    if not done.seq:  # else the entry in the room tells
        there = any(names.key(member.nick) == names.key(nick) for member in room.members.values())
        face.show(f"{nick} is {'in' if there else 'invited to'} {room.name} already")


async def _uninvite(face: Face, call: Invocation) -> None:
    room, nick = _private(face, call.arguments[0])
    try:
        done = await _let(face, RoomUninvite(0, new_draft(), room.number, nick))
    except Refused as error:
        if error.code != "forbidden":
            raise
        hint = "who invited somebody takes that back; who made the room, or an operator, removes"
        raise Refused(error.code, error.text, hint=hint) from None
    if not done.seq:
        face.show(f"{nick} is neither in {room.name} nor invited")


async def _let(face: Face, request: RoomInvite | RoomUninvite) -> Done:
    """Asks, until there is an outcome; without a `seq` it was so already."""
    try:
        done: Done = await face.session.ask(request)
    except Refused as error:
        known = error.code != "no_account"
        raise error if known else unknown(face.model, request.nick) from None
    return done


# --- lists --------------------------------------------------------------------------------


async def _list(face: Face, call: Invocation) -> None:
    rooms = [room for room in await face.session.list_rooms() if room.access != "direct"]
    if call.arguments:
        wanted = fold(call.arguments[0].strip("*"))
        rooms = [room for room in rooms if wanted in fold(room.name)]
    if not rooms:
        face.show("no such room", "help")
        return
    wide = max(len(room.name) for room in rooms)
    members = max(len(_count(room.members, "member")) for room in rooms)
    said = max(len(_count(room.messages, "message")) for room in rooms)
    face.show("\n".join(_row(room, wide, members, said).rstrip() for room in rooms), "help")


def _row(room: Room, wide: int, members: int, said: int) -> str:
    """A room in a list with columns so wide."""
    if room.invited and not room.joined:
        return _invited(room, wide)
    people = f"{_count(room.members, 'member'):>{members}}"
    return (
        f"{room.name:{wide}}  {people}  {_count(room.messages, 'message'):>{said}}  {_about(room)}"
    )


def _invited(room: Room, wide: int) -> str:
    return f"{room.name:{wide}}  private · {room.invited} invited you: /join {room.name}"


async def _names(face: Face, call: Invocation) -> None:
    wanted = call.arguments[0] if call.arguments else current_room(face).name
    if wanted.startswith("@"):
        room = named_room(face, (wanted,))
        name, members = room.name, list(room.members.values())
    else:
        name, found = await face.session.list_members(wanted)
        members = [Member(item.account, item.nick, item.status) for item in found]
    here = sorted(member.nick for member in members if member.status == "online")
    away = sorted(f"{item.nick} ({item.status})" for item in members if item.status != "online")
    face.show(f"{name}: {', '.join([*here, *away]) or 'nobody'}", "help")


async def _rooms(face: Face, call: Invocation) -> None:
    rooms, invited = face.model.ordered(), list(face.model.invited.values())
    if not rooms and not invited:
        face.show("you are in no room: /join #room", "help")
        return
    wide = max(len(name) for name in [*(it.name for it in rooms), *(it.name for it in invited)])
    lines = [
        f"{number:2}  {room.name:{wide}}  {_news(room):24}  {_about(room)}"
        for number, room in enumerate(rooms, 1)
    ]
    lines += [f"    {_invited(room, wide)}" for room in invited]
    face.show("\n".join(line.rstrip() for line in lines), "help")


def _about(room: Room | RoomView) -> str:
    """What a room is, and for what."""
    return " · ".join(filter(None, ["private" * (room.access == "private"), room.topic]))


def _news(room: RoomView) -> str:
    """What of a room has not been seen."""
    if not room.unread:
        return ""
    named = room.mentions and room.access != "direct"  # there all is for the user
    if not named:
        return f"{room.unread:,} unread"
    mentions = f"{room.mentions:,}+ mentions" if room.more_mentions else ""
    return f"{room.unread:,} unread, {mentions or _count(room.mentions, 'mention')}"


async def _topic(face: Face, call: Invocation) -> None:
    room = current_room(face)
    if call.arguments:
        await face.session.set_topic(room.number, call.arguments[0])
    else:
        face.show(f"{room.name}: {room.topic or 'no topic'}", "help")


async def _nick(face: Face, call: Invocation) -> None:
    await face.session.change_nick(call.arguments[0])


async def _me(face: Face, call: Invocation) -> None:
    face.session.submit(current_room(face).number, call.arguments[0], "me")


async def _retry(face: Face, call: Invocation) -> None:
    face.session.retry(_failed(face))


async def _discard(face: Face, call: Invocation) -> None:
    face.session.discard(_failed(face))


def _failed(face: Face) -> Pending:
    room = current_room(face)
    if room.failed is None:
        waits = "what you said is on its way" if room.pending else "all you said was sent"
        raise UsageError(f"nothing in {room.name} failed: {waits}")
    return room.failed


ROOMS: dict[str, Action] = {
    "join": _join,
    "part": _part,
    "invite": _invite,
    "uninvite": _uninvite,
    "list": _list,
    "names": _names,
    "rooms": _rooms,
    "topic": _topic,
    "nick": _nick,
    "me": _me,
    "retry": _retry,
    "discard": _discard,
}
