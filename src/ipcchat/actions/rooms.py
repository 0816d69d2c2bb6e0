"""Rooms, and what one says there by a command."""

from ipcchat.actions.face import Action, Face, current_room, named_room
from ipcchat.actions.question import Question
from ipcchat.client.model import Pending, RoomView
from ipcchat.commands import Invocation
from ipcchat.errors import UsageError

__all__ = ["ROOMS"]


async def _join(face: Face, call: Invocation) -> None:
    known = face.model.room_by_name(call.arguments[0])
    room = known or await face.session.join(call.arguments[0])
    face.go_to(room.number)


async def _part(face: Face, call: Invocation) -> None:
    room = named_room(face, call.arguments)
    count = sum(item.state != "sent" for item in room.pending)
    if not count:
        await face.session.part(room.number)
        return
    lines = f"{count} line{'s' * (count != 1)} not sent in {room.name}"

    def leave() -> None:
        face.spawn(face.session.part(room.number))

    face.ask(Question(f"{lines}: leave all the same?  y yes · n no", {"y": leave}))


async def _list(face: Face, call: Invocation) -> None:
    rooms = await face.session.list_rooms()
    if call.arguments:
        wanted = call.arguments[0].lower().strip("*")
        rooms = [room for room in rooms if wanted in room.name.lower()]
    if not rooms:
        face.show("no such room", "help")
        return
    wide = max(len(room.name) for room in rooms)
    lines = [
        f"{room.name:{wide}}  {room.members:4} member{'s' * (room.members != 1)}  {room.topic}"
        for room in rooms
    ]
    face.show("\n".join(line.rstrip() for line in lines), "help")


async def _names(face: Face, call: Invocation) -> None:
    wanted = call.arguments[0] if call.arguments else current_room(face).name
    name, members = await face.session.list_members(wanted)
    here = sorted(member.nick for member in members if member.status == "online")
    away = sorted(f"{item.nick} ({item.status})" for item in members if item.status != "online")
    face.show(f"{name}: {', '.join([*here, *away]) or 'nobody'}", "help")


async def _rooms(face: Face, call: Invocation) -> None:
    rooms = list(face.model.rooms.values())
    if not rooms:
        face.show("you are in no room: /join #room", "help")
        return
    wide = max(len(room.name) for room in rooms)
    lines = [
        f"{number:2}  {room.name:{wide}}  {_news(room):24}  {room.topic}"
        for number, room in enumerate(rooms, 1)
    ]
    face.show("\n".join(line.rstrip() for line in lines), "help")


def _news(room: RoomView) -> str:
    """What of a room has not been seen."""
    if not room.unread:
        return ""
    mentions = f", {room.mentions} mention{'s' * (room.mentions != 1)}" if room.mentions else ""
    return f"{room.unread} unread{mentions}"


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
    "list": _list,
    "names": _names,
    "rooms": _rooms,
    "topic": _topic,
    "nick": _nick,
    "me": _me,
    "retry": _retry,
    "discard": _discard,
}
