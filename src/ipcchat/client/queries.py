"""Questions, of several pages or with an answer that is shown, put to whatever asks them. What
comes back is clean."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

from msgspec import Struct

from ipcchat import names, text
from ipcchat.client import intake
from ipcchat.entries import Entry
from ipcchat.errors import Refused
from ipcchat.wire.messages import (
    Direct,
    Done,
    History,
    HistoryOk,
    Join,
    Member,
    Members,
    MembersOk,
    Room,
    Rooms,
    RoomsOk,
    Search,
    SearchOk,
    Status,
    Whois,
    WhoisOk,
)

__all__ = [
    "Ask",
    "Numbers",
    "entries",
    "every_entry",
    "every_member",
    "every_room",
    "find_number",
    "find_room",
    "history",
    "join",
    "new_draft",
    "nick_of",
    "role",
    "room_name",
    "search",
    "whois",
]

Ask: TypeAlias = Callable[[Struct], Awaitable[Any]]
"""Sends a request and returns its `ok`; raises Refused, ConnectionLost."""

_PAGE = 1000
_PAGES = 10_000
"""A list of more pages is no list."""


def new_draft() -> str:
    """A fresh draft id: 128 random bits in hexadecimal."""
    return secrets.token_hex(16)


async def every_room(ask: Ask) -> list[Room]:
    """Every room one may see."""
    rooms: list[Room] = []
    after = 0
    for _ in range(_PAGES):
        page: RoomsOk = await ask(Rooms(0, next=after))
        rooms += map(intake.clean_room, page.items)
        if page.next <= after:
            break
        after = page.next
    return rooms


async def find_room(ask: Ask, name: str) -> Room:
    """The room of that name. Raises Refused (`no_room`)."""
    page: RoomsOk = await ask(Rooms(0, name=name))
    if not page.items:
        raise Refused("no_room", f"there is no room {intake.clean_name(name)}")
    return intake.clean_room(page.items[0])


async def find_number(ask: Ask, room: int) -> Room:
    """The room of that number. Raises Refused (`no_room`)."""
    page: RoomsOk = await ask(Rooms(0, room=room))
    found = next((item for item in page.items if item.room == room), None)
    if found is None:
        raise Refused("no_room")
    return intake.clean_room(found)


async def join(ask: Ask, name: str, *, private: bool = False) -> Room:
    """Becomes a member of a room, which is made when there is none of that name; `@nick` is the
    direct room with somebody. The drafts of what is asked are the same for as long as it takes.

    Raises TextError, Refused (`room_taken`, `no_account`), ConnectionLost.
    """
    name = room_name(name)
    if name.startswith("@"):
        done: Done = await ask(Direct(0, new_draft(), name[1:]))
        item = await find_number(ask, done.room)
    else:
        done = await ask(Join(0, new_draft(), name=name, private=private))
        try:
            item = await find_room(ask, name)
        except Refused:
            item = Room(done.room, name, access="private" if private else "public")
    item.joined = True
    return item


class Numbers:
    """Which room a name stands for, asked once. `@nick` is the direct room with who has it now."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._found: dict[str, int] = {}
        self._nicks: dict[int, str] = {}
        """The other accounts of direct rooms: by which key each is in `_found`."""

    async def of(self, name: str) -> int:
        """The number of a room. Raises TextError, Refused (`no_room`, `no_account`),
        ConnectionLost."""
        shown = room_name(name)
        direct = shown.startswith("@")
        key = "@" * direct + names.key(shown.removeprefix("@"))
        if key in self._found:
            return self._found[key]
        item = await (join(self._ask, name) if direct else find_room(self._ask, shown))
        if direct:
            self._nicks[item.peer] = key
        self._found[key] = item.room
        return item.room

    def met(self, account: int, nick: str) -> None:
        """An account has that nick: the one before is somebody else's, or nobody's."""
        key = self._nicks.get(account)
        if key is not None and key != "@" + names.key(nick):
            del self._nicks[account]
            self._found.pop(key, None)

    def forget_nicks(self) -> None:
        """Nicks may have changed unseen."""
        for key in self._nicks.values():
            self._found.pop(key, None)
        self._nicks.clear()

    def clear(self) -> None:
        """Numbers mean other rooms now."""
        self._found.clear()
        self._nicks.clear()


async def every_member(ask: Ask, room: int) -> list[Member]:
    """Every member of a room."""
    members: list[Member] = []
    after = 0
    for _ in range(_PAGES):
        page: MembersOk = await ask(Members(0, room, next=after))
        members += map(intake.clean_member, page.items)
        if page.next <= after:
            break
        after = page.next
    return members


async def history(
    ask: Ask, room: int, *, after: int | None = None, before: int | None = None, limit: int = 100
) -> HistoryOk:
    """One page of a room's past, ascending: the first entries after a seq, or the last before one
    (without either, the last there are)."""
    page: HistoryOk = await ask(History(0, room, before=before, after=after, limit=limit))
    page.entries = [intake.clean_entry(entry) for entry in page.entries]
    return page


async def entries(
    ask: Ask, room: int, *, after: int | None = None, before: int | None = None, limit: int = 100
) -> list[Entry]:
    """The same as `history`, of as many pages as it takes."""
    found: list[Entry] = []
    while len(found) < limit:
        size = min(limit - len(found), _PAGE)
        page = await history(ask, room, after=after, before=before, limit=size)
        if after is not None:
            found += page.entries
        else:
            found[:0] = page.entries
        if not page.entries or not page.more:
            break
        if after is not None:
            after = page.entries[-1].seq
        else:
            before = page.entries[0].seq
    return found


async def every_entry(ask: Ask, room: int, after: int = 0) -> AsyncIterator[Entry]:
    """A room's entries after a seq, up to the head of this moment, in order."""
    head: int | None = None
    while head is None or after < head:
        page = await history(ask, room, after=after, limit=_PAGE)
        head = page.head if head is None else head
        fresh = [entry for entry in page.entries if after < entry.seq <= head]
        for entry in fresh:
            yield entry
        if not fresh:
            return
        after = fresh[-1].seq


async def search(
    ask: Ask,
    words: str,
    *,
    room: int = 0,
    nick: str = "",
    after: int = 0,
    before: int = 0,
    limit: int = 50,
    next: str = "",
) -> SearchOk:
    """One page of the messages that have all these words, the newest first; see `wire.Search`.
    Raises TextError, Refused (`bad_query`)."""
    who = nick_of(nick) if nick else ""
    request = Search(0, words, room, who, after, before, limit, next)
    page: SearchOk = await ask(request)
    return intake.clean_search(page)


def room_name(name: str) -> str:
    """A room's name as it is shown: `#lab`, with its `#` or without, or `@nick` for a direct one.
    Raises TextError."""
    return "@" + nick_of(name) if name.startswith("@") else text.check_room(name)


def nick_of(name: str) -> str:
    """A nick, which may begin with `@`. Raises TextError."""
    return text.check_nick(name.removeprefix("@"))


async def whois(ask: Ask, nick: str) -> WhoisOk:
    """Who has a nick, which may begin with `@`. Raises TextError, Refused (`no_account`)."""
    ok: WhoisOk = await ask(Whois(0, nick_of(nick)))
    return intake.clean_whois(ok)


async def role(ask: Ask) -> str:
    """What one is at present, `member` or `operator`: by what operators alone may ask."""
    try:
        await ask(Status(0))
    except Refused as error:
        if error.code != "forbidden":
            raise
        return "member"
    return "operator"
