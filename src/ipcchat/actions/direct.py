"""Direct messages: what is said to one person alone.

The rules of this file:

- What is meant for one person goes to nobody else: where it can't be sent, it is the user's again.
- Who writes from another room stays there, and reads there whether it was sent. The line itself is
  in the direct room, as is one that fails later, with all that can be done about it.
"""

import asyncio
from itertools import islice

from ipcchat.actions.face import Action, Face
from ipcchat.actions.presence import somebody, unknown
from ipcchat.client.model import Pending, RoomView
from ipcchat.commands import Invocation
from ipcchat.entries import Entry
from ipcchat.errors import IpcchatError, Refused, UsageError

__all__ = ["DIRECT", "peer", "reach"]

_SHOWN = 300
"""Characters of what was sent that are shown elsewhere."""
_LOOK = 0.1
"""Seconds between two looks whether what could not be sent at once was."""
_RECENT = 1000
"""Last lines of a room among which the last direct message is looked for."""


def peer(room: RoomView) -> str:
    """The nick of the other one of a direct room."""
    return room.name.removeprefix("@")


async def reach(face: Face, nick: str, instead: str) -> RoomView:
    """The direct room with somebody, made at first use. Without a connection, one that is known.

    Raises UsageError, Refused, ConnectionLost.
    """
    nick = somebody(face, nick, instead)
    if face.model.state != "online":
        room = face.model.room_by_name(f"@{nick}")
        if room is not None:
            return room
    try:
        return face.model.rooms[await face.session.direct(nick)]
    except Refused as error:
        raise unknown(face.model, nick) if error.code == "no_account" else error from None
    except KeyError:  # left on another device in this moment
        raise Refused("no_room", "that room was left meanwhile", hint="try again") from None


async def _say(face: Face, room: RoomView, text: str) -> None:
    """Says something in a direct room; elsewhere a line tells what came of it."""
    pending = face.session.submit(room.number, text)
    if room.number == face.model.current:
        return
    short = " ".join(pending.text.split())
    short = short if len(short) <= _SHOWN else f"{short[:_SHOWN]}…"
    await face.session.settled()
    if _waits(room, pending):
        face.show(f"to {peer(room)}, waiting to be sent: {short}")
        while _waits(room, pending):  # noqa: ASYNC110 - it may take minutes, and has no event
            await asyncio.sleep(_LOOK)
    if pending.state == "failed":
        # Not raised: the line is there already, and is not given back besides.
        hint = f"/query {peer(room)}, then /retry or /discard"
        face.show_error(IpcchatError(f"not sent to {peer(room)}: {pending.reason}", hint))
    elif pending.state == "sent":
        face.show(f"to {peer(room)}: {short}")


def _waits(room: RoomView, pending: Pending) -> bool:
    return pending.state == "sending" and pending in room.pending


# --- commands -----------------------------------------------------------------------------


async def _msg(face: Face, call: Invocation) -> None:
    nick, text = call.arguments
    room = await reach(face, nick, "/msg NICK text is for somebody else")
    await _say(face, room, text)


async def _query(face: Face, call: Invocation) -> None:
    room = await reach(face, call.arguments[0], "/query NICK is for somebody else")
    face.go_to(room.number)


async def _reply(face: Face, call: Invocation) -> None:
    rooms = [room for room in face.model.rooms.values() if room.access == "direct"]
    last = max(((_last(face, room), room.number) for room in rooms), default=(0, 0))
    if not last[0]:
        raise UsageError("no direct message has come yet", "/msg NICK text")
    await _say(face, face.model.rooms[last[1]], call.arguments[0])


def _last(face: Face, room: RoomView) -> int:
    """When the other one spoke last, in milliseconds; 0: not among what is loaded."""
    for line in islice(reversed(room.lines), _RECENT):
        if isinstance(line, Entry) and line.kind == "message" and line.by != face.model.account:
            return 0 if face.model.ignores(line) else line.time
    return 0


DIRECT: dict[str, Action] = {"msg": _msg, "query": _query, "reply": _reply}
