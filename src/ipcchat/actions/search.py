"""Search at the server: what was said anywhere that one may read.

The face shows what is found (`Face.show_found`), and asks for further pages itself. What people
said whom the user ignores is not shown, but counted.
"""

import re
from collections.abc import Iterable

from ipcchat.actions.face import Action, Face, Numbered
from ipcchat.actions.presence import unknown
from ipcchat.actions.query import Query, parse_query
from ipcchat.client import intake, queries
from ipcchat.client.session import Session
from ipcchat.clock import now
from ipcchat.commands import Invocation
from ipcchat.entries import Entry
from ipcchat.errors import Refused, UsageError
from ipcchat.wire.messages import Rooms, RoomsOk, SearchOk

__all__ = ["SEARCH", "remarks", "room_names"]

_AROUND = 10
"""Entries before a result, and after it, that are shown."""
_NUMBER = re.compile("[1-9][0-9]{0,5}")


class _Pages:
    """One search: `more` gives its next page, the newest messages first."""

    def __init__(self, session: Session, query: Query, room: int) -> None:
        self._session = session
        self._query = query
        self._room = room
        self._next = ""

    async def more(self) -> SearchOk:
        """Raises Refused, ConnectionLost; then the same page may be asked for again."""
        query = self._query
        found = await self._session.search(
            query.words,
            room=self._room,
            nick=query.nick,
            after=query.after,
            before=query.before,
            next=self._next,
        )
        self._next = found.next
        return found


async def _search(face: Face, call: Invocation) -> None:
    if "--show" in call.options:
        await _show(face, call)
        return
    if not call.arguments:
        await face.show_more()
        return
    typed = " ".join(call.arguments[0].split())
    query = parse_query(call.arguments[0], now())
    pages = _Pages(face.session, query, await _number(face, query.room))
    try:
        found = await pages.more()
        hidden = _is_hidden(face, found)
        while found.next and _is_hidden(face, found):
            found = await pages.more()  # to the first page of which something is shown
    except Refused as error:
        if error.code == "no_account":
            raise unknown(face.model, query.nick) from None
        if error.code == "bad_query":
            raise Refused(error.code, error.text, hint=error.hint or "/help search") from None
        raise
    if hidden and all(map(face.model.ignores, found.items)):
        said = "all that was found is hidden: you ignore who said it – /ignore lists whom"
        face.show(". ".join([said, *remarks(found)]), "help")
        return
    face.show_found(typed, found, pages.more)


def _is_hidden(face: Face, found: SearchOk) -> bool:
    """Whether something was found, but nothing that is shown."""
    return bool(found.items) and all(map(face.model.ignores, found.items))


async def _show(face: Face, call: Invocation) -> None:
    """What was said around a result."""
    if not isinstance(face, Numbered):
        raise UsageError("--show is for --plain", "/search shows the list: Enter goes there")
    asked = call.arguments[0].strip() if call.arguments else ""
    if not _NUMBER.fullmatch(asked):
        raise UsageError("/search --show needs the number of a result", "/search --show 3")
    number = int(asked)
    result = face.result(number)
    names = await room_names(face, [result])
    page = await face.session.history(
        result.room, after=max(0, result.seq - _AROUND - 1), limit=2 * _AROUND + 1
    )
    face.show_around(number, names.get(result.room, "a room"), page.entries)


async def _number(face: Face, name: str) -> int:
    """The number of the room of that name, whether one is in it or not; 0: none was named."""
    if not name:
        return 0
    room = face.model.room_by_name(name)
    if room is not None:
        return room.number
    try:
        return (await queries.find_room(face.session.ask, name)).room
    except Refused as error:
        if error.code not in ("no_room", "no_account"):
            raise
        what = f"nothing was said between you and {name[1:]}" if name[0] == "@" else error.text
        raise Refused("no_room", what, hint="/list and /rooms list what there is") from None


async def room_names(face: Face, found: Iterable[Entry]) -> dict[int, str]:
    """The names of the rooms where that was said, by number; those of rooms one is not in are
    asked for, and left out where they can't be had any more. Raises ConnectionLost."""
    rooms = {number: face.model.rooms.get(number) for number in {entry.room for entry in found}}
    names = {number: room.name for number, room in rooms.items() if room is not None}
    for number in sorted(rooms.keys() - names.keys()):
        try:
            page: RoomsOk = await face.session.ask(Rooms(0, room=number))
        except Refused:
            continue
        names |= {item.room: intake.clean_room(item).name for item in page.items}
    return names


def remarks(found: SearchOk, hidden: int = 0) -> list[str]:
    """What else is to be said of a page, in words. `hidden`: so many of its messages are not shown,
    since the user ignores who said them."""
    said = []
    if hidden:
        are = "message is" if hidden == 1 else "messages are"
        said.append(f"{hidden:,} {are} hidden: you ignore who said that")
    if found.cut:
        which = "the newest of them: " if found.items else ""
        said.append(f"{which}looking at everything took too long")
    if found.lag:
        are = "message is" if found.lag == 1 else "messages are"
        said.append(f"{found.lag:,} {are} not searchable yet")
    return said


SEARCH: dict[str, Action] = {"search": _search}
