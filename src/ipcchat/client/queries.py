"""Questions of several pages, put to whatever asks them. What comes back is clean."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

from msgspec import Struct

from ipcchat.client import intake
from ipcchat.entries import Entry
from ipcchat.errors import Refused
from ipcchat.wire.messages import (
    History,
    HistoryOk,
    Member,
    Members,
    MembersOk,
    Room,
    Rooms,
    RoomsOk,
    Status,
)

__all__ = ["Ask", "every_entry", "every_member", "every_room", "find_room", "history", "role"]

Ask: TypeAlias = Callable[[Struct], Awaitable[Any]]
"""Sends a request and returns its `ok`; raises Refused, ConnectionLost."""

_PAGE = 1000
_PAGES = 10_000
"""A list of more pages is no list."""


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


async def role(ask: Ask) -> str:
    """What one is at present, `member` or `operator`: by what operators alone may ask."""
    try:
        await ask(Status(0))
    except Refused as error:
        if error.code != "forbidden":
            raise
        return "member"
    return "operator"
