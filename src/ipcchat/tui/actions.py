"""What the commands do. A row for each command of `ipcchat.commands`; a test checks that.

An action raises IpcchatError for what can't be done; the screen shows it as one line.
"""

import asyncio
from pathlib import Path

from ipcchat import commands, transcript
from ipcchat.client.model import RoomView
from ipcchat.commands import Invocation
from ipcchat.entries import Entry
from ipcchat.errors import IpcchatError, Refused, UsageError
from ipcchat.tui.clock import now
from ipcchat.tui.keys import KEYS
from ipcchat.tui.orders import ORDERS
from ipcchat.tui.question import Question
from ipcchat.tui.screen import Action, ChatScreen

__all__ = ["ACTIONS"]

_CHUNK = 2000
"""Entries that are written to a file at a time."""


def _room(screen: ChatScreen) -> RoomView:
    room = screen.model.rooms.get(screen.model.current)
    if room is None:
        raise Refused("no_room", "you are in no room", hint="/join #room")
    return room


def _named(screen: ChatScreen, arguments: tuple[str, ...]) -> RoomView:
    """The room that is named, else the current one."""
    if not arguments:
        return _room(screen)
    room = screen.model.room_by_name(arguments[0])
    if room is None:
        raise UsageError(f"you are not in {arguments[0]}", f"/join {arguments[0]}")
    return room


async def _help(screen: ChatScreen, call: Invocation) -> None:
    if call.arguments:
        row = commands.find(call.arguments[0], screen.role)
        also = f" (also {', '.join('/' + alias for alias in row.aliases)})" if row.aliases else ""
        screen.show(f"{row.usage} – {row.help}{also}", "help")
        return
    rows = [row for row in commands.COMMANDS if row.role in ("member", screen.role)]
    lines = [f"{row.usage} – {row.help}" for row in rows]
    lines += ["//text says a line that begins with a slash · /keys lists the keys"]
    screen.show("\n".join(lines), "help")


async def _keys(screen: ChatScreen, call: Invocation) -> None:
    screen.show("\n".join(f"{row.shown} – {row.help}" for row in KEYS), "help")


async def _join(screen: ChatScreen, call: Invocation) -> None:
    known = screen.model.room_by_name(call.arguments[0])
    room = known or await screen.session.join(call.arguments[0])
    screen.go_to(room.number)


async def _part(screen: ChatScreen, call: Invocation) -> None:
    room = _named(screen, call.arguments)
    count = sum(item.state != "sent" for item in room.pending)
    if not count:
        await screen.session.part(room.number)
        return
    lines = f"{count} line{'s' * (count != 1)} not sent in {room.name}"

    def leave() -> None:
        screen.spawn(screen.session.part(room.number))

    screen.ask(Question(f"{lines}: leave all the same?  y yes · n no", {"y": leave}))


async def _list(screen: ChatScreen, call: Invocation) -> None:
    rooms = await screen.session.list_rooms()
    if call.arguments:
        wanted = call.arguments[0].lower().strip("*")
        rooms = [room for room in rooms if wanted in room.name.lower()]
    if not rooms:
        screen.show("no such room", "help")
        return
    wide = max(len(room.name) for room in rooms)
    lines = [
        f"{room.name:{wide}}  {room.members:4} member{'s' * (room.members != 1)}  {room.topic}"
        for room in rooms
    ]
    screen.show("\n".join(line.rstrip() for line in lines), "help")


async def _names(screen: ChatScreen, call: Invocation) -> None:
    wanted = call.arguments[0] if call.arguments else _room(screen).name
    name, members = await screen.session.list_members(wanted)
    here = sorted(member.nick for member in members if member.status == "online")
    away = sorted(f"{item.nick} ({item.status})" for item in members if item.status != "online")
    screen.show(f"{name}: {', '.join([*here, *away]) or 'nobody'}", "help")


async def _topic(screen: ChatScreen, call: Invocation) -> None:
    room = _room(screen)
    if call.arguments:
        await screen.session.set_topic(room.number, call.arguments[0])
    else:
        screen.show(f"{room.name}: {room.topic or 'no topic'}", "help")


async def _nick(screen: ChatScreen, call: Invocation) -> None:
    await screen.session.change_nick(call.arguments[0])


async def _me(screen: ChatScreen, call: Invocation) -> None:
    screen.session.submit(_room(screen).number, call.arguments[0], "me")


async def _save(screen: ChatScreen, call: Invocation) -> None:
    room = _room(screen)
    if call.arguments:
        path = await asyncio.to_thread(Path(call.arguments[0]).expanduser)
    else:
        path = await asyncio.to_thread(transcript.default_name, room.name, now().date(), Path.cwd())
    force = "--force" in call.options
    file = await asyncio.to_thread(transcript.Transcript, path, room.name, force=force)
    try:
        if "--loaded" in call.options:
            loaded = [line for line in room.lines if isinstance(line, Entry)]
            await asyncio.to_thread(file.extend, loaded)
        else:
            await _write_all(screen, room, file)
        await asyncio.to_thread(file.commit)
    finally:
        await asyncio.to_thread(file.abort)
    screen.show(file.summary(), "help")


async def _write_all(screen: ChatScreen, room: RoomView, file: transcript.Transcript) -> None:
    chunk: list[Entry] = []
    async for entry in screen.session.all_entries(room.number):
        chunk.append(entry)
        if len(chunk) >= _CHUNK:
            await asyncio.to_thread(file.extend, chunk)
            chunk = []
    await asyncio.to_thread(file.extend, chunk)


async def _clear(screen: ChatScreen, call: Invocation) -> None:
    screen.scrollback.clear(_room(screen))
    screen.show("the screen is clear; the history is not: PgUp brings it back", "help")


async def _reconnect(screen: ChatScreen, call: Invocation) -> None:
    screen.session.reconnect()


async def _quit(screen: ChatScreen, call: Invocation) -> None:
    count = len(screen.session.unsent)
    if not count:
        screen.leave()
        return
    lines = f"{count} line{'s' * (count != 1)} not sent"
    kept = ", kept for next time" if screen.session.keeps else ""
    screen.ask(Question(f"{lines}{kept}: quit all the same?  y yes · n no", {"y": screen.leave}))


async def _operate(screen: ChatScreen, call: Invocation) -> None:
    if screen.operator is None:
        raise IpcchatError("only at the server's own screen")
    await screen.operator.do(screen, call.command.name)


ACTIONS: dict[str, Action] = {
    "help": _help,
    "keys": _keys,
    "join": _join,
    "part": _part,
    "list": _list,
    "names": _names,
    "topic": _topic,
    "nick": _nick,
    "me": _me,
    "save": _save,
    "clear": _clear,
    "reconnect": _reconnect,
    "quit": _quit,
    **ORDERS,
    "reload": _operate,
    "shutdown": _operate,
}
