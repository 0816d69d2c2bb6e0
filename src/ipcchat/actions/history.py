"""What was said: fetched, found, kept in a file, taken off the screen."""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

from ipcchat import transcript
from ipcchat.actions.face import Action, Face, current_room
from ipcchat.client.model import Line, RoomView
from ipcchat.clock import local, now
from ipcchat.commands import Invocation, seconds
from ipcchat.entries import Entry, now_ms
from ipcchat.errors import ConnectionLost
from ipcchat.text import fold

__all__ = ["HISTORY"]

_CHUNK = 2000
"""Entries that are written to a file at a time."""
_PAGE = 1000
"""Entries that are asked for at a time, at most: no answer has more."""
_FOUND = 50
"""Lines that are shown of those found."""
_LOOK = 0.05
"""Seconds between two looks whether a page that the screen asked for has come."""


async def _save(face: Face, call: Invocation) -> None:
    room = current_room(face)
    if call.arguments:
        path = await asyncio.to_thread(Path(call.arguments[0]).expanduser)
    else:
        path = await asyncio.to_thread(transcript.default_name, room.name, now().date(), Path.cwd())
    force = "--force" in call.options
    file = await asyncio.to_thread(transcript.Transcript, path, room.name, force=force)
    try:
        if "--loaded" in call.options:
            loaded = room.lines.copy()
            said = (line for line in loaded if isinstance(line, Entry))
            await asyncio.to_thread(file.extend, said)
        else:
            await _write_all(face, room, file)
        await asyncio.to_thread(file.commit)
    finally:
        await asyncio.to_thread(file.abort)
    face.show(file.summary(), "help")


async def _write_all(face: Face, room: RoomView, file: transcript.Transcript) -> None:
    chunk: list[Entry] = []
    async for entry in face.session.all_entries(room.number):
        chunk.append(entry)
        if len(chunk) >= _CHUNK:
            await asyncio.to_thread(file.extend, chunk)
            chunk = []
    await asyncio.to_thread(file.extend, chunk)


async def _clear(face: Face, call: Invocation) -> None:
    face.clear(current_room(face))


# --- older history ------------------------------------------------------------------------


async def _history(face: Face, call: Invocation) -> None:
    room = current_room(face)
    amount = call.arguments[0] if call.arguments else str(face.settings.page)
    span = seconds(amount)
    since = now_ms() - 1000 * span
    wanted, got = 0 if span else int(amount), 0
    while not room.complete and (_later(room, since) if span else got < wanted):
        got += await _fetch(face, room, min(wanted - got, _PAGE) if wanted else 0)
    first = await _since(room, since) if span else 0
    if not room.lines or (span and first < 0):
        face.show(f"nothing was said in {room.name}{f' for {amount}' if span else ''}", "help")
        return
    if room.complete and ((span and not first) or got < wanted):
        face.show(f"{room.name} is loaded from its beginning on", "help")
    face.recall(room, first)


async def _since(room: RoomView, since: int) -> int:
    """The index of the first line that is not older than that; -1 where there is none."""
    lines, before = room.lines.copy(), room.first_key
    found = await asyncio.to_thread(
        lambda: next((at for at, line in enumerate(lines) if line.time >= since), -1)
    )
    # Meanwhile lines may have come before it, or gone.
    return max(0, found + before - room.first_key) if found >= 0 else -1


def _later(room: RoomView, since: int) -> bool:
    """Whether all entries that are loaded are later than that (milliseconds since 1970 UTC)."""
    oldest = next((line for line in room.lines if isinstance(line, Entry)), None)
    return oldest is None or oldest.time >= since


async def _fetch(face: Face, room: RoomView, limit: int) -> int:
    """One page; how many entries that were. Raises Refused, ConnectionLost."""
    try:
        async with asyncio.timeout(face.settings.connect_timeout):
            while room.loading:  # noqa: ASYNC110 - a page on the screen's behalf: it has no event
                await asyncio.sleep(_LOOK)
    except TimeoutError:
        raise ConnectionLost("not connected", "try again in a while") from None
    if face.model.rooms.get(room.number) is not room:
        raise ConnectionLost(f"you left {room.name} meanwhile")
    got = await face.session.fetch_older(room.number, limit)
    if not got and not room.complete and not room.loading:
        raise ConnectionLost(f"the history of {room.name} can't be had now", "try again in a while")
    return got


async def _find(face: Face, call: Invocation) -> None:
    room = current_room(face)
    words = fold(call.arguments[0]).split()
    found = await asyncio.to_thread(_having, room.lines.copy(), words, face.model.ignores)
    more = "" if room.complete else " – /history loads more"
    if not found:
        face.show(f"no line of {room.name} that is loaded has that{more}", "help")
        return
    shown = [_told(line, face.settings.time_format) for line in found[-_FOUND:]]
    count = f"{len(found):,} line{'s' * (len(found) != 1)}"
    last = f", the last {_FOUND}" if len(found) > _FOUND else ""
    face.show("\n".join([*shown, f"{count}{last}{more}"]), "help")


def _having(
    lines: Iterable[Line], words: list[str], ignored: Callable[[Entry], bool]
) -> list[Entry]:
    """The messages that have all the words, whatever their case."""
    found = []
    for line in lines:
        if isinstance(line, Entry) and line.kind == "message":
            said = fold(f"{line.nick} {line.text}")
            if all(word in said for word in words) and not ignored(line):
                found.append(line)
    return found


def _told(entry: Entry, time_format: str) -> str:
    at = local(entry.time)
    day = "" if at.date() == now().date() else f"{at.day} {at:%b %Y} "
    nick = f"* {entry.nick}" if entry.style == "me" else f"{entry.nick}:"
    return f"{day}{at.strftime(time_format)}  {nick} {' '.join(entry.text.split())}"


HISTORY: dict[str, Action] = {
    "save": _save,
    "clear": _clear,
    "history": _history,
    "find": _find,
}
